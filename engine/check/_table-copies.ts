/** Filter and sample of an index table say again what its rows say: a reader believes them without looking there (IDX-5, IDX-6). */
import { createHash } from 'node:crypto';
import { filterBlockCount, type IndexContents } from '../../repo-format/mod.ts';
import { FilterWriter, SampleWriter } from '../index/mod.ts';

/** Makes filter and sample anew from the pages, in their order, and keeps a hash of each segment. */
export class TableCopies {
  readonly #filterHashes = new SegmentHashes();
  readonly #sampleHashes = new SegmentHashes();
  readonly #filter: FilterWriter;
  readonly #sample = new SampleWriter(this.#sampleHashes, 0);
  /** False if a page was missing or wrong: then nothing is known of the others. */
  #isKnown = true;
  #isFinished = false;

  constructor({ rows }: IndexContents) {
    this.#filter = new FilterWriter(this.#filterHashes, filterBlockCount(rows));
  }

  /** `undefined`: the page cannot be read, or its rows are not in order. */
  async addPage(page: Uint8Array | undefined): Promise<void> {
    this.#isKnown &&= page !== undefined;
    if (!this.#isKnown) return;
    await this.#filter.add(page!);
    await this.#sample.add(page!);
  }

  /** Whether a segment of the filter, or of the sample, is what the rows make it. All pages must have been added. */
  async agrees(part: 'filter' | 'sample', index: number, segment: Uint8Array): Promise<boolean> {
    if (!this.#isKnown) return true;
    if (!this.#isFinished) {
      await this.#filter.finish();
      await this.#sample.finish();
      this.#isFinished = true;
    }
    return (part === 'filter' ? this.#filterHashes : this.#sampleHashes).has(index, segment);
  }
}

/** Takes segments in the place of an object that is written. */
class SegmentHashes {
  readonly #hashes: string[] = [];

  async append(parts: readonly Uint8Array[]): Promise<{ offset: number; sealedLength: number }> {
    this.#hashes.push(hashOf(parts));
    return { offset: 0, sealedLength: 0 };
  }

  has(index: number, segment: Uint8Array): boolean {
    return this.#hashes[index] === hashOf([segment]);
  }
}

function hashOf(parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('base64');
}
