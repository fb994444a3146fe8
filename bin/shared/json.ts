/** Values as `--json` prints them; docs/json-output.md and bin/schemas/ say the same. */
import type { Entry, PathProblem, SnapshotInfo } from './engine.ts';
import { isExact, replaceEscapes, textOfBytes } from './text.ts';
import { formatExactTime } from './times.ts';

/** `{path}`, and `{pathBase64}` with the exact bytes where they are not UTF-8. */
export function pathFields<Name extends string = 'path'>(bytes: Uint8Array, name: Name = 'path' as Name): Record<string, string> {
  const text = textOfBytes(bytes);
  return isExact(text) ? { [name]: text } : { [name]: replaceEscapes(text), [`${name}Base64`]: Buffer.from(bytes).toString('base64') };
}

export function snapshotFields(info: SnapshotInfo): object {
  const { snapshot, heldUntil } = info;
  return {
    id: info.id,
    time: formatExactTime(snapshot.started),
    ended: formatExactTime(snapshot.ended),
    host: snapshot.host,
    user: snapshot.user,
    paths: snapshot.paths.map((path) => pathFields(path)),
    tags: info.tags,
    description: info.description,
    program: snapshot.program,
    parent: snapshot.parent,
    partial: snapshot.partial,
    pinned: heldUntil !== undefined,
    ...(heldUntil && { pinnedUntil: formatExactTime(heldUntil) }),
    statistics: snapshot.statistics,
  };
}

export function entryFields(entry: Entry): object {
  return {
    kind: entry.type,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    user: entry.userName,
    group: entry.groupName,
    mtime: formatExactTime(entry.mtime),
    ctime: formatExactTime(entry.ctime),
    inode: Number(entry.inode),
    ...typeFields(entry),
    ...extensionFields(entry),
  };
}

export function problemFields(problem: PathProblem): object {
  const { path, code, message, object } = problem;
  return { ...pathFields(path), code, message, ...(object !== undefined && { object }) };
}

function typeFields(entry: Entry): object {
  switch (entry.type) {
    case 'file':
      return { sizeBytes: entry.size };
    case 'directory':
      return { filesBelow: entry.filesBelow, bytesBelow: entry.bytesBelow };
    case 'symlink':
      return pathFields(entry.target, 'target');
    case 'character-device':
    case 'block-device':
      return { major: entry.major, minor: entry.minor };
    default:
      return {};
  }
}

function extensionFields({ extensions }: Entry): object {
  const { xattrs, link, flags, birthTime, projectId, readError } = extensions;
  return {
    ...(xattrs && {
      xattrs: xattrs.map(({ name, value }) => ({ ...pathFields(name, 'name'), valueBase64: Buffer.from(value).toString('base64') })),
    }),
    ...(link && { linkCount: link.count }),
    ...(flags !== undefined && { flags }),
    ...(birthTime && { birthTime: formatExactTime(birthTime) }),
    ...(projectId !== undefined && { projectId }),
    ...(readError && { readError }),
  };
}
