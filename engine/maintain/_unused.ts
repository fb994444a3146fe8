/** How much of each pack nothing needs, and which packs are worth being repacked. */
import { indexRowLayout, type PackId, type PackKind, type PackRow, packOrdinalAt } from '../../repo-format/mod.ts';
import type { MergedRows } from '../index/mod.ts';
import { repackLimits } from './_repack-limits.ts';

/** A pack that may be repacked. */
export interface PackUse {
  readonly row: PackRow;
  /** Size of its file. */
  readonly sizeBytes: number;
  /** Of its chunks, those that the index gives for it. Fewer than it has: others are in another pack, too. */
  readonly rows: number;
  /** Of these, those that are needed. */
  readonly liveRows: number;
  /** Of these, those that a snapshot needs which is to be regrouped. */
  readonly newestRows: number;
  /** Whether such a snapshot reads much more of it than it needs. */
  readonly isCostly: boolean;
  /** Whether it is to be sealed anew. */
  readonly isOldEpoch: boolean;
}

/** Why a pack is repacked. */
export type RepackReason = 'unused' | 'epoch' | 'small' | 'scattered';

export interface ChosenPack extends PackUse {
  readonly reason: RepackReason;
}

export interface RepackRules {
  /** Share of the repository, 0 to 1, that may stay unused. */
  readonly maxUnused: number;
  /** Bytes that are copied at most. */
  readonly maxRepackBytes: number;
  readonly packSizeBytes: number;
  /** How many packs the base index names by which others were replaced. */
  readonly replacing: number;
}

/** Counts of rows, by the ordinal of their pack. */
export interface RowCounts {
  readonly rows: Uint32Array;
  readonly liveRows: Uint32Array;
  readonly newestRows: Uint32Array;
}

type NameTest = (names: Uint8Array, offset: number) => boolean;

/** Counts for each pack of the index how many of its rows are needed, and how many by snapshots that are to be regrouped. */
export async function countRows(
  { packs, pages }: MergedRows,
  { isLive, isNewest }: { isLive: NameTest; isNewest: NameTest },
): Promise<RowCounts> {
  const [all, liveRows, newestRows] = [new Uint32Array(packs.count), new Uint32Array(packs.count), new Uint32Array(packs.count)];
  for await (const page of pages()) {
    for (let row = 0, offset = 0; offset < page.length; row++, offset += indexRowLayout.sizeBytes) {
      const packOrdinal = packOrdinalAt(page, row);
      all[packOrdinal]!++;
      if (isLive(page, offset)) liveRows[packOrdinal]!++;
      if (isNewest(page, offset)) newestRows[packOrdinal]!++;
    }
  }
  return { rows: all, liveRows, newestRows };
}

/** Bytes of a pack that nothing needs, as far as its rows tell. */
export function unusedBytesOf({ row, sizeBytes, liveRows }: PackUse): number {
  return row.chunkCount === 0 ? sizeBytes : sizeBytes * (1 - liveRows / row.chunkCount);
}

/**
 * Chooses packs: those with the largest unused share first, until what stays unused is little enough; then those that are to be sealed anew; then those that a snapshot which is to be regrouped uses little of, or here and there; then small
 * ones, where they are many. What is copied has a limit.
 */
export function choosePacks(uses: readonly PackUse[], { maxUnused, maxRepackBytes, packSizeBytes, replacing }: RepackRules): ChosenPack[] {
  const choice = new Choice(maxRepackBytes);
  const total = uses.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let unused = uses.reduce((sum, use) => sum + unusedBytesOf(use), 0);
  const byShare = uses.filter((use) => unusedBytesOf(use) > 0).sort((left, right) => unusedShare(right) - unusedShare(left));
  for (const use of byShare) {
    if (unused <= maxUnused * total) break;
    if (choice.take(use, 'unused')) unused -= unusedBytesOf(use);
  }
  for (const use of uses) if (use.isOldEpoch && !choice.has(use.row.id)) choice.take(use, 'epoch');
  const newPacks = Math.ceil(Math.min(maxRepackBytes, total) / packSizeBytes);
  let room = repackLimits.replacingPacks - replacing;
  for (const use of uses.filter(isScattered).sort((left, right) => newestShare(left) - newestShare(right))) {
    room -= Math.min(newPacks, use.row.chunkCount);
    if (room < 0) break;
    if (!choice.has(use.row.id)) choice.take(use, 'scattered');
  }
  const smallBytes = smallPackBytes(packSizeBytes);
  for (const kind of ['pack', 'metadata-pack'] as const) {
    const small = uses.filter((use) => use.row.kind === kind && use.sizeBytes < smallBytes[kind] && !choice.has(use.row.id));
    if (small.length < repackLimits.smallPacks) continue;
    for (const use of small.sort((left, right) => left.sizeBytes - right.sizeBytes)) choice.take(use, 'small');
  }
  return choice.packs;
}

class Choice {
  readonly packs: ChosenPack[] = [];
  readonly #ids = new Set<PackId>();
  #bytesLeft: number;
  #chunksLeft: number = repackLimits.chunks;

  constructor(maxRepackBytes: number) {
    this.#bytesLeft = maxRepackBytes;
  }

  has(pack: PackId): boolean {
    return this.#ids.has(pack);
  }

  /** False if it is too much. */
  take(use: PackUse, reason: RepackReason): boolean {
    const bytes = use.sizeBytes - unusedBytesOf(use);
    if (bytes > this.#bytesLeft || use.row.chunkCount > this.#chunksLeft) return false;
    this.#bytesLeft -= bytes;
    this.#chunksLeft -= use.row.chunkCount;
    this.#ids.add(use.row.id);
    this.packs.push({ ...use, reason });
    return true;
  }
}

function unusedShare(use: PackUse): number {
  return unusedBytesOf(use) / Math.max(1, use.sizeBytes);
}

/** Used by a snapshot that is to be regrouped, but little, or here and there. */
function isScattered(use: PackUse): boolean {
  return use.row.kind === 'pack' && use.newestRows > 0 && (use.isCostly || newestShare(use) < repackLimits.scatteredShare);
}

function newestShare({ row, newestRows }: PackUse): number {
  return newestRows / Math.max(1, row.chunkCount);
}

/** Packs of each kind below this size are small. */
export function smallPackBytes(packSizeBytes: number): Readonly<Record<PackKind, number>> {
  const { smallPackShare, nodePackBytes } = repackLimits;
  return { pack: smallPackShare * packSizeBytes, 'metadata-pack': smallPackShare * Math.min(packSizeBytes, nodePackBytes) };
}
