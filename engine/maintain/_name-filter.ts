import { filterAdd, filterBlockCount, filterContains } from '../../repo-format/mod.ts';

const blockSizeBytes = 64;
/** The second layer takes its bits from the other half of a name. */
const layerOffsets = [0, 15] as const;

/**
 * A set of names that may say yes wrongly, never no: a Bloom filter like those of index tables, of a size that is known beforehand. With room for two layers one name in
 * thousands is taken for another, with one layer one in a hundred; beyond its room more.
 */
export class NameFilter {
  readonly #layers: Uint8Array[] = [];
  readonly #blocks: number;

  constructor({ names, limitBytes }: { names: number; limitBytes: number }) {
    const wanted = filterBlockCount(names) * blockSizeBytes;
    this.#blocks = Math.max(1, Math.floor(Math.min(wanted, limitBytes) / blockSizeBytes));
    const layers = 2 * wanted <= limitBytes ? 2 : 1;
    for (let layer = 0; layer < layers; layer++) this.#layers.push(new Uint8Array(this.#blocks * blockSizeBytes));
  }

  add(names: Uint8Array, offset: number): void {
    this.#layers.forEach((filter, layer) => {
      filterAdd(filter, this.#blocks, names, offset + layerOffsets[layer]!);
    });
  }

  has(names: Uint8Array, offset: number): boolean {
    return this.#layers.every((filter, layer) => filterContains(filter, this.#blocks, names, offset + layerOffsets[layer]!));
  }
}
