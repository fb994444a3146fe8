import {
  type Content,
  type DirectoryEntry,
  type Entry,
  type FileEntry,
  LaganError,
  type NodeReference,
  type PackId,
  type Snapshot,
  type SnapshotId,
} from '../../repo-format/mod.ts';
import { Breather, openFile } from '../look/mod.ts';
import { PathPatterns } from '../patterns/mod.ts';
import {
  commitSnapshot,
  heldSnapshots,
  listHolds,
  listSnapshots,
  madeOf,
  markSnapshots,
  originOf,
  type Repository,
  type SnapshotInfo,
} from '../repository/mod.ts';
import { recordingPacks, TreeBuilder } from '../trees/mod.ts';
import { stretchesOfContent } from './_content-stretches.ts';
import type { ContentTree } from './_content-tree.ts';
import { isPassed } from './_passed.ts';
import { BackupSession, type StoredTree } from './_session.ts';

export interface RewriteOptions {
  /** What to leave out, as for {@link ExcludeRules.patterns}: paths are those in the snapshot. */
  readonly patterns: readonly string[];
  /** Nothing is written. */
  readonly dryRun?: boolean | undefined;
  /** The old snapshot stays. Otherwise it is marked for deletion. */
  readonly keepOriginal?: boolean | undefined;
  /** Other snapshots: if one of them was made of this one and is the same as what would be made, it is not made again. */
  readonly others?: readonly SnapshotInfo[] | undefined;
  /** Is told of what is left out: a file, or a folder with all below. What it returns is awaited. */
  readonly onRemoved?: ((removed: RemovedEntry) => Promise<void> | undefined) | undefined;
  /** For the ends of holds. Default: now. */
  readonly now?: Date | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RemovedEntry {
  /** Absolute, raw bytes. */
  readonly path: Uint8Array;
  readonly entry: Entry;
}

/** Sums over what was left out. */
export interface RemovedCounts {
  files: number;
  /** Sizes of these files. */
  bytes: number;
  /** Files, or folders with all below, that fit a pattern. */
  entries: number;
}

export interface RewriteResult {
  /** `unchanged`: there was nothing to leave out. */
  readonly outcome: 'rewritten' | 'unchanged' | 'dry-run';
  /** The new snapshot, if there is one. */
  readonly snapshotId: SnapshotId | null;
  readonly removed: RemovedCounts;
}

const mostAttempts = 16;

/**
 * Makes a snapshot that is as another one was, without some paths, and marks the old one for deletion. Times, host, paths, tags and description are the same. What was left
 * out goes from the store with a collection after that, unless another snapshot has it.
 *
 * After an error the old snapshot is there, and the new one may be; doing it again goes on from there. Codes: held (the old one may not be deleted, and `keepOriginal` was
 * not said), interrupted, those of damaged trees, and those of the storage.
 */
export async function rewriteSnapshot(repository: Repository, info: SnapshotInfo, options: RewriteOptions): Promise<RewriteResult> {
  const { dryRun = false, keepOriginal = false, signal } = options;
  if (!keepOriginal) await expectNotHeld(repository, info.id, options);
  const result = await makeAnew(repository, info, options);
  if (dryRun || result.outcome === 'unchanged' || keepOriginal) return result;
  await markSnapshots(repository, [info.id], { reason: `rewritten as ${result.snapshotId}`, signal });
  return result;
}

async function expectNotHeld(repository: Repository, id: SnapshotId, { now = new Date(), signal }: RewriteOptions): Promise<void> {
  const at = { seconds: Math.floor(now.getTime() / 1000), nanoseconds: 0 };
  if (!heldSnapshots(await listHolds(repository, { signal }), at).has(id)) return;
  throw new LaganError('held', `snapshot ${id} is pinned: what is taken out of it would stay in the store`, {
    object: id,
    hint: `lagan pin --remove ${id.slice(0, 8)}, or leave the old snapshot with --keep-original`,
  });
}

/** Begins anew when the collector passes the session meanwhile. Each entry that is left out is told of once. */
async function makeAnew(repository: Repository, info: SnapshotInfo, options: RewriteOptions): Promise<RewriteResult> {
  const { dryRun = false, signal } = options;
  let told = 0;
  for (let attempt = 1; ; attempt++) {
    const session = await BackupSession.begin(repository, { compression: 'auto', dryRun, signal });
    let met = 0;
    const onRemoved = (removed: RemovedEntry): Promise<void> | undefined => {
      if (met++ < told) return undefined;
      told++;
      return options.onRemoved?.(removed);
    };
    try {
      // A commit that the collector passed while it fenced may stand in the end.
      const listAgain = attempt === 1 ? undefined : () => listSnapshots(repository, { signal });
      return await makeOnce(repository, info, { session, options: { ...options, onRemoved }, listAgain });
    } catch (error) {
      if (attempt === mostAttempts || !(await isPassed(repository, session, { error, signal }))) throw error;
    } finally {
      await session.end();
    }
  }
}

async function makeOnce(
  repository: Repository,
  info: SnapshotInfo,
  {
    session,
    options,
    listAgain,
  }: { session: BackupSession; options: RewriteOptions; listAgain?: (() => Promise<SnapshotInfo[]>) | undefined },
): Promise<RewriteResult> {
  const { dryRun = false, signal } = options;
  const trees = new TreeCopy(repository, session, options);
  const tree = await trees.copy(info.snapshot.tree);
  const { removed } = trees;
  if (removed.entries === 0) return { outcome: 'unchanged', snapshotId: null, removed };
  if (dryRun) return { outcome: 'dry-run', snapshotId: null, removed };
  const others = (await listAgain?.()) ?? options.others ?? [];
  // Of what is pending nobody knows yet whether it will stand.
  const same = others.find(
    ({ snapshot, standing }) => standing === 'valid' && originOf(snapshot) === info.id && isSameNode(snapshot.tree, tree),
  );
  if (same !== undefined) return { outcome: 'rewritten', snapshotId: same.id, removed };
  const stored = tree === null ? { tree, packs: null, listPacks: [] } : await session.finish(tree, trees.packs);
  const snapshot = snapshotOf(info, { session, stored, trees });
  await commitSnapshot(repository, { session: session.session, snapshot, signal });
  return { outcome: 'rewritten', snapshotId: session.session.id, removed };
}

function snapshotOf(
  info: SnapshotInfo,
  { session, stored, trees }: { session: BackupSession; stored: StoredTree; trees: TreeCopy },
): Snapshot {
  const { newChunks, newBytes } = session.dispatcher.counts;
  const { snapshot: original } = info;
  const errors = original.errors.filter(({ path }) => !trees.leavesOut(path));
  const statistics = {
    ...original.statistics,
    ...trees.counts,
    newBytes,
    newChunks,
    storedBytes: session.storedBytes,
    errors: original.statistics.errors - (original.errors.length - errors.length),
  };
  return { ...madeOf(info, session.session), ...stored, statistics, errors };
}

interface CopiedFolder {
  readonly node: NodeReference | null;
  readonly files: number;
  readonly bytes: number;
}

/** Copies a tree without what fits the patterns. All nodes are put anew: where they are the same, the repository has them already. */
class TreeCopy {
  /** All packs that the copy relies on. */
  readonly packs = new Set<PackId>();
  readonly removed: RemovedCounts = { files: 0, bytes: 0, entries: 0 };
  readonly counts = { files: 0, directories: 0, others: 0, bytes: 0 };
  readonly #repository: Repository;
  readonly #session: BackupSession;
  readonly #options: RewriteOptions;
  readonly #patterns: PathPatterns;
  readonly #breather: Breather;

