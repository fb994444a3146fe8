import { LaganError } from '../../repo-format/mod.ts';
import { systemError } from '../system/mod.ts';

/** Runs a call of Node's `fs` on the target: what the system refuses becomes a LaganError with `errno`. */
export function onTarget<Result>(attempt: string, call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    throw typeof errno === 'number' ? systemError(errno, attempt) : error;
  }
}

/** A descriptor, or 0, as it came; a failure as a LaganError. */
export function orThrow(result: number, attempt: string, name: Uint8Array): number {
  if (result < 0) throw systemError(result, attempt, name);
  return result;
}

/** What a job ends with that was told to stop. */
export function interrupted(): LaganError {
  return new LaganError('interrupted', 'the restore was interrupted');
}

/**
 * Whether an error ends the restore. Damage of the repository and most refusals of the system concern one entry and are reported with its path; without space in the target, or without
 * a repository, nothing else would succeed either.
 */
export function endsRestore(error: unknown): boolean {
  if (!(error instanceof LaganError)) return true;
  return fatalCodes.has(error.code);
}

const fatalCodes: ReadonlySet<string> = new Set([
  'no-space',
  'read-only',
  'interrupted',
  'no-repository',
  'unavailable',
  'no-key',
  'wrong-key',
  'usage',
]);
