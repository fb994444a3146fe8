import { type Descriptor, FileStatus, tryStat } from '../system/mod.ts';

/** Some names of a folder, given beforehand, in the manner of a `DirectoryScan`: those of the folders above the sources. */
export class GivenNames {
  readonly status = new FileStatus();
  errno = 0;
  readonly #names: readonly Uint8Array[];
  #folder: Descriptor;
  #index = -1;

  /** `names`: latin1 text of the raw bytes. */
  constructor(folder: Descriptor, names: readonly string[]) {
    this.#folder = folder;
    this.#names = names.map((name) => new Uint8Array(Buffer.from(name, 'latin1'))).sort(Buffer.compare);
  }

  next(): boolean {
    if (++this.#index >= this.#names.length) return false;
    this.errno = -tryStat(this.#folder, this.#names[this.#index]!, this.status);
    return true;
  }

  get nameBytes(): Uint8Array {
    return this.#names[this.#index]!;
  }

  readonly nameStart = 0;

  get nameEnd(): number {
    return this.nameBytes.length;
  }

  copyName(): Uint8Array {
    return this.nameBytes;
  }

  rebind(folder: Descriptor): void {
    this.#folder = folder;
  }

  /** There is no next one any more. */
  close(): void {
    this.#index = this.#names.length;
  }
}
