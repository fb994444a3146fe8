/** How much of each pack nothing needs, and which packs are worth being repacked. */
import type { PackId, PackRow } from '../../repo-format/mod.ts';
import type { MergedRow } from '../index/mod.ts';
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
}

/** Why a pack is repacked. */
export type RepackReason = 'unused' | 'small';

export interface ChosenPack extends PackUse {
  readonly reason: RepackReason;
}

export interface RepackRules {
  /** Share of the repository, 0 to 1, that may stay unused. */
  readonly maxUnused: number;
  /** Bytes that are copied at most. */
  readonly maxRepackBytes: number;
}

/** Counts for each pack of the index how many of its rows are needed. */
export async function countRows(
  { packs, rows }: { packs: readonly PackRow[]; rows: AsyncIterable<MergedRow> },
  isLive: (names: Uint8Array, offset: number) => boolean,
): Promise<{ rows: Uint32Array; liveRows: Uint32Array }> {
  const counts = { rows: new Uint32Array(packs.length), liveRows: new Uint32Array(packs.length) };
  for await (const { page, offset, packOrdinal } of rows) {
    counts.rows[packOrdinal]!++;
    if (isLive(page, offset)) counts.liveRows[packOrdinal]!++;
  }
  return counts;
}

/** Bytes of a pack that nothing needs, as far as its rows tell. */
export function unusedBytesOf({ row, sizeBytes, liveRows }: PackUse): number {
  return row.chunkCount === 0 ? sizeBytes : sizeBytes * (1 - liveRows / row.chunkCount);
}

/**
 * Chooses packs: those with the largest unused share first, until what stays unused is little enough; then small ones, where they are many. What is copied has a limit.
 */
export function choosePacks(uses: readonly PackUse[], { maxUnused, maxRepackBytes }: RepackRules): ChosenPack[] {
  const choice = new Choice(maxRepackBytes);
  const total = uses.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let unused = uses.reduce((sum, use) => sum + unusedBytesOf(use), 0);
  const byShare = uses.filter((use) => unusedBytesOf(use) > 0).sort((left, right) => unusedShare(right) - unusedShare(left));
  for (const use of byShare) {
    if (unused <= maxUnused * total) break;
    if (choice.take(use, 'unused')) unused -= unusedBytesOf(use);
  }
  for (const kind of ['pack', 'metadata-pack'] as const) {
    const small = uses.filter((use) => use.row.kind === kind && use.sizeBytes < repackLimits.smallPackBytes && !choice.has(use.row.id));
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
