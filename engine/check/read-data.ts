import { createHash } from 'node:crypto';
import { idToBytes, type PackId } from '../../repo-format/mod.ts';

/**
 * Which packs are read and verified: none, all, a share chosen anew each time (or, with a `seed`, the same each time), or part n of m, where the m parts
 * together are all packs, whatever is added meanwhile.
 */
export type ReadData =
  | boolean
  | { readonly percent: number; readonly seed?: string | undefined }
  | { readonly part: readonly [number: number, of: number] };

const partsLimit = 65_536;

/** Tells of each pack whether it is to be read. A share or part that is none is a RangeError. */
export function packSelector(readData: ReadData): (pack: PackId) => boolean {
  if (typeof readData === 'boolean') return () => readData;
  if ('percent' in readData) {
    const { percent, seed = crypto.randomUUID() } = readData;
    if (!(percent > 0 && percent <= 100)) throw new RangeError(`readData.percent: ${percent} is not above 0 and at most 100`);
    return (pack) => seededPlaceOf(pack, seed) * 100 < percent;
  }
  const [number, of] = readData.part;
  if (!(Number.isInteger(number) && Number.isInteger(of) && number >= 1 && number <= of && of <= partsLimit))
    throw new RangeError(`readData.part: [${number}, ${of}] is no part; valid are [1, 1] to [${partsLimit}, ${partsLimit}]`);
  return (pack) => Math.floor(placeOf(idToBytes(pack), 8) * of) === number - 1;
}

/** From 0 to 1: 32 bits at `offset`. Ids are random, but the top bit of the first byte means something. */
function placeOf(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset) / 2 ** 32;
}

function seededPlaceOf(pack: PackId, seed: string): number {
  return placeOf(createHash('sha256').update(`${seed}\n${pack}`).digest(), 0);
}
