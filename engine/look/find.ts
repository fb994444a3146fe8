import picomatch from 'picomatch';
import { compareTimes, type Entry, type EntryType, LaganError, type Time } from '../../repo-format/mod.ts';
import type { Repository, SnapshotInfo } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { lookLimits } from './_limits.ts';
import { textOfPath } from './_paths.ts';
import { readingOf } from './_reading.ts';
import { walkTree } from './_tree-walk.ts';
import { Breather } from './interruption.ts';
import type { SnapshotTree } from './snapshot-tree.ts';

export interface FindOptions extends CallOptions {
  /**
   * An entry must fit one of them; none: all fit. Without '/' a pattern is for the name, with one for the whole path. `*` and `?` stay within
   * a name, `**` does not; `[abc]`, `{a,b}`.
   */
  readonly patterns?: readonly string[] | undefined;
  readonly ignoreCase?: boolean | undefined;
  readonly types?: readonly EntryType[] | undefined;
  /** Files of at least this many bytes. */
  readonly minimumSize?: number | undefined;
  /** Files of at most this many bytes. */
  readonly maximumSize?: number | undefined;
  /** Modified after it. */
  readonly newerThan?: Time | undefined;
  /** Modified before it. */
  readonly olderThan?: Time | undefined;
}

export interface FoundEntry<Snapshot extends SnapshotTree = SnapshotInfo> {
  readonly snapshot: Snapshot;
  /** Absolute, raw bytes. */
  readonly path: Uint8Array;
  readonly entry: Entry;
}

type Test = (path: Uint8Array, entry: Entry) => boolean;

/**
 * What fits, in snapshot after snapshot. A folder that is the same in several of them, and in which nothing fits, is read once.
 *
 * Codes: usage (a pattern that is none), and those of damage.
 */
export async function* findEntries<Snapshot extends SnapshotTree>(
  repository: Repository,
  snapshots: Iterable<Snapshot> | AsyncIterable<Snapshot>,
  options: FindOptions = {},
): AsyncGenerator<FoundEntry<Snapshot>> {
  const tests = testsOf(options);
  const { trees } = readingOf(repository);
  const breather = new Breather(options.signal);
  const barren = new BarrenFolders();
  for await (const snapshot of snapshots) {
    const top = { node: snapshot.snapshot.tree, path: new Uint8Array(0) };
    const walked = walkTree(trees, top, {
      breather,
      enters: ({ path, entry: { node } }) => node !== null && barren.enter(path, node.name),
      onLeave: () => barren.leave(),
    });
    for await (const { path, entry } of walked) {
      if (!tests.every((test) => test(path, entry))) continue;
      barren.found();
      yield { snapshot, path, entry };
    }
  }
}

/** Remembers the folders, by path and node, in which nothing fitted. */
class BarrenFolders {
  readonly #known = new Set<string>();
  readonly #open: { readonly key: string; fits: boolean }[] = [];

  /** False: nothing in it fits, it need not be walked. */
  enter(path: Uint8Array, node: Uint8Array): boolean {
    const key = Buffer.from(node).toString('latin1') + Buffer.from(path).toString('latin1');
    if (this.#known.has(key)) return false;
    this.#open.push({ key, fits: false });
    return true;
  }

  leave(): void {
    const { key, fits } = this.#open.pop()!;
    if (fits) this.found();
    else if (this.#known.size < lookLimits.rememberedFolders) this.#known.add(key);
  }

  /** Something fits in the folder that is open. */
  found(): void {
    const folder = this.#open.at(-1);
    if (folder !== undefined) folder.fits = true;
  }
}

function testsOf({ patterns = [], ignoreCase = false, types, minimumSize, maximumSize, newerThan, olderThan }: FindOptions): Test[] {
  const tests: Test[] = [];
  if (patterns.length > 0) tests.push(patternTest(patterns, ignoreCase));
  if (types !== undefined) tests.push((_, { type }) => types.includes(type));
  if (minimumSize !== undefined) tests.push((_, entry) => entry.type === 'file' && entry.size >= minimumSize);
  if (maximumSize !== undefined) tests.push((_, entry) => entry.type === 'file' && entry.size <= maximumSize);
  if (newerThan !== undefined) tests.push((_, { mtime }) => compareTimes(mtime, newerThan) > 0);
  if (olderThan !== undefined) tests.push((_, { mtime }) => compareTimes(mtime, olderThan) < 0);
  return tests;
}

function patternTest(patterns: readonly string[], ignoreCase: boolean): Test {
  const settings = { dot: true, nocase: ignoreCase, nonegate: true };
  const empty = patterns.find((pattern) => pattern === '');
  if (empty !== undefined) throw new LaganError('usage', 'an empty pattern fits nothing', { expected: 'a name or a path with * and ?' });
  const [byPath, byName] = [patterns.filter((pattern) => pattern.includes('/')), patterns.filter((pattern) => !pattern.includes('/'))];
  const fitsPath = byPath.length > 0 ? picomatch(byPath, settings) : () => false;
  const fitsName = byName.length > 0 ? picomatch(byName, settings) : () => false;
  return (path, entry) => fitsName(textOfPath(entry.name)) || fitsPath(textOfPath(path));
}
