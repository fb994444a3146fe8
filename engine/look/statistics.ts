import pLimit from 'p-limit';
import { decodePackContents, isLaganError, LaganError, objectNames, type PackId, type PackRow } from '../../repo-format/mod.ts';
import { type OpenedTable, openBaseIndex, openTable } from '../index/mod.ts';
import { openSegmentedObject } from '../objects/mod.ts';
import { listIndexTables, listSnapshots, type Repository, readRoot, type SnapshotInfo } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { lookLimits } from './_limits.ts';
import { throwIfInterrupted } from './interruption.ts';

export interface StatisticsOptions extends CallOptions {
  /** Whose files are counted; default: all that are not marked as deleted. */
  readonly snapshots?: readonly SnapshotInfo[] | undefined;
  readonly onProgress?: ((progress: StatisticsProgress) => void) | undefined;
}

/** Here packs are what is counted. */
export interface StatisticsProgress {
  readonly phase: 'statistics';
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
}

/** What a repository holds. Sizes in bytes. */
export interface RepositoryStatistics {
  readonly snapshots: number;
  /** In all snapshots, counted in each. */
  readonly files: number;
  /** Size of these files. */
  readonly bytes: number;
  /** Chunks of file content. */
  readonly chunks: number;
  /** Size of these chunks before compression: what is left of `bytes` after deduplication. */
  readonly rawBytes: number;
  /** The key grants metadata only, so that `rawBytes` had to be taken from what the snapshots say of themselves. */
  readonly rawBytesEstimated: boolean;
  /** All packs, of content and of metadata. */
  readonly packs: number;
  /** What they take in the store. */
  readonly storedBytes: number;
  /** The part of `packs` and `storedBytes` that holds folders, and lists of chunks and packs. */
  readonly metadataPacks: number;
  readonly metadataStoredBytes: number;
  readonly indexTables: number;
  readonly indexBytes: number;
  /** `bytes` for each byte in the store (packs and index): deduplication and compression together. 0 if nothing is stored. */
  readonly ratio: number;
}

/**
 * Counts what a repository holds. Reads the snapshots, the head of each index table, and the contents of each pack of file content.
 *
 * Codes: pack-missing and those of damage: `check` says more.
 */
export async function statistics(repository: Repository, options: StatisticsOptions = {}): Promise<RepositoryStatistics> {
  const { signal } = options;
  const snapshots = options.snapshots ?? (await listSnapshots(repository, { signal }));
  const index = await readIndex(repository, { signal });
  const packs = [...index.packs.values()];
  const [content, metadata] = [packs.filter(({ kind }) => kind === 'pack'), packs.filter(({ kind }) => kind === 'metadata-pack')];
  const rawBytesEstimated = repository.keys.grants !== 'full';
  const rawBytes = rawBytesEstimated
    ? sum(snapshots, ({ snapshot }) => snapshot.statistics.newBytes)
    : await rawBytesOf(repository, content, options);
  const bytes = sum(snapshots, ({ snapshot }) => snapshot.statistics.bytes);
  const storedBytes = sum(packs, ({ storedSizeBytes }) => storedSizeBytes);
  const total = storedBytes + index.sizeBytes;
  return {
    snapshots: snapshots.length,
    files: sum(snapshots, ({ snapshot }) => snapshot.statistics.files),
    bytes,
    chunks: sum(content, ({ chunkCount }) => chunkCount),
    rawBytes,
    rawBytesEstimated,
    packs: packs.length,
    storedBytes,
    metadataPacks: metadata.length,
    metadataStoredBytes: sum(metadata, ({ storedSizeBytes }) => storedSizeBytes),
    indexTables: index.tables,
    indexBytes: index.sizeBytes,
    ratio: total === 0 ? 0 : bytes / total,
  };
}

interface IndexSummary {
  readonly tables: number;
  readonly sizeBytes: number;
  readonly packs: ReadonlyMap<PackId, PackRow>;
}

async function readIndex(repository: Repository, { signal }: CallOptions): Promise<IndexSummary> {
  const { storage, keys } = repository;
  const root = await readRoot(repository, { signal });
  const summary = { tables: 0, sizeBytes: 0, packs: new Map<PackId, PackRow>() };
  const add = ({ table, packs }: OpenedTable) => {
    throwIfInterrupted(signal);
    summary.tables++;
    summary.sizeBytes += table.object.sizeBytes;
    for (const row of packs) summary.packs.set(row.id, row);
  };
  for (const { name } of await listIndexTables(repository, root, { signal }))
    add(await openTable(storage, { name, keys, memory: undefined }));
  for (const opened of await openBaseIndex(storage, { reference: root.baseIndex, keys, memory: undefined })) add(opened);
  return summary;
}

/** Size of the chunks in packs, by the packs' own contents. */
async function rawBytesOf(
  { storage, keys }: Repository,
  packs: readonly PackRow[],
  { signal, onProgress }: StatisticsOptions,
): Promise<number> {
  let [rawBytes, done] = [0, 0];
  await pLimit(lookLimits.concurrentReads).map(packs, async ({ id }) => {
    throwIfInterrupted(signal);
    const name = objectNames.pack(id);
    const { contents } = await openSegmentedObject(storage, { name, kind: 'pack', keys, signal }).catch((error) => {
      throw isLaganError(error, 'not-found') ? packMissing(id, error) : error;
    });
    rawBytes += sum(decodePackContents(contents, name, { kind: 'pack' }), ({ rawLength }) => rawLength);
    onProgress?.({ phase: 'statistics', filesDone: ++done, filesTotal: packs.length, bytesDone: rawBytes });
  });
  return rawBytes;
}

function packMissing(pack: PackId, cause: unknown): LaganError {
  const object = objectNames.pack(pack);
  return new LaganError('pack-missing', `pack ${pack} is in the index, but ${object} is not in the repository`, {
    object,
    cause,
    hint: 'lagan check names the files that need it',
  });
}

function sum<Item>(items: readonly Item[], amount: (item: Item) => number): number {
  return items.reduce((total, item) => total + amount(item), 0);
}
