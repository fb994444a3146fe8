/**
 * The CBOR of the format: RFC 8949 deterministic encoding of integers, text, byte strings, arrays, maps with text keys,
 * true, false and null. No floats, tags, undefined or indefinite lengths. Source: spec/README.md, "CBOR".
 *
 * Decoding accepts one encoding of each value only: what was decoded must encode to the same bytes.
 */
import { decode, encode, rfc8949EncodeOptions, type Token, Tokenizer, Type } from 'cborg';
import { LaganError } from './errors.ts';
import { limits } from './limits.ts';

export type CborValue = number | bigint | string | boolean | null | Uint8Array | readonly CborValue[] | CborMap;
export interface CborMap {
  readonly [key: string]: CborValue | undefined;
}

export interface CborContext {
  readonly objectName?: string | undefined;
  /** Offset of the CBOR in the object; added to the offsets in errors. */
  readonly offset?: number;
}

/** A decoded value, with what errors about it need. */
export interface DecodedCbor extends CborContext {
  readonly value: unknown;
  readonly bytes: Uint8Array;
}

/** Keys whose value is undefined are left out. */
export function encodeCbor(value: unknown): Uint8Array {
  return new Uint8Array(encode(value, { ...rfc8949EncodeOptions, ignoreUndefinedProperties: true }));
}

/** Codes: malformed, for whatever is not in the format's subset of CBOR or not encoded deterministically. */
export function decodeCbor(bytes: Uint8Array, context: CborContext = {}): DecodedCbor {
  const tokenizer = new BoundedTokenizer(bytes);
  let value: unknown;
  let again: Uint8Array;
  try {
    value = decode(bytes, { ...strictOptions, tokenizer });
    again = encodeCbor(value);
  } catch (cause) {
    throw cborError(context, tokenizer.pos(), 'not the CBOR of this format', { cause });
  }
  expectSame(bytes, again, context);
  return { value, bytes, ...context };
}

/** Offset of the value at `path` in decoded CBOR, or of the innermost value on the way that is there. */
export function offsetOfPath({ bytes }: DecodedCbor, path: readonly (string | number)[]): number {
  const tokenizer = new Tokenizer(bytes, strictOptions);
  let found = 0;
  for (const step of path) {
    const start = tokenizer.pos();
    const token = tokenizer.next();
    found = start;
    const reached = Type.equals(token.type, Type.map) ? seekKey(tokenizer, token, step) : seekItem(tokenizer, token, step);
    if (!reached) return found;
    found = tokenizer.pos();
  }
  return found;
}

export function cborError(
  context: CborContext,
  at: number,
  what: string,
  fields: { cause?: unknown; expected?: unknown; found?: unknown },
): LaganError {
  const offset = at + (context.offset ?? 0);
  const object = context.objectName;
  return new LaganError('malformed', `${object ?? 'bytes'}: ${what} (at offset ${offset})`, { ...fields, object, offset });
}

const strictOptions = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowBigInt: true,
  allowNaN: false,
  allowInfinity: false,
  rejectDuplicateMapKeys: true,
};

const forbiddenTypes = [Type.float, Type.undefined, Type.tag, Type.break];

/** Refuses what the format does not use, and more nesting or more values than the limits. */
class BoundedTokenizer {
  readonly #inner: Tokenizer;
  /** For each open array or map, how many values it still needs. */
  readonly #open: number[] = [];
  #values = 0;

  constructor(bytes: Uint8Array) {
    this.#inner = new Tokenizer(bytes, strictOptions);
  }

  pos(): number {
    return this.#inner.pos();
  }

  done(): boolean {
    return this.#inner.done();
  }

  next(): Token {
    const token = this.#inner.next();
    const { type } = token;
    if (forbiddenTypes.some((forbidden) => Type.equals(type, forbidden))) throw new Error(`a ${type.name} is not allowed`);
    while (this.#open.at(-1) === 0) this.#open.pop();
    if (this.#open.length > 0) this.#open[this.#open.length - 1]! -= 1;
    if (!type.terminal) this.#enter(valuesOf(token));
    return token;
  }

  #enter(values: number): void {
    this.#values += values;
    if (this.#values > limits.cborValues) throw new Error(`more than ${limits.cborValues} values`);
    this.#open.push(values);
    if (this.#open.length > limits.cborDepth) throw new Error(`nested deeper than ${limits.cborDepth}`);
  }
}

function valuesOf(token: Token): number {
  if (token.type.terminal) return 0;
  return Type.equals(token.type, Type.map) ? Number(token.value) * 2 : Number(token.value);
}

function expectSame(bytes: Uint8Array, again: Uint8Array, context: CborContext): void {
  if (Buffer.compare(again, bytes) === 0) return;
  let at = 0;
  while (at < bytes.length && again[at] === bytes[at]) at++;
  throw cborError(context, at, 'CBOR that is not encoded deterministically', { expected: again[at], found: bytes[at] });
}

/** Goes to the value of a key; false if the map has no such key. */
function seekKey(tokenizer: Tokenizer, map: Token, key: string | number): boolean {
  for (let index = 0; index < Number(map.value); index++) {
    if (tokenizer.next().value === key) return true;
    skipValue(tokenizer);
  }
  return false;
}

function seekItem(tokenizer: Tokenizer, list: Token, index: string | number): boolean {
  if (typeof index !== 'number' || !Type.equals(list.type, Type.array) || index >= Number(list.value)) return false;
  for (let skipped = 0; skipped < index; skipped++) skipValue(tokenizer);
  return true;
}

function skipValue(tokenizer: Tokenizer): void {
  for (let values = 1; values > 0; values--) values += valuesOf(tokenizer.next());
}
