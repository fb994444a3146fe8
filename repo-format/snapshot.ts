/**
 * Snapshots (the commits of sessions) and checkpoints (the same, hidden and partial). Source: spec/snapshot.md.
 */
import { Field } from './_fields.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';
import type { NodeReference, Time } from './entry.ts';
import { LaganError } from './errors.ts';
import { idToBytes, NAME_SIZE_BYTES, type PackId, type SessionId, type SnapshotId } from './ids.ts';
import { limits } from './limits.ts';
import { parseObjectName } from './object-names.ts';

export interface SnapshotStatistics {
  readonly files: number;
  readonly directories: number;
  /** Links, devices, pipes and sockets. */
  readonly others: number;
  /** Sum of the sizes of all files. */
  readonly bytes: number;
  /** Bytes that no earlier snapshot had. */
  readonly newBytes: number;
  /** What they take in the store. */
  readonly storedBytes: number;
  readonly chunks: number;
  readonly newChunks: number;
  readonly errors: number;
}

export interface SnapshotError {
  readonly path: Uint8Array;
  readonly code: string;
  readonly message: string;
}

export interface PackListReference extends NodeReference {
  readonly height: number;
  /** Packs in the list. */
  readonly count: number;
}

export interface Snapshot {
  readonly session: SessionId;
  /** Generation of the root when the session began; also in the object's name. */
  readonly generation: number;
  readonly started: Time;
  readonly ended: Time;
  readonly host: string;
  readonly user: string;
  /** As given, raw bytes. */
  readonly paths: readonly Uint8Array[];
  readonly tags: readonly string[];
  readonly description: string;
  readonly program: string;
  /** Root directory; null if there is no entry at all. */
  readonly tree: NodeReference | null;
  /** Root of the list of all packs that the tree relies on; null without a tree. */
  readonly packs: PackListReference | null;
  /** The packs that hold the list itself. */
  readonly listPacks: readonly PackId[];
  readonly parent: SnapshotId | null;
  /** What identifies the source, so that the next backup finds its parent. */
  readonly source: string;
  readonly partial: boolean;
  readonly statistics: SnapshotStatistics;
  readonly errors: readonly SnapshotError[];
  readonly extensions: Readonly<Record<string, unknown>>;
}

const VERSION = 1;
const statisticsFields = [
  'files',
  'directories',
  'others',
  'bytes',
  'newBytes',
  'storedBytes',
  'chunks',
  'newChunks',
  'errors',
] as const satisfies readonly (keyof SnapshotStatistics)[];

export function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  return encodeCbor({
    ...snapshot,
    version: VERSION,
    session: idToBytes(snapshot.session),
    started: encodeTime(snapshot.started),
    ended: encodeTime(snapshot.ended),
    tree: snapshot.tree === null ? null : encodeReference(snapshot.tree),
    packs: snapshot.packs === null ? null : { ...snapshot.packs, pack: idToBytes(snapshot.packs.pack) },
    listPacks: snapshot.listPacks.map(idToBytes),
    parent: snapshot.parent === null ? null : idToBytes(snapshot.parent),
    errors: snapshot.errors.slice(0, limits.errorsPerSnapshot),
  });
}

/** Reads the payload of a snapshot or checkpoint. Session and generation must be those of the object's name. */
export function decodeSnapshot(payload: Uint8Array, objectName?: string): Snapshot {
  const root = Field.root(decodeCbor(payload, { objectName }));
  root.at('version').version(VERSION);
  const snapshot: Snapshot = {
    session: root.at('session').id<SessionId>(),
    generation: root.at('generation').uint(),
    started: root.at('started').time(),
    ended: root.at('ended').time(),
    host: root.at('host').text(),
    user: root.at('user').text(),
    paths: root.at('paths').list(limits.pathsPerSnapshot, (path) => path.byteString(limits.pathSizeBytes)),
    tags: root.at('tags').list(limits.tagsPerSnapshot, (tag) => tag.text()),
    description: root.at('description').text(),
    program: root.at('program').text(),
    tree: root.at('tree').orNull(readReference),
    packs: root.at('packs').orNull(readPackList),
    listPacks: root.at('listPacks').list(limits.listPacksPerSnapshot, (id) => id.id<PackId>()),
    parent: root.at('parent').orNull((id) => id.id<SnapshotId>()),
    source: root.at('source').text(),
    partial: root.at('partial').boolean(),
    statistics: readStatistics(root.at('statistics')),
    errors: root.at('errors').list(limits.errorsPerSnapshot, readError),
    extensions: readExtensions(root.at('extensions')),
  };
  if ((snapshot.tree === null) !== (snapshot.packs === null)) throw root.at('packs').wrong('a pack list if and only if there is a tree');
  expectName(snapshot, objectName);
  return snapshot;
}

function encodeTime({ seconds, nanoseconds }: Time): [number, number] {
  return [seconds, nanoseconds];
}

function encodeReference({ pack, name }: NodeReference): unknown {
  return { pack: idToBytes(pack), name };
}

function readReference(field: Field): NodeReference {
  return { pack: field.at('pack').id<PackId>(), name: field.at('name').bytes(NAME_SIZE_BYTES) };
}

function readPackList(field: Field): PackListReference {
  return {
    ...readReference(field),
    height: field.at('height').uint(limits.nodeHeight),
    count: field.at('count').uint(),
  };
}

function readStatistics(field: Field): SnapshotStatistics {
  return Object.fromEntries(statisticsFields.map((name) => [name, field.at(name).uint()])) as unknown as SnapshotStatistics;
}

function readError(field: Field): SnapshotError {
  return { path: field.at('path').byteString(limits.pathSizeBytes), code: field.at('code').text(), message: field.at('message').text() };
}

function readExtensions(field: Field): Record<string, unknown> {
  return Object.fromEntries(field.keys().map((key) => [key, field.at(key).raw()]));
}

function expectName({ session, generation }: Snapshot, objectName: string | undefined): void {
  const name = objectName === undefined ? null : parseObjectName(objectName);
  if (name === null || (name.type !== 'snapshot' && name.type !== 'checkpoint')) return;
  if (name.session === session && name.generation === generation) return;
  throw new LaganError('name-mismatch', `${objectName}: the snapshot is of session ${session}, generation ${generation}`, {
    object: objectName,
    offset: 0,
    expected: `${name.session}, generation ${name.generation}`,
    found: `${session}, generation ${generation}`,
  });
}
