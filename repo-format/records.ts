/**
 * The small records: holds, deletion marks, annotations, damage reports, verifications, catalogues, and lists of lost, condemned or
 * doomed things. Source: spec/records.md.
 */
import { Field } from './_fields.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';
import type { Time } from './entry.ts';
import { LaganError } from './errors.ts';
import { idToBytes, NAME_SIZE_BYTES, type PackId, type SessionId, type SnapshotId } from './ids.ts';
import { limits } from './limits.ts';

/** Snapshots that must not be deleted. */
export interface Hold {
  readonly snapshots: readonly SnapshotId[];
  /** Null: until the hold is removed. */
  readonly until: Time | null;
  readonly reason: string;
}

/** Snapshots that are to be deleted. */
export interface DeletionMark {
  readonly snapshots: readonly SnapshotId[];
  readonly time: Time;
  readonly reason: string;
}

/** Replaces tags and description of a snapshot; null leaves what the snapshot says. */
export interface Annotation {
  readonly tags: readonly string[] | null;
  readonly description: string | null;
  readonly time: Time;
}

export interface DamageFinding {
  /** Name of the damaged object. */
  readonly object: string;
  readonly pack: PackId | null;
  readonly chunks: readonly Uint8Array[];
  /** An error code. */
  readonly kind: string;
}

export interface DamageReport {
  readonly time: Time;
  readonly host: string;
  readonly findings: readonly DamageFinding[];
}

/** Packs that were read whole, and were found good. */
export interface Verification {
  readonly time: Time;
  readonly host: string;
  readonly packs: readonly PackId[];
}

export interface CatalogueEntry {
  readonly id: SnapshotId;
  readonly generation: number;
  /** The stored snapshot, so that one read lists all; empty: read the object itself. */
  readonly object: Uint8Array;
}

/** A checkpoint below the root's floor whose packs are kept; its object stays where it is. */
export interface CatalogueCheckpoint {
  readonly session: SessionId;
  readonly generation: number;
  readonly number: number;
}

/** The snapshots below the root's floor that stand, and the checkpoints of sessions that have not ended. */
export interface Catalogue {
  readonly snapshots: readonly CatalogueEntry[];
  readonly checkpoints: readonly CatalogueCheckpoint[];
}

/** A snapshot, or a checkpoint by its number. */
export interface MarkedSession {
  readonly session: SessionId;
  /** Null: the snapshot. */
  readonly number: number | null;
}

/** Chunks and packs, such as those that are lost. */
export interface LostList {
  readonly chunks: readonly Uint8Array[];
  readonly packs: readonly PackId[];
  /** Of condemned packs: all that these need of the packs that were replaced is in the replacements. */
  readonly marked: readonly MarkedSession[];
  /** Of lost packs: how many of `chunks` were in each of `packs`, in the same order. Empty: it is not said. */
  readonly counts: readonly number[];
}

export function encodeHold({ snapshots, until, reason }: Hold): Uint8Array {
  return encodeRecord({ snapshots: snapshots.map(idToBytes), until: until === null ? null : encodeTime(until), reason });
}

export function decodeHold(payload: Uint8Array, objectName?: string): Hold {
  const root = readRecord(payload, objectName);
  return { snapshots: readSnapshots(root), until: root.at('until').orNull((field) => field.time()), reason: root.at('reason').text() };
}

export function encodeDeletionMark({ snapshots, time, reason }: DeletionMark): Uint8Array {
  return encodeRecord({ snapshots: snapshots.map(idToBytes), time: encodeTime(time), reason });
}

export function decodeDeletionMark(payload: Uint8Array, objectName?: string): DeletionMark {
  const root = readRecord(payload, objectName);
  return { snapshots: readSnapshots(root), time: root.at('time').time(), reason: root.at('reason').text() };
}

export function encodeAnnotation({ tags, description, time }: Annotation): Uint8Array {
  return encodeRecord({ tags, description, time: encodeTime(time) });
}

export function decodeAnnotation(payload: Uint8Array, objectName?: string): Annotation {
  const root = readRecord(payload, objectName);
  return {
    tags: root.at('tags').orNull((field) => field.list(limits.tagsPerSnapshot, (tag) => tag.text())),
    description: root.at('description').orNull((field) => field.text()),
    time: root.at('time').time(),
  };
}

export function encodeDamageReport({ time, host, findings }: DamageReport): Uint8Array {
  const encoded = findings.map((finding) => ({ ...finding, pack: finding.pack === null ? null : idToBytes(finding.pack) }));
  return encodeRecord({ time: encodeTime(time), host, findings: encoded });
}

export function decodeDamageReport(payload: Uint8Array, objectName?: string): DamageReport {
  const root = readRecord(payload, objectName);
  return {
    time: root.at('time').time(),
    host: root.at('host').text(),
    findings: root.at('findings').list(limits.findingsPerReport, readFinding),
  };
}

