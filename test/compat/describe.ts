/** What a manifest says of a snapshot, and how it is made of one. */
import { createHash } from 'node:crypto';
import {
  type Entry,
  isHolding,
  isLaganError,
  listHolds,
  openFile,
  type Repository,
  type SnapshotInfo,
  walkSnapshot,
} from '../../engine/mod.ts';

export interface DescribedEntry {
  /** Base64 of the raw bytes. */
  readonly path: string;
  readonly type: Entry['type'];
  /** All that a reader must find, as text: numbers, times, attributes. */
  readonly metadata: readonly string[];
  /** SHA-256 of the content, of a file; and its stretches of data. Null: it is lost. */
  readonly content?: { readonly sha256: string; readonly data: readonly (readonly [start: number, end: number])[] } | null;
}

export interface DescribedSnapshot {
  readonly id: string;
  readonly host: string;
  readonly user: string;
  readonly time: number;
  readonly paths: readonly string[];
  readonly tags: readonly string[];
  readonly description: string;
  readonly deleted: boolean;
  readonly held: boolean;
  readonly entries: readonly DescribedEntry[];
}

export interface Manifest {
  readonly madeBy: string;
  readonly repository: string;
  readonly snapshots: readonly DescribedSnapshot[];
  /** What check finds, all data read. */
  readonly damage: readonly string[];
}

/** Of all findings, in order. */
export function codesOf(findings: readonly { readonly code: string }[]): string[] {
  return findings.map(({ code }) => code).sort();
}

/** `contents`: `read` them, or leave them `out`, as a key for metadata alone must. */
export async function describeSnapshot(
  repository: Repository,
  info: SnapshotInfo,
  { contents = 'read' }: { contents?: 'read' | 'out' } = {},
): Promise<DescribedSnapshot> {
  const entries: DescribedEntry[] = [];
  for await (const { path, entry } of walkSnapshot(repository, info, { recursive: true })) {
    const content = entry.type === 'file' && contents === 'read' ? await describeContent(repository, entry) : undefined;
    entries.push({ path: base64(path), type: entry.type, metadata: describeMetadata(entry), ...(content !== undefined && { content }) });
  }
  const now = { seconds: Math.floor(Date.now() / 1000), nanoseconds: 0 };
  const holds = (await listHolds(repository)).filter(({ value }) => isHolding(value, now));
  const { host, user, started, paths } = info.snapshot;
  return {
    id: info.id,
    host,
    user,
    time: started.seconds,
    paths: paths.map(base64),
    tags: info.tags,
    description: info.description,
    deleted: info.deleted,
    held: holds.some(({ value }) => value.snapshots.includes(info.id)),
    entries,
  };
}

async function describeContent(repository: Repository, entry: Entry): Promise<DescribedEntry['content']> {
  const file = openFile(repository, entry);
  const hash = createHash('sha256');
  try {
    for await (const bytes of file.stream()) hash.update(bytes);
  } catch (error) {
    if (isLaganError(error, 'pack-missing')) return null;
    throw error;
  }
  const data: [number, number][] = [];
  for await (const { kind, start, end } of file.stretches()) if (kind === 'data') data.push([start, end]);
  return { sha256: hash.digest('hex'), data };
}

function describeMetadata(entry: Entry): string[] {
  const { mode, uid, gid, userName, groupName, mtime, ctime, inode, extensions } = entry;
  const { xattrs = [], link, flags, birthTime, projectId, readError, accessTime, unknown = [] } = extensions;
  const time = ({ seconds, nanoseconds }: { seconds: number; nanoseconds: number }) => `${seconds}.${nanoseconds}`;
  return [
    `mode ${mode.toString(8)}`,
    `owner ${uid}:${gid} ${userName}:${groupName}`,
    `mtime ${time(mtime)} ctime ${time(ctime)}`,
    `inode ${inode}`,
    ...xattrs.map(({ name, value }) => `xattr ${base64(name)} ${base64(value)}`),
    ...(link ? [`link ${link.count} ${link.device}`] : []),
    ...(flags !== undefined ? [`flags ${flags}`] : []),
    ...(birthTime ? [`birth ${time(birthTime)}`] : []),
    ...(projectId !== undefined ? [`project ${projectId}`] : []),
    ...(readError ? [`read error ${readError.code} ${readError.message}`] : []),
    ...(accessTime ? [`atime ${time(accessTime)}`] : []),
    ...unknown.map(({ type, value }) => `extension ${type} ${base64(value)}`),
    ...(entry.type === 'file' ? [`size ${entry.size}`] : []),
    ...(entry.type === 'directory' ? [`below ${entry.filesBelow} ${entry.bytesBelow}`] : []),
    ...(entry.type === 'symlink' ? [`target ${base64(entry.target)}`] : []),
    ...('major' in entry ? [`device ${entry.major}:${entry.minor}`] : []),
  ];
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
