/**
 * Checked access to decoded CBOR. Each method returns a value of the type that it names or throws a LaganError that says
 * where in the object the wrong value is.
 */
import { cborError, type DecodedCbor, offsetOfPath } from './cbor.ts';
import type { Time } from './entry.ts';
import { LaganError } from './errors.ts';
import { ID_SIZE_BYTES, idFromBytes, type ObjectId } from './ids.ts';
import { limits } from './limits.ts';

export class Field {
  readonly #decoded: DecodedCbor;
  readonly #parent: Field | null;
  /** Key or index in the parent. */
  readonly #step: string | number;
  readonly #value: unknown;

  private constructor(decoded: DecodedCbor, { parent, step, value }: { parent: Field | null; step: string | number; value: unknown }) {
    this.#decoded = decoded;
    this.#parent = parent;
    this.#step = step;
    this.#value = value;
  }

  /** The whole value, which must be a map. */
  static root(decoded: DecodedCbor): Field {
    const root = new Field(decoded, { parent: null, step: '', value: decoded.value });
    root.#map();
    return root;
  }

  /** The value of a key of this map; if the key is missing, the error comes when the value is read. */
  at(key: string): Field {
    const map = this.#map();
    return this.#child(key, Object.hasOwn(map, key) ? map[key] : undefined);
  }

  keys(): string[] {
    return Object.keys(this.#map());
  }

  /** Reads the value, or null if it is null or missing. */
  orNull<T>(read: (field: Field) => T): T | null {
    return this.#value === undefined || this.#value === null ? null : read(this);
  }

  uint(limit: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#value;
    if (typeof value !== 'bigint' && typeof value !== 'number') throw this.#wrong('an unsigned integer');
    if (value < 0) throw this.#wrong('an unsigned integer');
    if (value > limit) throw this.#beyond(limit, value);
    return Number(value);
  }

  /** A number that is known already. */
  exactly(expected: number): number {
    const value = this.uint();
    if (value !== expected) throw this.#wrong(expected);
    return value;
  }

  /** The version of a record or the number of the format: a later one is repository-too-new. */
  version(known: number): void {
    const value = this.uint();
    if (value <= known) {
      this.exactly(known);
      return;
    }
    const { objectName: object } = this.#decoded;
    throw new LaganError('repository-too-new', `${object ?? 'bytes'}: ${this.#where()} ${value}, this program knows ${known}`, {
      object,
      offset: this.#offset(),
      expected: known,
      found: value,
      hint: 'Use a newer release of Lagan.',
    });
  }

  text(limit: number = limits.textSizeBytes): string {
    const value = this.#value;
    if (typeof value !== 'string') throw this.#wrong('text');
    const size = Buffer.byteLength(value);
    if (size > limit) throw this.#beyond(limit, size);
    return value;
  }

  oneOf<Choice extends string>(choices: readonly Choice[]): Choice {
    const value = this.#value as Choice;
    if (!choices.includes(value)) throw this.#wrong(choices.join(' | '));
    return value;
  }

  boolean(): boolean {
    if (typeof this.#value !== 'boolean') throw this.#wrong('true or false');
    return this.#value;
  }

  /** Exactly `size` bytes. */
  bytes(size: number): Uint8Array {
    const value = this.byteString(Number.MAX_SAFE_INTEGER);
    if (value.length !== size) throw this.#wrong(`${size} bytes`);
    return value;
  }

  byteString(limit: number): Uint8Array {
    const value = this.#value;
    if (!(value instanceof Uint8Array)) throw this.#wrong('bytes');
    if (value.length > limit) throw this.#beyond(limit, value.length);
    return value;
  }

  id<Id extends string = ObjectId>(): Id {
    return idFromBytes<Id>(this.bytes(ID_SIZE_BYTES));
  }

  time(): Time {
    const list = this.#value;
    if (!Array.isArray(list) || list.length !== 2) throw this.#wrong('[seconds, nanoseconds]');
    const [seconds, nanoseconds] = list;
    if (typeof seconds === 'bigint') throw this.#beyond(Number.MAX_SAFE_INTEGER, seconds);
    if (typeof seconds !== 'number') throw this.#wrong('[seconds, nanoseconds]');
    return { seconds, nanoseconds: this.#child(1, nanoseconds).uint(limits.nanoseconds) };
  }

  list<T>(limit: number, read: (item: Field, index: number) => T): T[] {
    const value = this.#value;
    if (!Array.isArray(value)) throw this.#wrong('a list');
    if (value.length > limit) throw this.#beyond(limit, value.length);
    return value.map((item, index) => read(this.#child(index, item), index));
  }

  /** A list of exactly `size` items. */
  tuple(size: number): Field[] {
    const value = this.#value;
    if (!Array.isArray(value) || value.length !== size) throw this.#wrong(`a list of ${size}`);
    return value.map((item, index) => this.#child(index, item));
  }

  /** Any value, as it was decoded. */
  raw(): unknown {
    return this.#value;
  }

  /** An error about this value. */
  wrong(expected: unknown): LaganError {
    return this.#wrong(expected);
  }

  #child(step: string | number, value: unknown): Field {
    return new Field(this.#decoded, { parent: this, step, value });
  }

  #path(): (string | number)[] {
    return this.#parent === null ? [] : [...this.#parent.#path(), this.#step];
  }

  #map(): Record<string, unknown> {
    const value = this.#value;
    if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) throw this.#wrong('a map');
    return value as Record<string, unknown>;
  }

  #wrong(expected: unknown): LaganError {
    const what = `${this.#where()} is ${describe(this.#value)}, expected ${expected}`;
    return cborError(this.#decoded, this.#offset(), what, { expected, found: describe(this.#value) });
  }

  #beyond(limit: number, found: unknown): LaganError {
    const object = this.#decoded.objectName;
    const offset = this.#offset() + (this.#decoded.offset ?? 0);
    const message = `${object ?? 'bytes'}: ${this.#where()}: ${found}, the limit is ${limit} (at offset ${offset})`;
    return new LaganError('limit-exceeded', message, { object, offset, expected: limit, found });
  }

  #where(): string {
    return this.#path().join('.') || 'the value';
  }

  #offset(): number {
    return offsetOfPath(this.#decoded, this.#path());
  }
}

function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'a map';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 64)) : String(value);
}
