import type { DirectoryEntry, Entry, NodeReference } from '../../repo-format/mod.ts';
import { Descent, type TreeReader } from '../trees/mod.ts';
import { joinPath } from './_paths.ts';
import type { Breather } from './interruption.ts';

/** An entry with its path. */
export interface WalkedEntry {
  /** Absolute, raw bytes. */
  readonly path: Uint8Array;
  readonly entry: Entry;
}

/** A folder that is being walked. */
interface OpenFolder {
  readonly path: Uint8Array;
  /** Undefined for the top. */
  readonly entry: DirectoryEntry | undefined;
  readonly leaves: AsyncGenerator<readonly Entry[]>;
  leaf: readonly Entry[];
  index: number;
}

export interface TreeWalkOptions {
  readonly breather: Breather;
  /** Whether to walk what is in a folder; by default all. */
  readonly enters?: (folder: WalkedEntry & { readonly entry: DirectoryEntry }) => boolean;
  /** Told when all of a folder was walked. */
  readonly onLeave?: (folder: WalkedEntry & { readonly entry: DirectoryEntry }) => void;
}

/**
 * Everything below a folder, depth first in the order of names, each folder before what is in it. Memory holds a leaf of nodes for each
 * folder on the way down, however large the folders are.
 */
export async function* walkTree(
  trees: TreeReader,
  top: { readonly node: NodeReference | null; readonly path: Uint8Array },
  { breather, enters = () => true, onLeave }: TreeWalkOptions,
): AsyncGenerator<WalkedEntry> {
  const open: OpenFolder[] = [openFolder(trees, top)];
  const descent = new Descent(top.node);
  for (let folder = open.at(-1); folder !== undefined; folder = open.at(-1)) {
    const entry = folder.leaf[folder.index++];
    if (entry === undefined) {
      await breather.breathe();
      const { value, done } = await folder.leaves.next();
      if (done === true) {
        open.pop();
        descent.leave();
        if (folder.entry !== undefined) onLeave?.({ path: folder.path, entry: folder.entry });
      } else {
        folder.leaf = value;
        folder.index = 0;
      }
      continue;
    }
    const path = joinPath(folder.path, entry.name);
    yield { path, entry };
    if (entry.type !== 'directory' || !enters({ path, entry })) continue;
    descent.enter(entry);
    open.push(openFolder(trees, { node: entry.node, path, entry }));
  }
}

function openFolder(
  trees: TreeReader,
  { node, path, entry }: { node: NodeReference | null; path: Uint8Array; entry?: DirectoryEntry },
): OpenFolder {
  return { path, entry, leaves: trees.entries(node), leaf: [], index: 0 };
}
