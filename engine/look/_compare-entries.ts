/** Whether an entry is what it was: its content, and all else that a user can set. */
import { isDeepStrictEqual } from 'node:util';
import { type Content, type Entry, type Extent, equalBytes, type FileEntry } from '../../repo-format/mod.ts';
import type { TreeReader } from '../trees/mod.ts';

/** For anything but folders, of the same type: whether what is in it is the same. */
export async function hasSameContent(trees: TreeReader, before: Entry, after: Entry): Promise<boolean> {
  if (before.type === 'file' && after.type === 'file') return isSameFile(trees, before, after);
  if (before.type === 'symlink' && after.type === 'symlink') return equalBytes(before.target, after.target);
  if ('major' in before && 'major' in after) return before.major === after.major && before.minor === after.minor;
  return true;
}

/**
 * Whether owner, mode, time of modification, extended attributes and flags are the same. What changes by itself does not count: ctime, inode, device, number of
 * links, times of access and birth.
 */
export function hasSameMetadata(before: Entry, after: Entry): boolean {
  for (const field of ['mode', 'uid', 'gid', 'userName', 'groupName'] as const) if (before[field] !== after[field]) return false;
  if (before.mtime.seconds !== after.mtime.seconds || before.mtime.nanoseconds !== after.mtime.nanoseconds) return false;
  if (before.extensions === after.extensions) return true;
  return isDeepStrictEqual(settable(before), settable(after));
}

function settable({ extensions }: Entry): object {
  const { link: _link, birthTime: _birthTime, accessTime: _accessTime, ...rest } = extensions;
  return rest;
}

async function isSameFile(trees: TreeReader, before: FileEntry, after: FileEntry): Promise<boolean> {
  if (before.size !== after.size) return false;
  if (isSameNodeContent(before.content, after.content)) return true;
  const [left, right] = [joinedExtents(trees, before.content), joinedExtents(trees, after.content)];
  while (true) {
    const [a, b] = [(await left.next()).value, (await right.next()).value];
    if (a === undefined || b === undefined) return a === b;
    if (!isSameExtent(a, b)) return false;
  }
}

function isSameNodeContent(before: Content, after: Content): boolean {
  return before.form === 'node' && after.form === 'node' && equalBytes(before.node.name, after.node.name);
}

/** Holes and stored zeros read the same. */
function isSameExtent(a: Extent, b: Extent): boolean {
  if (a.length !== b.length) return false;
  return a.kind === 'data' && b.kind === 'data' ? equalBytes(a.name, b.name) : a.kind !== 'data' && b.kind !== 'data';
}

/** The extents, holes and zeros that stand side by side joined to one. */
async function* joinedExtents(trees: TreeReader, content: Content): AsyncGenerator<Extent, undefined> {
  let zeros = 0;
  for await (const leaf of trees.extents(content)) {
    for (const extent of leaf) {
      if (extent.kind !== 'data') {
        zeros += extent.length;
        continue;
      }
      if (zeros > 0) yield { kind: 'zeros', length: zeros };
      zeros = 0;
      yield extent;
    }
  }
  if (zeros > 0) yield { kind: 'zeros', length: zeros };
}
