/** Changes bytes in the ways that break decoders: lengths, counts, order, ends. */

/** Numbers from 0 (inclusive) to `limit` (exclusive), the same for the same seed (xorshift, 32 bit). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
  }

  below(limit: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state % limit;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

export const greatestInputBytes = 4096;

/** Numbers at which encodings change, as bytes of varints, integers and heads of CBOR. */
const interesting: readonly (readonly number[])[] = [
  [0],
  [1],
  [0x17],
  [0x18, 0x18],
  [0x7f],
  [0x80, 0x01],
  [0x80, 0x00],
  [0xff],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x00, 0x00, 0x00, 0x80],
  [0xff, 0xff, 0xff, 0xff],
  [0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x20],
  [0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x40],
  [0x60],
  [0x80],
  [0xa0],
  [0xa1, 0x60, 0x00],
  [0xc0],
  [0xf4],
  [0xf6],
  [0xf9, 0x00, 0x00],
  [0x9f],
  [0x2f],
  [0x2e, 0x2e],
];

type Mutation = (bytes: Uint8Array, chance: Chance, other: Uint8Array) => Uint8Array;

const mutations: readonly Mutation[] = [
  (bytes, chance) => at(bytes, chance, (byte) => byte ^ (1 << chance.below(8))),
  (bytes, chance) => at(bytes, chance, () => chance.below(256)),
  (bytes, chance) => at(bytes, chance, (byte) => byte + 1 + chance.below(4)),
  (bytes, chance) => at(bytes, chance, (byte) => byte - 1 - chance.below(4)),
  (bytes, chance) => bytes.slice(0, chance.below(bytes.length + 1)),
  (bytes, chance) => splice(bytes, chance.below(bytes.length + 1), 0, Uint8Array.from(chance.of(interesting))),
  (bytes, chance) => {
    const value = Uint8Array.from(chance.of(interesting));
    return splice(bytes, chance.below(bytes.length + 1), value.length, value);
  },
  (bytes, chance) => splice(bytes, chance.below(bytes.length + 1), 1, Uint8Array.from(chance.of(interesting))),
  (bytes, chance) => splice(bytes, chance.below(bytes.length + 1), 1 + chance.below(8), new Uint8Array(0)),
  (bytes, chance) => {
    const start = chance.below(bytes.length + 1);
    const part = bytes.subarray(start, start + 1 + chance.below(32));
    return splice(bytes, chance.below(bytes.length + 1), 0, part);
  },
  (bytes, chance, other) => {
    const start = chance.below(other.length + 1);
    const part = other.subarray(start, start + 1 + chance.below(64));
    return splice(bytes, chance.below(bytes.length + 1), chance.below(2) * part.length, part);
  },
  (bytes, chance, other) => concat(bytes.subarray(0, chance.below(bytes.length + 1)), other.subarray(chance.below(other.length + 1))),
];

/** One to eight changes. `other` is another input, of which parts may be taken. */
export function mutated(bytes: Uint8Array, chance: Chance, other: Uint8Array): Uint8Array {
  let changed = bytes;
  for (let count = 1 << chance.below(4); count > 0; count--) changed = chance.of(mutations)(changed, chance, other);
  return changed.length <= greatestInputBytes ? changed.slice() : changed.slice(0, greatestInputBytes);
}

function at(bytes: Uint8Array, chance: Chance, change: (byte: number) => number): Uint8Array {
  if (bytes.length === 0) return bytes;
  const changed = bytes.slice();
  const place = chance.below(bytes.length);
  changed[place] = change(changed[place]!);
  return changed;
}

function splice(bytes: Uint8Array, start: number, removed: number, inserted: Uint8Array): Uint8Array {
  return concat(bytes.subarray(0, start), inserted, bytes.subarray(start + removed));
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
