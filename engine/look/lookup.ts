import { type Entry, LaganError, type NodeReference } from '../../repo-format/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { partsOfPath, pathOfParts, textOfPath } from './_paths.ts';
import { readingOf } from './_reading.ts';
import { throwIfInterrupted } from './interruption.ts';
import type { SnapshotTree } from './snapshot-tree.ts';

export type LookupOptions = CallOptions;

export interface FoundPath {
  /** Absolute, raw bytes, without superfluous slashes. */
  readonly path: Uint8Array;
  readonly entry: Entry;
}

/**
 * The entry of a path in a snapshot. One node is read for each level of each folder on the way. Symbolic links are not followed; '.' and '..' mean
 * nothing special.
 *
 * Codes: path-not-found (`object`: the path; `found`: how far it leads), also for the top, which has no entry of its own; and those of damage.
 */
export async function lookup(
  repository: Repository,
  snapshot: SnapshotTree,
  path: Uint8Array,
  { signal }: LookupOptions = {},
): Promise<FoundPath> {
  const { trees } = readingOf(repository);
  const parts = partsOfPath(path);
  let folder: NodeReference | null = snapshot.snapshot.tree;
  let entry: Entry | undefined;
  for (const [depth, name] of parts.entries()) {
    throwIfInterrupted(signal);
    if (entry !== undefined && entry.type !== 'directory') throw notFound(snapshot, parts, { depth, reason: `is a ${entry.type}` });
    entry = await trees.entry(folder, name);
    if (entry === undefined) throw notFound(snapshot, parts, { depth, reason: `has no ${JSON.stringify(textOfPath(name))}` });
    folder = entry.type === 'directory' ? entry.node : null;
  }
  if (entry === undefined) throw notFound(snapshot, parts, { depth: 0, reason: 'is the top and has no entry of its own' });
  return { path: pathOfParts(parts), entry };
}

/** `depth`: how many of the parts are there. */
function notFound(snapshot: SnapshotTree, parts: readonly Uint8Array[], { depth, reason }: { depth: number; reason: string }): LaganError {
  const [wanted, reached] = [textOfPath(pathOfParts(parts)), textOfPath(pathOfParts(parts.slice(0, depth)))];
  return new LaganError('path-not-found', `${wanted} is not in snapshot ${snapshot.id.slice(0, 8)}: ${reached} ${reason}`, {
    object: wanted,
    found: reached,
  });
}
