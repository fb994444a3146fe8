/**
 * Names of the objects in the store. The first part is the role that may write them; an object counts only under
 * its role's names. Source: spec/README.md, "Object names".
 */
import { createHash } from 'node:crypto';
import { idToBytes, isCollectorPack, type ObjectId, type PackId, type SessionId, type SnapshotId } from './ids.ts';

export type Grants = 'full' | 'metadata';

/** Every name that the format knows. Numbers must be unsigned and fit their field. */
export const objectNames = {
  format: 'owner/format',
  configuration: (number: number): string => `owner/config/${hex(number, 8)}`,
  keySlot: (id: ObjectId): string => `owner/keys/${id}`,
  keyring: (number: number, grants: Grants): string => `owner/keyring/${hex(number, 8)}-${grants}`,
  hold: (id: ObjectId): string => `owner/holds/${id}`,
  deletionMark: (id: ObjectId): string => `owner/deletions/${id}`,
  annotation: (snapshot: SnapshotId, number: number): string => `owner/annotations/${snapshot}/${hex(number, 8)}`,
  /** The pack's id says whether a writer or the collector made it. */
  pack: (id: PackId): string => `${isCollectorPack(id) ? 'collector' : 'writer'}/packs/${id.slice(0, 2)}/${id}`,
  /** The table of the checkpoints `from` to `to` of a session. */
  sessionIndex: (generation: number, session: SessionId, from: number, to: number): string =>
    `writer/index/${hex(generation, 16)}/${session}.${hex(from, 8)}-${hex(to, 8)}`,
  snapshot: (generation: number, session: SessionId): string => `writer/snapshots/${hex(generation, 16)}/${session}`,
  checkpoint: (generation: number, session: SessionId, number: number): string =>
    `writer/checkpoints/${hex(generation, 16)}/${session}.${hex(number, 8)}`,
  damageReport: (id: ObjectId): string => `writer/reports/${id}`,
  verification: (id: ObjectId): string => `writer/verified/${id}`,
  root: (number: number): string => `collector/roots/${hex(number, 16)}`,
  baseIndex: (id: ObjectId): string => `collector/index/${id}`,
  catalogue: (id: ObjectId): string => `collector/catalogue/${id}`,
  lostList: (id: ObjectId): string => `collector/lost/${id}`,
} as const;

/** What to list to find all objects of a kind; packs lie below two prefixes. */
export const objectPrefixes = {
  configurations: 'owner/config/',
  keySlots: 'owner/keys/',
  keyrings: 'owner/keyring/',
  holds: 'owner/holds/',
  deletionMarks: 'owner/deletions/',
  annotations: 'owner/annotations/',
  writerPacks: 'writer/packs/',
  sessionIndexes: 'writer/index/',
  snapshots: 'writer/snapshots/',
  checkpoints: 'writer/checkpoints/',
  damageReports: 'writer/reports/',
  verifications: 'writer/verified/',
  roots: 'collector/roots/',
  baseIndexes: 'collector/index/',
  catalogues: 'collector/catalogue/',
  lostLists: 'collector/lost/',
  collectorPacks: 'collector/packs/',
} as const;

/** Objects that have an id alone. */
type RecordNameType = 'hold' | 'deletion-mark' | 'damage-report' | 'verification' | 'base-index' | 'catalogue' | 'lost-list';

export type ObjectName =
  | { readonly type: 'format' }
  | { readonly type: 'configuration'; readonly number: number }
  | { readonly type: 'key-slot'; readonly id: ObjectId }
  | { readonly type: 'keyring'; readonly number: number; readonly grants: Grants }
  | { readonly type: RecordNameType; readonly id: ObjectId }
  | { readonly type: 'annotation'; readonly snapshot: SnapshotId; readonly number: number }
  | { readonly type: 'pack'; readonly id: PackId; readonly role: 'writer' | 'collector' }
  | { readonly type: 'session-index'; readonly generation: number; readonly session: SessionId; readonly from: number; readonly to: number }
  | { readonly type: 'snapshot'; readonly generation: number; readonly session: SessionId }
  | { readonly type: 'checkpoint'; readonly generation: number; readonly session: SessionId; readonly number: number }
  | { readonly type: 'root'; readonly number: number };

/** What `name` names, or null if it is no name of this format (other objects in the store are left alone). */
export function parseObjectName(name: string): ObjectName | null {
  if (name === objectNames.format) return { type: 'format' };
  for (const [pattern, parse] of patterns) {
    const match = pattern.exec(name);
    if (match === null) continue;
    const parsed = parse(match.groups as Record<string, string>);
    if (parsed !== null) return parsed;
  }
  return null;
}

