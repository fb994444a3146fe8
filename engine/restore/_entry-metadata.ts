import type { Entry } from '../../repo-format/mod.ts';
import { groupId, type Metadata, userId } from '../system/mod.ts';

/** Who an entry is to belong to on this machine: by name where it knows the name, else by number. */
export function ownerOf(entry: Entry, numericOwner: boolean): { uid: number; gid: number } {
  const { uid, gid, userName, groupName } = entry;
  if (numericOwner) return { uid, gid };
  return { uid: (userName === '' ? undefined : userId(userName)) ?? uid, gid: (groupName === '' ? undefined : groupId(groupName)) ?? gid };
}

/** All that an entry has beside its content; `withoutFlags`: flags are set later, because they may forbid what still has to be done. */
export function metadataOf(entry: Entry, owner: { uid: number; gid: number }, { withoutFlags }: { withoutFlags: boolean }): Metadata {
  const { extensions } = entry;
  return {
    type: entry.type,
    uid: owner.uid,
    gid: owner.gid,
    mode: entry.mode,
    modified: entry.mtime,
    accessed: extensions.accessTime,
    extendedAttributes: extensions.xattrs,
    flags: withoutFlags ? undefined : (extensions.flags ?? 0),
    projectId: extensions.projectId ?? 0,
  };
}
