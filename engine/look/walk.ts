import type { Repository } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { partsOfPath, pathOfParts } from './_paths.ts';
import { readingOf } from './_reading.ts';
import { type WalkedEntry, walkTree } from './_tree-walk.ts';
import { Breather } from './interruption.ts';
import { lookup } from './lookup.ts';
import type { SnapshotTree } from './snapshot-tree.ts';

export type { WalkedEntry } from './_tree-walk.ts';

export interface WalkOptions extends CallOptions {
  /** The folder whose content is listed, absolute, raw bytes; default: the top. */
  readonly path?: Uint8Array | undefined;
  /** With everything in the folders below, too. Default: true. */
  readonly recursive?: boolean | undefined;
}

/**
 * What is in a folder of a snapshot, depth first in the order of names, each folder before what is in it. The folder itself is not among
 * it; if `path` is no folder, nothing is. Memory does not grow with the number of files.
 *
 * Codes: path-not-found; pack-missing, chunk-missing, malformed, authentication-failed where the snapshot is damaged; interrupted.
 */
export async function* walkSnapshot(
  repository: Repository,
  snapshot: SnapshotTree,
  { path = pathOfParts([]), recursive = true, signal }: WalkOptions = {},
): AsyncGenerator<WalkedEntry> {
  const parts = partsOfPath(path);
  const breather = new Breather(signal);
  const { trees } = readingOf(repository);
  let { tree: node } = snapshot.snapshot;
  if (parts.length > 0) {
    const { entry } = await lookup(repository, snapshot, path, { signal });
    if (entry.type !== 'directory') return;
    node = entry.node;
  }
  const folder = parts.length === 0 ? new Uint8Array(0) : pathOfParts(parts);
  yield* walkTree(trees, { node, path: folder }, { breather, enters: () => recursive });
}
