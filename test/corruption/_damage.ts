/** Every damage of a kind, as a list to go through: flipped bits, cuts, objects in the places of others. */
import * as format from '../../repo-format/mod.ts';
import { fieldsOf } from './_object-fields.ts';

export interface Flip {
  readonly field: string;
  readonly offset: number;
  readonly bit: number;
}

/** Every bit of every byte. Without `everyByte`: of the segments but the first none, and of ciphertexts each 61st byte and the last. */
export function* flipsOf(name: string, bytes: Uint8Array, { everyByte }: { everyByte: boolean }): Generator<Flip> {
  for (const { name: field, offset, length } of fieldsOf(name, bytes)) {
    if (!everyByte && /^segment [1-9]/.test(field)) continue;
    const step = field.endsWith('ciphertext') && !everyByte ? 61 : 1;
    for (let at = 0; at < length; at++) {
      if (at % step !== 0 && at !== length - 1) continue;
      for (let bit = 0; bit < 8; bit++) yield { field, offset: offset + at, bit };
    }
  }
}

/** One bit of the first byte of each field, another one of the last: a field of each name once. */
export function* classesOf(name: string, bytes: Uint8Array): Generator<Flip> {
  const met = new Set<string>();
  for (const { name: field, offset, length } of fieldsOf(name, bytes)) {
    const isClear = field === 'clear';
    if ((isClear && offset % 16 !== 0) || (!isClear && met.has(field))) continue;
    met.add(field);
    yield { field, offset, bit: offset % 8 };
    if (length > 1) yield { field, offset: offset + length - 1, bit: (offset + 3) % 8 };
  }
}

export function flipped(bytes: Uint8Array, { offset, bit }: Pick<Flip, 'offset' | 'bit'>): Uint8Array {
  const damaged = bytes.slice();
  damaged[offset]! ^= 1 << bit;
  return damaged;
}

/** Sizes at, one below and one above every boundary between fields, and one beyond the end. */
export function cutsOf(name: string, bytes: Uint8Array): number[] {
  const sizes = new Set<number>([bytes.length + 1]);
  for (const { offset } of fieldsOf(name, bytes)) for (const size of [offset - 1, offset, offset + 1]) sizes.add(size);
  sizes.add(bytes.length - 1);
  return [...sizes].filter((size) => size >= 0 && size !== bytes.length);
}

/** The first `size` bytes, or all and zeros. */
export function resized(bytes: Uint8Array, size: number): Uint8Array {
  const damaged = new Uint8Array(size);
  damaged.set(bytes.subarray(0, size));
  return damaged;
}

/** A name of the same kind that no object has: another id, or the number after it. Undefined for the format file, of which there is one. */
export function otherNameOf(name: string): string | undefined {
  if (name === format.objectNames.format) return undefined;
  const grants = /-(full|metadata)$/.exec(name)?.[0] ?? '';
  const stem = name.slice(0, name.length - grants.length);
  const last = Number.parseInt(stem.slice(-1), 16);
  return `${stem.slice(0, -1)}${((last + 1) % 16).toString(16)}${grants}`;
}
