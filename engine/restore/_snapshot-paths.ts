import { type DirectoryEntry, LaganError, type NodeReference, type Snapshot } from '../../repo-format/mod.ts';
import { topFolderOf } from '../repository/mod.ts';
import { joinPath, printable, splitPath } from '../system/mod.ts';
import type { DirectoryLeaves } from './_directory-leaves.ts';

/** Where in the snapshot a restore begins, and what it takes from there. */
export interface StartingPoint {
  /** Path relative to `/` of the folder that becomes the target. */
  readonly from: Uint8Array;
  /** That folder; undefined if it is the top of a snapshot that says nothing of it, or only leads to the one thing that was asked for. */
  readonly top: DirectoryEntry | undefined;
  readonly tree: NodeReference | null;
  /** Relative to `from`; empty: everything. */
  readonly paths: readonly Uint8Array[];
}

/** Finds where to begin. Errors: `usage` for paths that are not absolute or not below `from`, `path-not-found` if the snapshot does not have `from`. */
export async function findStart(
  leaves: DirectoryLeaves,
  snapshot: Snapshot,
  options: { from: string | Uint8Array | undefined; paths: readonly (string | Uint8Array)[] },
): Promise<StartingPoint> {
  const steps = options.from === undefined ? [] : namesOf(options.from);
  const paths = options.paths.map((path) => below(namesOf(path), steps, path));
  let { tree } = snapshot;
  let top = topFolderOf(snapshot);
  for (const [index, name] of steps.entries()) {
    const found = await leaves.find(tree, name);
    const entry = found?.leaf.items[found.index];
    const isLast = index === steps.length - 1;
    if (entry !== undefined && entry.type !== 'directory' && isLast)
      return { from: joinPath(steps.slice(0, -1)), top: undefined, tree, paths: [name] };
    if (entry?.type !== 'directory')
      throw new LaganError('path-not-found', `the snapshot has no ${printable(options.from!)}`, { object: printable(options.from!) });
    top = entry;
    tree = entry.node;
  }
  return { from: joinPath(steps), top, tree, paths: paths.some(({ length }) => length === 0) ? [] : paths };
}

function namesOf(path: string | Uint8Array): Uint8Array[] {
  const bytes = typeof path === 'string' ? Buffer.from(path) : path;
  const names = splitPath(bytes);
  const isPlain = names.every((name) => !/^\.{1,2}$/.test(Buffer.from(name).toString('latin1')));
  if (bytes[0] === 0x2f && isPlain) return names;
  throw new LaganError('usage', `${JSON.stringify(printable(path))} is not an absolute path without . and ..`, {
    expected: 'an absolute path',
    found: printable(path),
  });
}

function below(names: readonly Uint8Array[], above: readonly Uint8Array[], path: string | Uint8Array): Uint8Array {
  const isBelow = names.length >= above.length && above.every((name, index) => Buffer.compare(name, names[index]!) === 0);
  if (!isBelow)
    throw new LaganError(
      'usage',
      `${JSON.stringify(printable(path))} does not lie below ${JSON.stringify(`/${printable(joinPath(above))}`)}`,
      { found: printable(path) },
    );
  return joinPath(names.slice(above.length));
}
