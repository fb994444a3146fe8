/** What can be seen of an object without a key, and with one. */
import {
  decodePackContents,
  footerLayout,
  LaganError,
  type ObjectKind,
  type ObjectName,
  objectIdOf,
  openObject,
  parseSealedFooter,
  parseSealedHeader,
  sealedLayout,
} from '../../repo-format/mod.ts';
import { openSegmentedObject, readSegment } from '../objects/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { Storage } from '../storage/mod.ts';
import type { ObjectType } from './_stages.ts';

/** Types of one kind; packs have two, and what is not here is clear. */
const kinds: Readonly<Partial<Record<ObjectType, ObjectKind>>> = {
  configuration: 'configuration',
  hold: 'hold',
  'deletion-mark': 'deletion-mark',
  annotation: 'annotation',
  'session-index': 'index-table',
  snapshot: 'snapshot',
  checkpoint: 'checkpoint',
  'damage-report': 'damage-report',
  root: 'root',
  'base-index': 'index-table',
  catalogue: 'catalogue',
  'lost-list': 'lost-list',
};

/** Whether an object has many segments, with contents and a footer at its end. */
export function isSegmented({ type }: ObjectName): boolean {
  return type === 'pack' || type === 'session-index' || type === 'base-index';
}

/**
 * Looks at the first and the last bytes of an object: it is of this repository, of the kind and the name that it should be, and ends where it should. Codes: malformed, name-mismatch,
 * repository-too-new.
 */
export function checkEnds(
  { name, parsed, sizeBytes }: { name: string; parsed: ObjectName; sizeBytes: number },
  { repositoryId, first, last }: { repositoryId: Uint8Array; first: Uint8Array; last: Uint8Array },
): void {
  const kind = kindOf(parsed);
  if (kind === undefined) return;
  const header = parseSealedHeader(first, { ...(kind !== 'any pack' && { kind }), repositoryId, objectId: objectIdOf(name) }, name);
  if (kind === 'any pack' && header.kind !== 'pack' && header.kind !== 'metadata-pack')
    throw new LaganError('malformed', `${name} is no pack`, { object: name, expected: 'a pack', found: header.kind });
  if (isSegmented(parsed)) parseSealedFooter(last.subarray(-footerLayout.sizeBytes), { fileSizeBytes: sizeBytes, objectName: name });
}

/** Bytes of an object's beginning, and of its end, that {@link checkEnds} needs. */
export const headSizeBytes = sealedLayout.headerSizeBytes;
export const tailSizeBytes = footerLayout.sizeBytes;

/** Opens a small sealed object. Clear ones are left alone. Codes: malformed, authentication-failed, name-mismatch. */
export function openSmall({ name, parsed }: { name: string; parsed: ObjectName }, bytes: Uint8Array, { keys }: Repository): void {
  const kind = kindOf(parsed);
  if (kind === undefined || kind === 'any pack' || isSegmented(parsed)) return;
  const classKeyOf = (epoch: number) => keys.classKey(kind, epoch);
  openObject(bytes, { kind, repositoryId: keys.repositoryId, objectId: objectIdOf(name), classKeyOf, objectName: name });
}

/**
 * Opens the contents of a pack or an index table as a store has it; `whole`: and every block of a pack. Codes: not-found, malformed, authentication-failed.
 */
export async function openStored(
  storage: Storage,
  { name, parsed }: { name: string; parsed: ObjectName },
  { repository, whole, signal }: { repository: Repository; whole: boolean; signal: AbortSignal | undefined },
): Promise<void> {
  const { keys } = repository;
  const kind = parsed.type === 'pack' ? await packKindOf(storage, name, signal) : 'index-table';
  const { object, contents } = await openSegmentedObject(storage, { name, kind, keys, ...(signal && { signal }) });
  if (!whole || kind === 'index-table') return;
  const blocks = decodePackContents(contents, name, { kind });
  for (const [number, place] of blocks.entries()) await readSegment(storage, object, { number, place, ...(signal && { signal }) });
}

async function packKindOf(storage: Storage, name: string, signal: AbortSignal | undefined): Promise<'pack' | 'metadata-pack'> {
  const header = parseSealedHeader(await storage.get(name, { offset: 0, length: headSizeBytes }, { signal }), {}, name);
  return header.kind === 'metadata-pack' ? 'metadata-pack' : 'pack';
}

function kindOf({ type }: ObjectName): ObjectKind | 'any pack' | undefined {
  return type === 'pack' ? 'any pack' : kinds[type];
}
