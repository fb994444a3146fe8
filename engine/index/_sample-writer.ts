import { indexRowLayout, isSampled, limits } from '../../repo-format/mod.ts';
import type { SegmentedObjectWriter } from '../objects/mod.ts';

const rowSizeBytes = indexRowLayout.sizeBytes;
const pageSizeBytes = limits.rowsPerPage * rowSizeBytes;

/**
 * Stores the sample: one row in 64. They are gathered while the filter, which comes before, is stored; if they are too many for that, all is dropped and {@link add} must be
 * given the rows once more.
 */
export class SampleWriter {
  rows = 0;
  readonly #object: Pick<SegmentedObjectWriter, 'append'>;
  readonly #limitBytes: number;
  #gathered: Uint8Array[] = [];
  #isWhole = true;
  /** Bytes of the last page. */
  #sizeBytes = pageSizeBytes;

  constructor(object: Pick<SegmentedObjectWriter, 'append'>, limitBytes: number) {
    this.#object = object;
    this.#limitBytes = limitBytes;
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  gather(page: Uint8Array): void {
    for (let offset = 0; offset < page.length && this.#isWhole; offset += rowSizeBytes)
      if (isSampled(page, offset)) this.#push(page, offset);
    if (this.#gathered.length * pageSizeBytes <= this.#limitBytes) return;
    this.#isWhole = false;
    this.#gathered = [];
    this.#sizeBytes = pageSizeBytes;
    this.rows = 0;
  }

  async add(page: Uint8Array): Promise<void> {
    for (let offset = 0; offset < page.length; offset += rowSizeBytes) {
      if (!isSampled(page, offset)) continue;
      this.#push(page, offset);
      if (this.#sizeBytes === pageSizeBytes) await this.#flush();
    }
  }

  async finish(): Promise<void> {
    await this.#flush();
  }

  #push(page: Uint8Array, offset: number): void {
    if (this.#sizeBytes === pageSizeBytes) {
      this.#gathered.push(new Uint8Array(pageSizeBytes));
      this.#sizeBytes = 0;
    }
    this.#gathered.at(-1)!.set(page.subarray(offset, offset + rowSizeBytes), this.#sizeBytes);
    this.#sizeBytes += rowSizeBytes;
    this.rows++;
  }

  async #flush(): Promise<void> {
    for (const [index, page] of this.#gathered.entries())
      await this.#object.append([index === this.#gathered.length - 1 ? page.subarray(0, this.#sizeBytes) : page]);
    this.#gathered = [];
    this.#sizeBytes = pageSizeBytes;
  }
}
