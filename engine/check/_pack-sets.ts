import { checkLimits } from './_limits.ts';

/** Sets of more packs than this are not compared with earlier ones. */
const comparedPacks = 64;

/**
 * Sets of pack ordinals under small numbers: most folders rely on the same few packs. A set that is too large to be remembered has number 0,
 * under which nothing is found.
 */
export class PackSets {
  readonly #sets: (Uint32Array | undefined)[] = [undefined];
  readonly #numbers = new Map<string, number>();

  /** The set of that number; undefined if there is none (-1) or it was too large. */
  get(number: number): Uint32Array | undefined {
    return this.#sets[number];
  }

  /** `set` is sorted. */
  numberOf(set: Uint32Array): number {
    if (set.length > checkLimits.setPacks) return 0;
    if (set.length > comparedPacks) return this.#sets.push(set) - 1;
    const key = set.join();
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#sets.push(set) - 1;
      this.#numbers.set(key, number);
    }
    return number;
  }
}
