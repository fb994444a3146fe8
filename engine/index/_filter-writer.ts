import { filterAdd, filterBlockOf, filterLayout, indexRowLayout, limits } from '../../repo-format/mod.ts';
import type { SegmentedObjectWriter } from '../objects/mod.ts';

const blocksPerSegment = limits.filterSegmentSizeBytes / filterLayout.blockSizeBytes;

/** Makes a filter of rows in the order of their names, which is that of its blocks: memory holds one segment. */
export class FilterWriter {
  readonly #object: Pick<SegmentedObjectWriter, 'append'>;
  readonly #blocks: number;
  readonly #segment = new Uint8Array(limits.filterSegmentSizeBytes);
  #firstBlock = 0;

  constructor(object: Pick<SegmentedObjectWriter, 'append'>, blocks: number) {
    this.#object = object;
    this.#blocks = blocks;
  }

  async add(page: Uint8Array): Promise<void> {
    for (let offset = 0; offset < page.length; offset += indexRowLayout.sizeBytes) {
      const block = filterBlockOf(page, offset, this.#blocks);
      while (block >= this.#firstBlock + blocksPerSegment) await this.#flush();
      filterAdd(this.#segment, this.#blocks, page, offset, this.#firstBlock);
    }
  }

  async finish(): Promise<void> {
    while (this.#firstBlock < this.#blocks) await this.#flush();
  }

  async #flush(): Promise<void> {
    const blocks = Math.min(blocksPerSegment, this.#blocks - this.#firstBlock);
    await this.#object.append([this.#segment.subarray(0, blocks * filterLayout.blockSizeBytes)]);
    this.#segment.fill(0);
    this.#firstBlock += blocksPerSegment;
  }
}
