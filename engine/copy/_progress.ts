import { copyLimits } from './_limits.ts';
import type { CopyProgress } from './options.ts';

/** What is known of the copy under way, told now and then. */
export class ProgressReporter {
  filesTotal = 0;
  bytesTotal = 0;
  filesDone = 0;
  bytesDone = 0;
  newBytes = 0;
  storedBytes = 0;
  currentPath = new Uint8Array(0);
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(onProgress: ((progress: CopyProgress) => void) | undefined) {
    if (onProgress === undefined) return;
    this.#timer = setInterval(() => onProgress(this.#current()), copyLimits.progressIntervalMs).unref();
  }

  /** Another snapshot, or the same once more. */
  begin({ files, bytes }: { files: number; bytes: number }): void {
    [this.filesTotal, this.bytesTotal] = [files, bytes];
    [this.filesDone, this.bytesDone] = [0, 0];
  }

  fileDone(size: number): void {
    this.filesDone++;
    this.bytesDone += size;
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #current(): CopyProgress {
    const { filesTotal, bytesTotal, filesDone, bytesDone, newBytes, storedBytes, currentPath } = this;
    return { phase: 'copy', filesDone, filesTotal, bytesDone, bytesTotal, currentPath, newBytes, storedBytes };
  }
}
