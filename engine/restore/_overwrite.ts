import type { Entry } from '../../repo-format/mod.ts';
import type { FileStatus } from '../system/mod.ts';
import type { OverwritePolicy } from './options.ts';

/** `same`: nothing to do; `metadata`: the content is right, owner or mode are not; `keep`: another thing that stays. */
export type Decision = 'replace' | 'metadata' | 'same' | 'keep';

/**
 * What to do with an entry where something exists already, as `status` says. `readTarget` reads the link that is there. `owner`: who the entry is to belong to here.
 */
export function decide(
  policy: OverwritePolicy,
  entry: Entry,
  existing: { status: FileStatus; owner: { uid: number; gid: number }; readTarget: () => Uint8Array },
): Decision {
  const { status, owner } = existing;
  if (policy === 'never') return 'keep';
  if (policy === 'always') return 'replace';
  if (policy === 'if-newer') return isNewer(entry, status) ? 'replace' : 'keep';
  if (!hasSameContent(entry, status, existing.readTarget)) return 'replace';
  const hasMode = entry.type === 'symlink' || status.mode === entry.mode;
  return hasMode && status.uid === owner.uid && status.gid === owner.gid ? 'same' : 'metadata';
}

/** Whether the snapshot's is newer than what exists. */
export function isNewer({ mtime }: Entry, status: FileStatus): boolean {
  if (mtime.seconds !== status.modifiedSeconds) return mtime.seconds > status.modifiedSeconds;
  return mtime.nanoseconds > status.modifiedNanoseconds;
}

/** By type, size and mtime: times are restored last, so what has the right ones is whole. */
function hasSameContent(entry: Entry, status: FileStatus, readTarget: () => Uint8Array): boolean {
  const { mtime } = entry;
  if (entry.type !== status.type || mtime.seconds !== status.modifiedSeconds || mtime.nanoseconds !== status.modifiedNanoseconds)
    return false;
  switch (entry.type) {
    case 'file':
      return entry.size === status.size;
    case 'symlink':
      return Buffer.compare(entry.target, readTarget()) === 0;
    case 'character-device':
    case 'block-device':
      return entry.major === status.deviceMajor && entry.minor === status.deviceMinor;
    default:
      return true;
  }
}
