/** Which packs are read, and in which order: the newest data first, or what was verified longest ago. */
import type { PackId, Time } from '../../repo-format/mod.ts';
import type { KnownPack } from './_known-packs.ts';
import { isInPart, type ReadData } from './read-data.ts';

export interface OrderOptions {
  readonly readData: ReadData;
  /** The reading may end before all is read. */
  readonly hasBudget: boolean;
  /** When packs were verified last, as far as is remembered. */
  readonly verified: ReadonlyMap<PackId, Time>;
}

/**
 * The packs to read, in order. If all of them are read, the newest data comes first: it is needed most likely, and nobody has read it since it was written. If only some are, or if the
 * time may not suffice, those that were never verified come first, then those that were verified longest ago: so parts add up to the whole.
 */
export function readingOrder(packs: readonly KnownPack[], { readData, hasBudget, verified }: OrderOptions): KnownPack[] {
  if (readData === false) return [];
  const wanted = packs.filter(({ id }) => mayBeWanted(id, readData));
  const isShare = typeof readData === 'object' && ('percent' in readData || 'bytes' in readData);
  const byTime = hasBudget || isShare;
  const timeOf = ({ id }: KnownPack) => (byTime ? (verified.get(id)?.seconds ?? Number.NEGATIVE_INFINITY) : 0);
  const times = new Map(wanted.map((pack) => [pack, timeOf(pack)]));
  const sorted = wanted.toSorted((left, right) => compare(times.get(left)!, times.get(right)!) || newerFirst(left, right));
  return isShare ? takeBytes(sorted, wantedBytes(sorted, readData)) : sorted;
}

function mayBeWanted(pack: PackId, readData: ReadData): boolean {
  if (typeof readData === 'boolean') return readData;
  if ('part' in readData) return isInPart(pack, readData.part);
  return !('packs' in readData) || readData.packs.has(pack);
}

/** Newer packs first; of the same age the largest, so that the workers end at about the same time. */
function newerFirst(left: KnownPack, right: KnownPack): number {
  return compare(right.age, left.age) || right.storedSizeBytes! - left.storedSizeBytes!;
}

function wantedBytes(packs: readonly KnownPack[], share: { readonly percent: number } | { readonly bytes: number }): number {
  if ('bytes' in share) return share.bytes;
  return (packs.reduce((sum, { storedSizeBytes }) => sum + storedSizeBytes!, 0) * share.percent) / 100;
}

/** The first packs that together have so many bytes. */
function takeBytes(packs: readonly KnownPack[], bytes: number): KnownPack[] {
  const taken: KnownPack[] = [];
  let sum = 0;
  for (const pack of packs) {
    if (sum >= bytes) break;
    taken.push(pack);
    sum += pack.storedSizeBytes!;
  }
  return taken;
}

function compare(left: number, right: number): number {
  return left < right ? -1 : Number(left > right);
}