export function encodeVerification({ time, host, packs }: Verification): Uint8Array {
  return encodeRecord({ time: encodeTime(time), host, packs: packs.map(idToBytes) });
}

export function decodeVerification(payload: Uint8Array, objectName?: string): Verification {
  const root = readRecord(payload, objectName);
  return { time: root.at('time').time(), host: root.at('host').text(), packs: readPacks(root) };
}

/** A catalogue without checkpoints is written without that key. */
export function encodeCatalogue({ snapshots, checkpoints = [] }: Pick<Catalogue, 'snapshots'> & Partial<Catalogue>): Uint8Array {
  return encodeRecord({
    snapshots: snapshots.map(({ id, generation, object }) => ({ id: idToBytes(id), generation, object })),
    ...(checkpoints.length > 0 && {
      checkpoints: checkpoints.map(({ session, generation, number }) => ({ session: idToBytes(session), generation, number })),
    }),
  });
}

export function decodeCatalogue(payload: Uint8Array, objectName?: string): Catalogue {
  const root = readRecord(payload, objectName);
  return {
    snapshots: root.at('snapshots').list(limits.snapshotsPerRecord, readCatalogueEntry),
    checkpoints: root.at('checkpoints').orNull((field) => field.list(limits.snapshotsPerRecord, readCatalogueCheckpoint)) ?? [],
  };
}

/** A list without marked sessions or counts is written without that key. */
export function encodeLostList({
  chunks,
  packs,
  marked = [],
  counts = [],
}: Pick<LostList, 'chunks' | 'packs'> & Partial<LostList>): Uint8Array {
  return encodeRecord({
    chunks,
    packs: packs.map(idToBytes),
    ...(counts.length > 0 && { counts }),
    ...(marked.length > 0 && { marked: marked.map(({ session, number }) => ({ session: idToBytes(session), number })) }),
  });
}

export function decodeLostList(payload: Uint8Array, objectName?: string): LostList {
  const root = readRecord(payload, objectName);
  const chunks = readChunks(root);
  const packs = readPacks(root);
  const counts =
    root.at('counts').orNull((field) => field.list(limits.packsPerRecord, (count) => count.uint(limits.chunksPerRecord))) ?? [];
  const counted = counts.reduce((sum, count) => sum + count, 0);
  if (counts.length > 0 && (counts.length !== packs.length || counted !== chunks.length))
    throw new LaganError(
      'malformed',
      `a list counts ${counted} chunks of ${counts.length} packs, and names ${chunks.length} of ${packs.length}`,
      {
        object: objectName,
        offset: 0,
        expected: chunks.length,
        found: counted,
      },
    );
  return {
    chunks,
    packs,
    marked: root.at('marked').orNull((field) => field.list(limits.snapshotsPerRecord, readMarkedSession)) ?? [],
    counts,
  };
}

const VERSION = 1;

function encodeRecord(fields: Record<string, unknown>): Uint8Array {
  return encodeCbor({ ...fields, version: VERSION });
}

function readRecord(payload: Uint8Array, objectName: string | undefined): Field {
  const root = Field.root(decodeCbor(payload, { objectName }));
  root.at('version').version(VERSION);
  return root;
}

function encodeTime({ seconds, nanoseconds }: Time): [number, number] {
  return [seconds, nanoseconds];
}

function readSnapshots(root: Field): SnapshotId[] {
  return root.at('snapshots').list(limits.snapshotsPerRecord, (id) => id.id<SnapshotId>());
}

function readChunks(field: Field): Uint8Array[] {
  return field.at('chunks').list(limits.chunksPerRecord, (name) => name.bytes(NAME_SIZE_BYTES));
}

function readPacks(field: Field): PackId[] {
  return field.at('packs').list(limits.packsPerRecord, (id) => id.id<PackId>());
}

function readFinding(field: Field): DamageFinding {
  return {
    object: field.at('object').text(),
    pack: field.at('pack').orNull((id) => id.id<PackId>()),
    chunks: readChunks(field),
    kind: field.at('kind').text(),
  };
}

function readCatalogueEntry(field: Field): CatalogueEntry {
  return {
    id: field.at('id').id<SnapshotId>(),
    generation: field.at('generation').uint(),
    object: field.at('object').byteString(limits.smallObjectSizeBytes),
  };
}

function readMarkedSession(field: Field): MarkedSession {
  return { session: field.at('session').id<SessionId>(), number: field.at('number').orNull((number) => number.uint(limits.u32)) };
}

function readCatalogueCheckpoint(field: Field): CatalogueCheckpoint {
  return {
    session: field.at('session').id<SessionId>(),
    generation: field.at('generation').uint(),
    number: field.at('number').uint(limits.u32),
  };
}
