/** What goes wrong with a file of the source is that file's fault alone; whatever else goes wrong ends the backup. */
import { LaganError } from '../../repo-format/mod.ts';
import type { ReadFault } from './_files.ts';

/** The system refused something of the file that is being backed up (and not of the repository). */
export class SourceError extends Error {
  readonly fault: ReadFault;

  constructor(fault: ReadFault, cause?: unknown) {
    super(fault.message, { cause });
    this.fault = fault;
  }
}

/** Runs what concerns the source only: what the system refuses there becomes a {@link SourceError}. */
export function ofSource<Result>(act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    const errno = errnoNameOf(error);
    throw errno === undefined ? error : new SourceError(faultOf(errno, (error as Error).message), error);
  }
}

export const replaced: ReadFault = { code: 'replaced', message: 'became something else after its folder was listed' };

/** As a person is told of it: the system's name of the error, or what it means for something that was there a moment ago. */
export function faultOf(errno: string, message: string): ReadFault {
  if (errno === 'ENOENT' || errno === 'ENOTDIR') return { code: 'vanished', message: 'was there when its folder was listed, is gone now' };
  if (errno === 'ELOOP' || errno === 'ENXIO') return replaced;
  return { code: errno, message };
}

/** `ENOENT` and the like, of our errors and of Node's. */
export function errnoNameOf(error: unknown): string | undefined {
  if (error instanceof LaganError) return error.errno;
  if (error instanceof Error && 'syscall' in error && 'code' in error) return String(error.code);
  return undefined;
}
