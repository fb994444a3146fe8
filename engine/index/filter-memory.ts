/** Room in memory for the filters of index tables: 1.5 bytes for each chunk. Tables beyond it are asked page by page. */
export class FilterMemory {
  #freeBytes: number;

  constructor(sizeBytes: number) {
    this.#freeBytes = sizeBytes;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** False, and nothing is taken, if there is less. */
  take(bytes: number): boolean {
    if (bytes > this.#freeBytes) return false;
    this.#freeBytes -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#freeBytes += bytes;
  }
}

/** Shared by everything that this process has open. */
export const filterMemory = new FilterMemory(48 * 1024 * 1024);
