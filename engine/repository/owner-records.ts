/**
 * What the owner has said of snapshots: a mark lets the collector drop them, a hold forbids it. Both are objects that never change and are taken back by deleting
 * them. A hold counts whether it came before the mark or after it. Changed by `hold-and-mark.ts`.
 *
 * The rule that makes it safe without clocks and locks: a collector drops only what {@link listDroppable} gives it *after* its root of phase `fencing` is durable.
 * Whoever has created a hold (or deleted a mark) and then reads a root of another phase knows that every later collection sees it.
 */
import pLimit from 'p-limit';
import {
  compareTimes,
  type DeletionMark,
  decodeDeletionMark,
  decodeHold,
  type Hold,
  isLaganError,
  type LaganError,
  type ObjectId,
  objectPrefixes,
  parseObjectName,
  type SnapshotId,
  type Time,
} from '../../repo-format/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { contextOf } from './_context.ts';
import { readSealed } from './_sealed-objects.ts';
import { damageCodes } from './_stored-slots.ts';
import { now } from './_time.ts';
import { repositoryLimits } from './limits.ts';
import type { Repository } from './repository.ts';

/** A record of the owner as it is in the store. */
export interface StoredRecord<Value> {
  readonly id: ObjectId;
  /** Name of the object. */
  readonly name: string;
  readonly value: Value;
}

export type StoredMark = StoredRecord<DeletionMark>;
export type StoredHold = StoredRecord<Hold>;

export interface ListRecordsOptions extends CallOptions {
  /** Is told of every record that is damaged; the others are listed. Without it, damage rejects the whole. */
  readonly onDamage?: ((error: LaganError, name: string) => void) | undefined;
}

/** A record of the owner, before it is read. */
export interface RecordPlace<Value> {
  readonly id: ObjectId;
  readonly name: string;
  readonly type: RecordType<Value>;
}

/** All deletion marks. Codes: those of the storage, and those of damage. */
export async function listMarks(repository: Repository, options: ListRecordsOptions = {}): Promise<StoredMark[]> {
  return readRecords(repository, await findMarks(repository, options), options);
}

/** All holds, also those that are over. Codes as of {@link listMarks}. */
export async function listHolds(repository: Repository, options: ListRecordsOptions = {}): Promise<StoredHold[]> {
  return readRecords(repository, await findHolds(repository, options), options);
}

/** The deletion marks that there are. Codes: those of the storage. */
export function findMarks(repository: Repository, options: CallOptions = {}): Promise<RecordPlace<DeletionMark>[]> {
  return findRecords(repository, { prefix: objectPrefixes.deletionMarks, kind: 'deletion-mark', decode: decodeDeletionMark }, options);
}

/** The holds that there are. Codes: those of the storage. */
export function findHolds(repository: Repository, options: CallOptions = {}): Promise<RecordPlace<Hold>[]> {
  return findRecords(repository, { prefix: objectPrefixes.holds, kind: 'hold', decode: decodeHold }, options);
}

/**
 * Whether a hold still forbids the deletion of its snapshots at a time. No clock is known to be right, neither that of the person who wrote `until` nor that of the
 * collector: the hold lasts `repositoryLimits.holdMarginSeconds` longer than it says.
 */
export function isHolding({ until }: Hold, at: Time): boolean {
  if (until === null) return true;
  const overSince = at.seconds - (until.seconds + repositoryLimits.holdMarginSeconds);
  return overSince < 0 || (overSince === 0 && at.nanoseconds < until.nanoseconds);
}

/** The snapshots that are held at a time, each with the end of its longest hold; null: until it is removed. */
export function heldSnapshots(holds: readonly StoredHold[], at: Time): Map<SnapshotId, Time | null> {
  const held = new Map<SnapshotId, Time | null>();
  for (const { value } of holds) {
    if (!isHolding(value, at)) continue;
    for (const id of value.snapshots) {
      const known = held.get(id);
      if (known === undefined || isLonger(value.until, known)) held.set(id, value.until);
    }
  }
  return held;
}

/**
 * For the collector: the snapshots that may be dropped, which are those that are marked and not held. It must be asked after the root of phase `fencing` is durable,
 * see above. `at`: the collector's clock, which is used for nothing but the ends of holds.
 *
 * A damaged mark marks nothing. A damaged hold may hold anything, so nothing may be dropped until it is removed: with `onDamage` the answer is then empty.
 */
export async function listDroppable(
  repository: Repository,
  { at = now(), onDamage, signal }: ListRecordsOptions & { at?: Time | undefined } = {},
): Promise<Set<SnapshotId>> {
  const marks = await listMarks(repository, { onDamage, signal });
  let holdsAreKnown = true;
  const onDamagedHold = (error: LaganError, name: string): void => {
    holdsAreKnown = false;
    onDamage?.(error, name);
  };
  const holds = await listHolds(repository, { onDamage: onDamage && onDamagedHold, signal });
  return holdsAreKnown ? droppable(marks, { holds, at }) : new Set();
}

/** The snapshots that are marked and not held. */
export function droppable(marks: readonly StoredMark[], { holds, at }: { holds: readonly StoredHold[]; at: Time }): Set<SnapshotId> {
  const held = heldSnapshots(holds, at);
  return new Set(marks.flatMap(({ value }) => value.snapshots).filter((id) => !held.has(id)));
}

export interface RecordType<Value> {
  readonly prefix: string;
  readonly kind: 'hold' | 'deletion-mark' | 'damage-report';
  readonly decode: (payload: Uint8Array, name: string) => Value;
}

/** The records of one type that there are, before they are read. Codes: those of the storage. */
export async function findRecords<Value>(
  repository: Repository,
  type: RecordType<Value>,
  { signal }: CallOptions,
): Promise<RecordPlace<Value>[]> {
  const found: RecordPlace<Value>[] = [];
  for await (const { name } of repository.storage.list(type.prefix, { signal })) {
    const parsed = parseObjectName(name);
    if (parsed?.type === type.kind) found.push({ id: parsed.id, name, type });
  }
  return found;
}

/** What the records say. Codes: those of the storage, and those of damage, see `onDamage`. */
export async function readRecords<Value>(
  repository: Repository,
  places: readonly RecordPlace<Value>[],
  { onDamage, signal }: ListRecordsOptions,
): Promise<StoredRecord<Value>[]> {
  const read = async ({ id, name, type: { kind, decode } }: RecordPlace<Value>): Promise<StoredRecord<Value> | null> => {
    try {
      return { id, name, value: decode(await readSealed(contextOf(repository), name, { kind, signal }), name) };
    } catch (error) {
      if (isLaganError(error, 'not-found')) return null; // Removed since it was listed.
      if (repository.keys.isTooLate(error)) return null;
      if (onDamage === undefined || !isLaganError(error) || !damageCodes.has(error.code)) throw error;
      onDamage(error, name);
      return null;
    }
  };
  const records = await pLimit(repositoryLimits.concurrentReads).map(places, read);
  return records.filter((record) => record !== null);
}

function isLonger(until: Time | null, than: Time | null): boolean {
  if (until === null || than === null) return until === null;
  return compareTimes(until, than) > 0;
}
