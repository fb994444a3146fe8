import type { BackupProgress } from './progress.ts';

const intervalMs = 100;

/** Gathers counts where they arise, cheaply, and tells the caller of them ten times a second. */
export class ProgressReporter {
  errors = 0;
  /** What the parent snapshot had. */
  expected: { readonly files: number; readonly bytes: number } | undefined;
  #filesDone = 0;
  #bytesDone = 0;
  #scannedEntries = 0;
  #folder = new Uint8Array(0);
  #name = new Uint8Array(0);
  #newBytes = 0;
  #storedBytes = 0;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(onProgress: ((progress: BackupProgress) => void) | undefined) {
    if (onProgress !== undefined) this.#timer = setInterval(() => onProgress(this.#current()), intervalMs).unref();
  }

  scanned(folder: Uint8Array, name: Uint8Array): void {
    this.#scannedEntries++;
    this.#folder = folder as Uint8Array<ArrayBuffer>;
    this.#name = name as Uint8Array<ArrayBuffer>;
  }

  /** The source is read once more from its beginning. */
  beginAnew(): void {
    this.errors = 0;
    this.#filesDone = 0;
    this.#bytesDone = 0;
    this.#scannedEntries = 0;
  }

  /** Bytes of a stream. */
  read(bytes: number): void {
    this.#bytesDone += bytes;
  }

  fileDone(size: number): void {
    this.#filesDone++;
    this.#bytesDone += size;
  }

  stored(newBytes: number, storedBytes: number): void {
    this.#newBytes = newBytes;
    this.#storedBytes = storedBytes;
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #current(): BackupProgress {
    return {
      phase: 'backup',
      filesDone: this.#filesDone,
      bytesDone: this.#bytesDone,
      filesTotal: this.expected?.files,
      bytesTotal: this.expected?.bytes,
      scannedEntries: this.#scannedEntries,
      currentPath: new Uint8Array(Buffer.concat([Buffer.from('/'), this.#folder, this.#name])),
      newBytes: this.#newBytes,
      storedBytes: this.#storedBytes,
      errors: this.errors,
    };
  }
}
