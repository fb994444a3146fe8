import { checkRows, compareNames, indexRowLayout, packOrdinalAt, type SegmentRun, segmentCount } from '../../repo-format/mod.ts';
import type { SegmentedObject } from '../objects/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { readRun, runBufferSizeBytes } from './_segment-run.ts';

const nameSizeBytes = 32;
const rowSizeBytes = indexRowLayout.sizeBytes;
/** More pages at once (4.6 MB) would not be read faster. */
const mostPagesPerWindow = 128;

/** How many pages to read at once, if a table may use so much memory: for the window that is looked at, and for the next. */
export function windowPages(pages: SegmentRun, limitBytes: number): number {
  const pageSizeBytes = pages.itemsPerSegment * rowSizeBytes;
  return Math.max(1, Math.min(mostPagesPerWindow, Math.floor(limitBytes / 2 / pageSizeBytes)));
}

export interface RowCursorOptions {
  readonly object: SegmentedObject;
  readonly pages: SegmentRun;
  /** Among the tables to be merged. */
  readonly rank: number;
  /** Pack ordinal in this table → in the merged one; -1: the pack is left out. */
  readonly ordinals: Int32Array;
  readonly pagesPerWindow: number;
}

/**
 * Walks the rows of one table, as often as wanted. Pages are read a window at a time, the next one while this one is looked at; a table that is a single window is read
 * only once.
 */
export class RowCursor {
  readonly #storage: Storage;
  readonly #options: RowCursorOptions;
  readonly #pageCount: number;
  #window: Uint8Array = new Uint8Array(0);
  #offset = 0;
  /** The first 48 bits of the row's name, as a number. */
  #key = 0;
  #packOrdinal = 0;
  #nextPage = 0;
  #reading: Promise<Uint8Array> | undefined;
  /** One holds the window that is looked at, the other one is read into. */
  #buffers: [Uint8Array, Uint8Array] | undefined;

  constructor(storage: Storage, options: RowCursorOptions) {
    this.#storage = storage;
    this.#options = options;
    this.#pageCount = segmentCount(options.pages);
  }

  get tableRows(): number {
    return this.#options.pages.items;
  }

  /** Moves to the first row that counts; false if there is none. */
  async begin(): Promise<boolean> {
    const isLoaded = this.#window.length > 0 && this.#pageCount <= this.#options.pagesPerWindow;
    this.#offset = isLoaded ? -rowSizeBytes : this.#window.length;
    this.#nextPage = isLoaded ? this.#pageCount : 0;
    return this.tryAdvance() || this.advance();
  }

  /** Waits for what is still being read; {@link begin} may be called again. */
  async end(): Promise<void> {
    await this.#reading?.catch(() => undefined);
    this.#reading = undefined;
  }

  /** Gives the memory of its windows back; {@link begin} may be called again. */
  forget(): void {
    this.#window = new Uint8Array(0);
    this.#buffers = undefined;
  }

  /** Moves to the next row that counts, if it is in the window; else false, and the cursor stays behind the window's last row. */
  tryAdvance(): boolean {
    const { ordinals } = this.#options;
    const window = this.#window;
    for (;;) {
      const at = (this.#offset += rowSizeBytes);
      if (at >= window.length) return false;
      this.#packOrdinal = ordinals[packOrdinalAt(window, at / rowSizeBytes)]!;
      if (this.#packOrdinal < 0) continue;
      const first = ((window[at]! << 24) | (window[at + 1]! << 16) | (window[at + 2]! << 8) | window[at + 3]!) >>> 0;
      this.#key = first * 0x10000 + ((window[at + 4]! << 8) | window[at + 5]!);
      return true;
    }
  }

  /** Moves to the next row that counts, after a {@link tryAdvance} that found none: with the next window. False behind the last. */
  async advance(): Promise<boolean> {
    while (this.#nextPage < this.#pageCount || this.#reading !== undefined) {
      this.#window = await (this.#reading ?? this.#readNext());
      this.#reading = undefined;
      if (this.#nextPage < this.#pageCount) {
        this.#reading = this.#readNext();
        // Whoever waits for it is told; nobody may.
        this.#reading.catch(() => undefined);
      }
      this.#checkWindow();
      this.#offset = -rowSizeBytes;
      if (this.tryAdvance()) return true;
    }
    return false;
  }

  /** Whether the row has the name at `names[offset…]`. */
  isNamed(names: Uint8Array, offset: number): boolean {
    return compareNames(this.#window, this.#offset, names, offset) === 0;
  }

  /** Writes the row as one of the merged table. */
  copyRow(page: Uint8Array, at: number): void {
    const window = this.#window;
    for (let byte = 0; byte < nameSizeBytes; byte++) page[at + byte] = window[this.#offset + byte]!;
    const ordinal = this.#packOrdinal;
    page[at + nameSizeBytes] = ordinal;
    page[at + nameSizeBytes + 1] = ordinal >>> 8;
    page[at + nameSizeBytes + 2] = ordinal >>> 16;
    page[at + nameSizeBytes + 3] = ordinal >>> 24;
  }

  /** By name; of equal names the one of the earlier table comes first. */
  compare(other: RowCursor): number {
    const byKey = this.#key - other.#key;
    if (byKey !== 0) return byKey;
    return compareNames(this.#window, this.#offset, other.#window, other.#offset) || this.#options.rank - other.#options.rank;
  }

  async #readNext(): Promise<Uint8Array> {
    const { object, pages, pagesPerWindow } = this.#options;
    const first = this.#nextPage;
    const count = Math.min(pagesPerWindow, this.#pageCount - first);
    this.#nextPage += count;
    const [into, other] = (this.#buffers ??= this.#newBuffers());
    this.#buffers = [other, into];
    return readRun(this.#storage, object, { run: pages, first, count, into });
  }

  #newBuffers(): [Uint8Array, Uint8Array] {
    const { pages, pagesPerWindow } = this.#options;
    const sizeBytes = runBufferSizeBytes(pages, pagesPerWindow);
    return [new Uint8Array(sizeBytes), new Uint8Array(this.#pageCount > pagesPerWindow ? sizeBytes : 0)];
  }

  #checkWindow(): void {
    const { object, ordinals, pages } = this.#options;
    const pageSizeBytes = pages.itemsPerSegment * rowSizeBytes;
    for (let at = 0; at < this.#window.length; at += pageSizeBytes)
      checkRows(this.#window.subarray(at, at + pageSizeBytes), { packs: ordinals.length, objectName: object.name });
  }
}
