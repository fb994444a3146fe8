import { idToBytes, type PackId } from '../../repo-format/mod.ts';

/**
 * Which packs are read and verified: none, all, a share of the data or so many bytes (what was never verified, then what was verified longest ago), certain packs, or part n of m, where
 * the m parts together are all packs, whatever is added meanwhile.
 */
export type ReadData =
  | boolean
  | { readonly percent: number }
  | { readonly bytes: number }
  | { readonly packs: ReadonlySet<PackId> }
  | { readonly part: readonly [number: number, of: number] };

const partsLimit = 65_536;

/** A share or part that is none is a RangeError. */
export function expectReadData(readData: ReadData): void {
  if (typeof readData === 'boolean' || 'packs' in readData) return;
  if ('percent' in readData) {
    const { percent } = readData;
    if (!(percent > 0 && percent <= 100)) throw new RangeError(`readData.percent: ${percent} is not above 0 and at most 100`);
  } else if ('bytes' in readData) {
    if (!(readData.bytes > 0)) throw new RangeError(`readData.bytes: ${readData.bytes} is not above 0`);
  } else {
    const [number, of] = readData.part;
    if (!(Number.isInteger(number) && Number.isInteger(of) && number >= 1 && number <= of && of <= partsLimit))
      throw new RangeError(`readData.part: [${number}, ${of}] is no part; valid are [1, 1] to [${partsLimit}, ${partsLimit}]`);
  }
}

/** Whether a pack is in part n of m: by its id, so that nothing need be remembered. */
export function isInPart(pack: PackId, [number, of]: readonly [number: number, of: number]): boolean {
  return Math.floor(placeOf(idToBytes(pack), 8) * of) === number - 1;
}

/** From 0 to 1: 32 bits at `offset`. Ids are random, but the top bit of the first byte means something. */
function placeOf(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset) / 2 ** 32;
}
