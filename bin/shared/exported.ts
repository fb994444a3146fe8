/** What an exported archive says of its snapshot: a comment in front of all entries, as JSON. */
import type { ImportedFrom, SnapshotInfo, Time } from './engine.ts';
import { LaganError } from './errors.ts';
import type { BackupFacts } from './imports.ts';

/** Of the snapshot that an archive was made of. */
export interface ExportedSnapshot extends BackupFacts {
  readonly from: ImportedFrom;
}

const intro = 'lagan snapshot ';
const version = 1;

/** `start`: the part of the snapshot that is exported; `/` if all of it is. */
export function archiveComment(repository: string, info: SnapshotInfo, start: Uint8Array): string {
  const { snapshot, tags, description } = info;
  const isWhole = start.length === 1;
  const paths = (isWhole ? snapshot.paths : [start]).map((path) => Buffer.from(path).toString('base64'));
  const { started, ended, host, user } = snapshot;
  const part = isWhole ? {} : { part: Buffer.from(start).toString('base64') };
  return intro + JSON.stringify({ version, repository, snapshot: info.id, ...part, started, ended, host, user, paths, tags, description });
}

/** What the comment says; undefined if it is not one of ours. Code: repository-too-new, malformed. */
export function readArchiveComment(comment: string): ExportedSnapshot | undefined {
  if (!comment.startsWith(intro)) return undefined;
  const fields = parse(comment.slice(intro.length));
  const { repository, snapshot, part, started, ended, host, user, paths, tags, description } = fields;
  const from = { program: 'lagan', repository, snapshot: part === undefined ? snapshot : `${snapshot}:${part}` };
  return { from, started, ended, host, user, paths: paths.map((path) => Buffer.from(path, 'base64')), tags, description };
}

interface CommentFields extends Omit<BackupFacts, 'paths'> {
  readonly repository: string;
  readonly snapshot: string;
  readonly part?: string;
  /** Of bytes, in base64. */
  readonly paths: readonly string[];
}

function parse(json: string): CommentFields {
  let fields: unknown;
  try {
    fields = JSON.parse(json);
  } catch {
    throw new LaganError('malformed', 'what the archive says of its snapshot is damaged');
  }
  const found = (fields as { version?: unknown } | null)?.version;
  if (typeof found === 'number' && found > version)
    throw new LaganError('repository-too-new', 'the archive was made by a newer version of Lagan', { expected: version, found });
  if (isComment(fields)) return fields;
  throw new LaganError('malformed', 'what the archive says of its snapshot is damaged');
}

function isComment(value: unknown): value is CommentFields {
  const fields = value as Record<string, unknown> | null;
  if (typeof fields !== 'object' || fields === null) return false;
  const texts = [fields.repository, fields.snapshot, fields.host, fields.user, fields.description, fields.part ?? ''];
  const lists = [fields.paths, fields.tags];
  return (
    texts.every((text) => typeof text === 'string') &&
    lists.every((list) => Array.isArray(list) && list.every((text) => typeof text === 'string')) &&
    [fields.started, fields.ended].every(isTime)
  );
}

function isTime(value: unknown): value is Time {
  const { seconds, nanoseconds } = (value ?? {}) as Partial<Record<keyof Time, unknown>>;
  return Number.isSafeInteger(seconds) && Number.isInteger(nanoseconds) && Number(nanoseconds) >= 0 && Number(nanoseconds) < 1_000_000_000;
}
