import { type ErrorCode, isLaganError, type LaganError } from '../../repo-format/mod.ts';

const damageCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'pack-missing',
  'chunk-missing',
  'malformed',
  'authentication-failed',
  'limit-exceeded',
  'name-mismatch',
]);

/** Whether an error of reading says that a pack is missing or damaged, and not that the store could not be asked. */
export function isDamage(error: unknown): error is LaganError {
  return isLaganError(error) && damageCodes.has(error.code);
}
