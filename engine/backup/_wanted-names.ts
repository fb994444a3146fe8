import { filterAdd, filterBlockCount, filterContains } from '../../repo-format/mod.ts';

const blockSizeBytes = 64;
/** Beyond it more names are taken for wanted ones that are not: what they name is copied, too. */
const limitBytes = 64 * 1024 * 1024;

/**
 * The names of the chunks that a copy needs, in memory that all threads share: a filter, which may say yes wrongly, never no. One thread adds, before the others ask.
 */
export class WantedNames {
  readonly buffer: SharedArrayBuffer;
  readonly #filter: Uint8Array;
  readonly #blocks: number;

  /** `names`: about how many there will be. */
  constructor(source: SharedArrayBuffer | { readonly names: number }) {
    this.buffer = source instanceof SharedArrayBuffer ? source : new SharedArrayBuffer(sizeFor(source.names));
    this.#filter = new Uint8Array(this.buffer);
    this.#blocks = this.#filter.length / blockSizeBytes;
  }

  add(names: Uint8Array, offset: number): void {
    filterAdd(this.#filter, this.#blocks, names, offset);
  }

  has(names: Uint8Array, offset: number): boolean {
    return filterContains(this.#filter, this.#blocks, names, offset);
  }
}

function sizeFor(names: number): number {
  return Math.min(filterBlockCount(names) * blockSizeBytes, limitBytes);
}
