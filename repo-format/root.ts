/**
 * The root: what the collector has decided, as numbered immutable objects of which the highest counts.
 * Source: spec/root.md, docs/decisions/001-numbered-roots.md.
 */
import { Field } from './_fields.ts';
import { encodeReference, type ObjectReference, readReference } from './_references.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { LaganError } from './errors.ts';
import { expectSize } from './format-file.ts';
import { toHex } from './ids.ts';
import { limits } from './limits.ts';
import { parseObjectName } from './object-names.ts';

export const rootPhases = ['open', 'condemned', 'fencing'] as const;
export type RootPhase = (typeof rootPhases)[number];

export type { ObjectReference };

/** When the locks of the objects were extended, in stores that have locks. Source: spec/root.md. */
export interface LockRecord {
  /** When the extension began: seconds since 1970, by the store's clock. */
  readonly begun: number;
  /** How long it locks, in seconds. */
  readonly period: number;
  /** The name up to which it came; null if it has ended. */
  readonly after: string | null;
}

export interface Root {
  readonly number: number;
  /** 16 random bytes; tells two roots apart that raced for one number. */
  readonly nonce: Uint8Array;
  /** Nonce of the root that this one replaces; null in the first. */
  readonly previous: Uint8Array | null;
  readonly generation: number;
  /** Commits of generations below it stand only if the catalogue lists them. */
  readonly floor: number;
  readonly phase: RootPhase;
  /** The floor before `fencing`; else equal to floor. */
  readonly pastFloor: number;
  readonly baseIndex: ObjectReference | null;
  readonly catalogue: ObjectReference | null;
  readonly lost: ObjectReference | null;
  /** Lists of packs: condemned may become doomed, doomed may be deleted. */
  readonly condemned: ObjectReference | null;
  readonly doomed: ObjectReference | null;
  /** Absent: they never were. */
  readonly locks?: LockRecord;
}

const VERSION = 1;
const NONCE_SIZE_BYTES = 16;
const references = ['baseIndex', 'catalogue', 'lost', 'condemned', 'doomed'] as const;
type ReferenceName = (typeof references)[number];

export function encodeRoot(root: Root): Uint8Array {
  const encoded = Object.fromEntries(references.map((name) => [name, root[name] === null ? null : encodeReference(root[name])]));
  const payload = encodeCbor({ ...root, ...encoded, version: VERSION });
  if (payload.length > limits.rootSizeBytes)
    throw new RangeError(`a root of ${payload.length} bytes, the limit is ${limits.rootSizeBytes}`);
  return payload;
}

/** Reads the payload of a root; its number must be that of the object's name. */
export function decodeRoot(payload: Uint8Array, objectName?: string): Root {
  expectSize(payload, objectName, limits.rootSizeBytes);
  const fields = Field.root(decodeCbor(payload, { objectName }));
  fields.at('version').version(VERSION);
  const root: Root = {
    number: fields.at('number').uint(),
    nonce: fields.at('nonce').bytes(NONCE_SIZE_BYTES),
    previous: fields.at('previous').orNull((field) => field.bytes(NONCE_SIZE_BYTES)),
    generation: fields.at('generation').uint(),
    floor: fields.at('floor').uint(),
    phase: fields.at('phase').oneOf(rootPhases),
    pastFloor: fields.at('pastFloor').uint(),
    ...(Object.fromEntries(references.map((name) => [name, fields.at(name).orNull(readReference)])) as Record<
      ReferenceName,
      ObjectReference | null
    >),
    ...readLocks(fields.at('locks')),
  };
  if (root.floor > root.generation) throw fields.at('floor').wrong(`at most the generation, ${root.generation}`);
  if (root.pastFloor > root.floor) throw fields.at('pastFloor').wrong(`at most the floor, ${root.floor}`);
  expectName(root, objectName);
  return root;
}

function readLocks(field: Field): { readonly locks?: LockRecord } {
  const locks = field.orNull((record) => ({
    begun: record.at('begun').uint(),
    period: record.at('period').uint(),
    after: record.at('after').orNull((name) => name.text(limits.rootSizeBytes)),
  }));
  return locks === null ? {} : { locks };
}

function expectName(root: Root, objectName: string | undefined): void {
  const name = objectName === undefined ? null : parseObjectName(objectName);
  if (name === null || name.type !== 'root' || name.number === root.number) return;
  throw new LaganError('name-mismatch', `${objectName}: the root says number ${root.number} (nonce ${toHex(root.nonce)})`, {
    object: objectName,
    offset: 0,
    expected: name.number,
    found: root.number,
  });
}
