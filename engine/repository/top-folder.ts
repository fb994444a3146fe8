import { isDeepStrictEqual } from 'node:util';
import { type DirectoryEntry, decodeNode, encodeNode, isLaganError, type Snapshot } from '../../repo-format/mod.ts';

/** The key of a snapshot's extension that says what `/` itself is like, where all of it was backed up. Source: spec/snapshot.md. */
const topKey = 'top';

/** The name that the folder has there: an entry must have one. */
const topName = new TextEncoder().encode('top');

/** What is said of the folder: its own metadata. */
type TopFolder = Omit<DirectoryEntry, 'name' | 'type' | 'node' | 'filesBelow' | 'bytesBelow'>;

/** The extension of a snapshot of all that is below `/`. */
export function topFolderExtension(entry: TopFolder): Snapshot['extensions'] {
  const item: DirectoryEntry = { ...entry, name: topName, type: 'directory', node: null, filesBelow: 0, bytesBelow: 0 };
  return { [topKey]: encodeNode({ kind: 'directory', height: 0, items: [item] }) };
}

/** What `/` itself was like; undefined if only some of what is in it was backed up, or if it cannot be understood. Its `node` says nothing. */
export function topFolderOf({ extensions }: Pick<Snapshot, 'extensions'>): DirectoryEntry | undefined {
  const bytes = extensions[topKey];
  if (!(bytes instanceof Uint8Array)) return undefined;
  try {
    const node = decodeNode(bytes);
    if (node.kind !== 'directory' || !node.leaf || node.items.length !== 1) return undefined;
    const [entry] = node.items;
    return entry?.type === 'directory' ? entry : undefined;
  } catch (error) {
    if (isLaganError(error)) return undefined;
    throw error;
  }
}

/** Whether a snapshot says the same of `/`, but for when it was last read. */
export function isSameTopFolder(entry: TopFolder | undefined, snapshot: Pick<Snapshot, 'extensions'>): boolean {
  const before = topFolderOf(snapshot);
  if (entry === undefined || before === undefined) return entry === before;
  return isDeepStrictEqual(topFolderOf({ extensions: topFolderExtension(withoutAccess(entry)) }), withoutAccess(before));
}

function withoutAccess<Entry extends TopFolder>(entry: Entry): Entry {
  const { accessTime: _, ...extensions } = entry.extensions;
  return { ...entry, extensions };
}
