import { type DirectoryEntry, type Entry, isLaganError, LaganError } from '../../repo-format/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { Descent, type TreeReader } from '../trees/mod.ts';
import { hasSameContent, hasSameMetadata } from './_compare-entries.ts';
import { isSameNode, NodeCursor } from './_node-cursor.ts';
import { joinPath, partsOfPath, pathOfParts, textOfPath } from './_paths.ts';
import { readingOf } from './_reading.ts';
import { Breather } from './interruption.ts';
import { lookup } from './lookup.ts';
import type { SnapshotTree } from './snapshot-tree.ts';

/**
 * `modified`: the content of a file, the target of a link, the numbers of a device. `metadata`: only owner, mode, time of modification, attributes or
 * flags. `type`: it is another kind of thing now.
 */
export interface Difference {
  readonly change: 'added' | 'removed' | 'modified' | 'metadata' | 'type';
  /** Absolute, raw bytes. */
  readonly path: Uint8Array;
  /** Undefined if it was added. */
  readonly before: Entry | undefined;
  /** Undefined if it was removed. */
  readonly after: Entry | undefined;
}

export interface DiffOptions extends CallOptions {
  /** Only this folder or file, and what is below it. */
  readonly path?: Uint8Array | undefined;
}

/** A folder that is being compared; a cursor is missing where the folder is. */
interface OpenFolder {
  readonly path: Uint8Array;
  readonly before: NodeCursor | undefined;
  readonly after: NodeCursor | undefined;
}

/**
 * What differs between two snapshots, in the order of paths, each folder before what is in it. What both snapshots share (folders, and
 * nodes of large folders) is not read at all.
 *
 * Codes: path-not-found if `path` is in neither of them, and those of damage.
 */
export async function* diffSnapshots(
  repository: Repository,
  before: SnapshotTree,
  after: SnapshotTree,
  { path, signal }: DiffOptions = {},
): AsyncGenerator<Difference> {
  const comparison = new Comparison(readingOf(repository).trees, new Breather(signal));
  const parts = partsOfPath(path ?? new Uint8Array(0));
  if (parts.length === 0) {
    const [older, newer] = [before.snapshot.tree, after.snapshot.tree];
    if (!isSameNode(older, newer)) comparison.open(new Uint8Array(0), { before: older, after: newer });
  } else {
    const whole = pathOfParts(parts);
    const at = { path: whole, signal };
    const [older, newer] = [await entryAt(repository, before, at), await entryAt(repository, after, at)];
    if (older === undefined && newer === undefined) throw inNeither(whole, [before, after]);
    yield* await comparison.compare(whole, older, newer);
  }
  yield* comparison.run();
}

class Comparison {
  readonly #trees: TreeReader;
  readonly #breather: Breather;
  readonly #open: OpenFolder[] = [];
  /** Of both sides. */
  #descents: readonly Descent[] = [];

  constructor(trees: TreeReader, breather: Breather) {
    this.#trees = trees;
    this.#breather = breather;
  }

  /** Everything below the folders that are open. */
  async *run(): AsyncGenerator<Difference> {
    for (let folder = this.#open.at(-1); folder !== undefined; folder = this.#open.at(-1)) {
      await this.#breather.breathe();
      const { before, after } = folder;
      if (before !== undefined && after !== undefined) await NodeCursor.skipShared(before, after);
      const [older, newer] = [await before?.peek(), await after?.peek()];
      if (older === undefined && newer === undefined) {
        this.#open.pop();
        for (const descent of this.#descents) descent.leave();
        continue;
      }
      const order = older === undefined ? 1 : newer === undefined ? -1 : Buffer.compare(older.name, newer.name);
      if (order <= 0) before!.advance();
      if (order >= 0) after!.advance();
      const path = joinPath(folder.path, (order <= 0 ? older! : newer!).name);
      yield* await this.compare(path, order <= 0 ? older : undefined, order >= 0 ? newer : undefined);
    }
  }

  /** What is to be said of one path; folders are opened if there may be more below them. */
  async compare(path: Uint8Array, before: Entry | undefined, after: Entry | undefined): Promise<Difference[]> {
    this.#openBelow(path, before, after);
    const change = await this.#changeOf(before, after);
    return change === undefined ? [] : [{ change, path, before, after }];
  }

  open(
    path: Uint8Array,
    { before, after }: { before: DirectoryEntry['node'] | undefined; after: DirectoryEntry['node'] | undefined },
  ): void {
    this.#descend(path, [before ?? null, after ?? null]);
    this.#open.push({
      path,
      before: before === undefined ? undefined : new NodeCursor(this.#trees, before),
      after: after === undefined ? undefined : new NodeCursor(this.#trees, after),
    });
  }

  #descend(path: Uint8Array, nodes: readonly DirectoryEntry['node'][]): void {
    const above = this.#open.at(-1)?.path;
    if (above === undefined) this.#descents = nodes.map((node) => new Descent(node));
    else for (const [side, node] of nodes.entries()) this.#descents[side]!.enter({ name: path.subarray(above.length + 1), node });
  }

  #openBelow(path: Uint8Array, before: Entry | undefined, after: Entry | undefined): void {
    const older = before?.type === 'directory' ? before.node : undefined;
    const newer = after?.type === 'directory' ? after.node : undefined;
    if (older === undefined && newer === undefined) return;
    if (older !== undefined && newer !== undefined && isSameNode(older, newer)) return;
    this.open(path, { before: older, after: newer });
  }

  async #changeOf(before: Entry | undefined, after: Entry | undefined): Promise<Difference['change'] | undefined> {
    if (before === undefined) return 'added';
    if (after === undefined) return 'removed';
    if (before.type !== after.type) return 'type';
    if (!(await hasSameContent(this.#trees, before, after))) return 'modified';
    return hasSameMetadata(before, after) ? undefined : 'metadata';
  }
}

async function entryAt(
  repository: Repository,
  snapshot: SnapshotTree,
  { path, signal }: { path: Uint8Array; signal: AbortSignal | undefined },
): Promise<Entry | undefined> {
  try {
    return (await lookup(repository, snapshot, path, { signal })).entry;
  } catch (error) {
    if (isLaganError(error, 'path-not-found')) return undefined;
    throw error;
  }
}

function inNeither(path: Uint8Array, snapshots: readonly SnapshotTree[]): LaganError {
  const [first, second] = snapshots.map(({ id }) => id.slice(0, 8));
  return new LaganError('path-not-found', `${textOfPath(path)} is neither in snapshot ${first} nor in ${second}`, {
    object: textOfPath(path),
  });
}