  constructor(repository: Repository, session: BackupSession, options: RewriteOptions) {
    this.#repository = repository;
    this.#session = session;
    this.#options = options;
    this.#patterns = new PathPatterns(options.patterns);
    this.#breather = new Breather(options.signal);
  }

  /** Returns the root node; null if nothing is left. */
  async copy(root: NodeReference | null): Promise<NodeReference | null> {
    return (await this.#copyFolder(root, new Uint8Array(0))).node;
  }

  /** Whether a path, or a folder above it, fits the patterns. The path may be one of a folder. */
  leavesOut(path: Uint8Array): boolean {
    for (let start = 1; start < path.length; ) {
      const slash = path.indexOf(0x2f, start);
      const end = slash < 0 ? path.length : slash;
      const [place, name] = [path.subarray(1, start), path.subarray(start, end)];
      if (this.#patterns.match(place, name, true) || (slash < 0 && this.#patterns.match(place, name, false))) return true;
      start = end + 1;
    }
    return false;
  }

  /** `place`: the folder's path without the first `/`, with one at its end unless empty. */
  async #copyFolder(node: NodeReference | null, place: Uint8Array): Promise<CopiedFolder> {
    const builder = new TreeBuilder(recordingPacks(this.#session.nodes, this.packs), 'directory');
    let [files, bytes] = [0, 0];
    for await (const entries of this.#session.reader.entries(node)) {
      for (const entry of entries) {
        const waiting = this.#breather.breathe();
        if (waiting !== undefined) await waiting;
        if (this.#patterns.match(place, entry.name, entry.type === 'directory')) {
          await this.#leaveOut(entry, place);
          continue;
        }
        const copied = await this.#copyEntry(entry, place);
        if (copied.type === 'file') [files, bytes] = [files + 1, bytes + copied.size];
        else if (copied.type === 'directory') [files, bytes] = [files + copied.filesBelow, bytes + copied.bytesBelow];
        await builder.addEntry(copied);
      }
    }
    return { node: (await builder.finish())?.node ?? null, files, bytes };
  }

  async #copyEntry(entry: Entry, place: Uint8Array): Promise<Entry> {
    if (entry.type === 'directory') {
      const { node, files, bytes } = await this.#copyFolder(entry.node, Buffer.concat([place, entry.name, Buffer.from('/')]));
      this.counts.directories++;
      return { ...entry, node, filesBelow: files, bytesBelow: bytes } satisfies DirectoryEntry;
    }
    if (entry.type !== 'file') {
      this.counts.others++;
      return entry;
    }
    this.counts.files++;
    this.counts.bytes += entry.size;
    return { ...entry, content: await this.#contentOf(entry) };
  }

  /** The content where it is, if all its packs stay; else stored again: what the repository has elsewhere is found there. */
  async #contentOf(entry: FileEntry): Promise<Content> {
    const needed = await this.#session.reader.contentPacks(entry.content);
    if (this.#options.dryRun || [...needed].every(this.#session.isAlive)) {
      for (const pack of needed) this.packs.add(pack);
      return entry.content;
    }
    const content = this.#session.dispatcher.newContent();
    const opened = openFile(this.#repository, entry, { signal: this.#options.signal });
    for await (const { kind, start, end } of stretchesOfContent(this.#session.reader, entry.content)) {
      if (kind === 'hole') await content.add([{ kind, length: end - start }]);
      else await this.#storeStretch(content, opened.stream({ start, end }));
    }
    const stored = await content.finish();
    for (const pack of content.packs) this.packs.add(pack);
    return stored;
  }

  async #storeStretch(content: ContentTree, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const { dispatcher } = this.#session;
    for await (const piece of pieces) await dispatcher.storePiece(content, Uint8Array.from(piece), { last: false });
    await dispatcher.storePiece(content, new Uint8Array(0), { last: true });
  }

  async #leaveOut(entry: Entry, place: Uint8Array): Promise<void> {
    this.removed.entries++;
    if (entry.type === 'file') {
      this.removed.files++;
      this.removed.bytes += entry.size;
    } else if (entry.type === 'directory') {
      this.removed.files += entry.filesBelow;
      this.removed.bytes += entry.bytesBelow;
    }
    await this.#options.onRemoved?.({ path: Buffer.concat([Buffer.from('/'), place, entry.name]), entry });
  }
}

function isSameNode(a: NodeReference | null, b: NodeReference | null): boolean {
  if (a === null || b === null) return a === b;
  return Buffer.compare(a.name, b.name) === 0;
}