/**
 * The object id in the header of a sealed object: the id at the end of its name, or, for a name that does not end in
 * an id, the first 16 bytes of the name's SHA-256. So nothing sealed can be passed off under another name.
 */
export function objectIdOf(name: string): Uint8Array {
  const last = name.slice(name.lastIndexOf('/') + 1);
  if (/^[0-9a-f]{32}$/.test(last)) return idToBytes(last);
  return new Uint8Array(createHash('sha256').update(name).digest().subarray(0, 16));
}

type Groups = Record<string, string>;
type Parse = (groups: Groups) => ObjectName | null;

const id = '(?<id>[0-9a-f]{32})';
const session = '(?<session>[0-9a-f]{32})';
const generation = '(?<generation>[0-9a-f]{16})';
const number8 = '(?<number>[0-9a-f]{8})';

const patterns: readonly (readonly [RegExp, Parse])[] = [
  [name(`writer/packs/(?<prefix>[0-9a-f]{2})/${id}`), (groups) => parsePack(groups, 'writer')],
  [name(`collector/packs/(?<prefix>[0-9a-f]{2})/${id}`), (groups) => parsePack(groups, 'collector')],
  [name(`writer/index/${generation}/${session}\\.(?<from>[0-9a-f]{8})-(?<to>[0-9a-f]{8})`), parseSessionIndex],
  [name(`writer/snapshots/${generation}/${session}`), parseSnapshot],
  [name(`writer/checkpoints/${generation}/${session}\\.${number8}`), parseCheckpoint],
  [name(`writer/reports/${id}`), withId('damage-report')],
  [name(`writer/verified/${id}`), withId('verification')],
  [name(`collector/roots/(?<number>[0-9a-f]{16})`), parseRoot],
  [name(`collector/index/${id}`), withId('base-index')],
  [name(`collector/catalogue/${id}`), withId('catalogue')],
  [name(`collector/lost/${id}`), withId('lost-list')],
  [name(`owner/config/${number8}`), ({ number }) => ({ type: 'configuration', number: parseHex(number!) })],
  [name(`owner/keys/${id}`), withId('key-slot')],
  [name(`owner/keyring/${number8}-(?<grants>full|metadata)`), parseKeyring],
  [name(`owner/holds/${id}`), withId('hold')],
  [name(`owner/deletions/${id}`), withId('deletion-mark')],
  [name(`owner/annotations/${session}/${number8}`), parseAnnotation],
];

function name(pattern: string): RegExp {
  return new RegExp(`^${pattern}$`);
}

function withId(type: 'key-slot' | RecordNameType): Parse {
  return (groups) => ({ type, id: groups.id as ObjectId });
}

function parsePack(groups: Groups, role: 'writer' | 'collector'): ObjectName | null {
  const packId = groups.id as PackId;
  const right = packId.startsWith(groups.prefix!) && isCollectorPack(packId) === (role === 'collector');
  return right ? { type: 'pack', id: packId, role } : null;
}

function parseSessionIndex(groups: Groups): ObjectName | null {
  const [from, to] = [parseHex(groups.from!), parseHex(groups.to!)];
  const parsed = parseSnapshot(groups);
  return parsed === null || from > to ? null : { ...parsed, type: 'session-index', from, to };
}

function parseSnapshot(groups: Groups): { type: 'snapshot'; generation: number; session: SessionId } | null {
  const value = parseHex(groups.generation!);
  return Number.isSafeInteger(value) ? { type: 'snapshot', generation: value, session: groups.session as SessionId } : null;
}

function parseCheckpoint(groups: Groups): ObjectName | null {
  const parsed = parseSnapshot(groups);
  return parsed === null ? null : { ...parsed, type: 'checkpoint', number: parseHex(groups.number!) };
}

function parseRoot(groups: Groups): ObjectName | null {
  const number = parseHex(groups.number!);
  return Number.isSafeInteger(number) ? { type: 'root', number } : null;
}

function parseKeyring(groups: Groups): ObjectName {
  return { type: 'keyring', number: parseHex(groups.number!), grants: groups.grants as Grants };
}

function parseAnnotation(groups: Groups): ObjectName {
  return { type: 'annotation', snapshot: groups.session as SnapshotId, number: parseHex(groups.number!) };
}

function hex(value: number, digits: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`a number in a name must be an unsigned integer, got ${value}`);
  const text = value.toString(16).padStart(digits, '0');
  if (text.length > digits) throw new RangeError(`${value} does not fit into ${digits} hex digits`);
  return text;
}

function parseHex(text: string): number {
  return Number.parseInt(text, 16);
}
