/**
 * The rules of spec/cutting.md once more, straight from the text, to make vectors with. hash-wasm gives keyed BLAKE3.
 */
import { createBLAKE3 } from 'hash-wasm';

export interface CutOptions {
  readonly cutKey: Uint8Array;
  readonly horizonBytes: number;
  readonly gridBytes: number;
}

interface Candidate {
  readonly position: number;
  readonly value: bigint;
}

let hasher: Awaited<ReturnType<typeof createBLAKE3>> | null = null;

/** Must have been awaited before {@link cutsOf} is called with this key. */
export async function prepareCuts(cutKey: Uint8Array): Promise<void> {
  hasher = await createBLAKE3(256, cutKey);
}

export function cutsOf(file: Uint8Array, { horizonBytes: horizon, gridBytes: grid }: CutOptions): number[] {
  const candidates = candidatesOf(file);
  const natural = candidates.filter((one) => isNatural(one, candidates, { horizon, size: file.length })).map(({ position }) => position);
  const cuts = [...natural];
  for (let position = grid; position <= file.length - horizon; position += grid) {
    if (natural.every((cut) => Math.abs(cut - position) >= grid)) cuts.push(position);
  }
  return cuts.sort((left, right) => left - right);
}

function isNatural(
  { position, value }: Candidate,
  all: readonly Candidate[],
  { horizon, size }: { horizon: number; size: number },
): boolean {
  if (position < horizon || position > size - horizon) return false;
  return all.every((other) => {
    const distance = other.position - position;
    if (distance === 0 || Math.abs(distance) > horizon) return true;
    return distance < 0 ? other.value < value : other.value <= value;
  });
}

function candidatesOf(file: Uint8Array): Candidate[] {
  const found: Candidate[] = [];
  let lastHit = Number.NEGATIVE_INFINITY;
  for (let position = 32; position <= file.length; position++) {
    if (!isHit(file, position)) continue;
    if (position >= 64 && position - lastHit > 32) found.push({ position, value: valueAt(file, position) });
    lastHit = position;
  }
  return found;
}

function isHit(file: Uint8Array, position: number): boolean {
  const word = (distance: number) => file[position - distance]! + 256 * file[position - distance + 1]!;
  const sum =
    0x72b1 * (word(2) - word(6)) + 0xb277 * (word(16) - word(27)) + 0x985b * (word(14) - word(21)) + 0xb0ad * (word(10) - word(32));
  return (sum & 0xfff0) === 0xfe00;
}

function valueAt(file: Uint8Array, position: number): bigint {
  const digest = hasher!
    .init()
    .update(file.subarray(position - 64, position))
    .digest('binary');
  return new DataView(digest.buffer, digest.byteOffset).getBigUint64(0, true);
}
