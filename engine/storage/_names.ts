/** What every implementation checks before it works: names and ranges are arguments, so they are TypeErrors and RangeErrors. */
import { LaganError } from '../../repo-format/mod.ts';
import { storageLimits } from './limits.ts';
import type { ByteRange, GetOptions } from './storage.ts';

const namePattern = /^[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9._-]*)*$/;

/** The folder beside the objects where local folders keep what is unfinished; no object's name begins with it. */
export const temporaryFolderName = 'temporary';

export function isObjectName(name: string): boolean {
  return (
    name.length <= storageLimits.nameLength &&
    namePattern.test(name) &&
    name !== temporaryFolderName &&
    !name.startsWith(`${temporaryFolderName}/`)
  );
}

export function checkObjectName(name: string): void {
  if (!isObjectName(name)) throw new TypeError(`object name: ${JSON.stringify(name)} is not one`);
}

/** A prefix is '', or a name cut at any place. */
export function checkPrefix(prefix: string): void {
  if (prefix === '' || isObjectName(prefix) || (prefix.endsWith('/') && isObjectName(prefix.slice(0, -1)))) return;
  throw new TypeError(`prefix: ${JSON.stringify(prefix)} is not the beginning of an object name`);
}

export function checkRange(range: ByteRange | undefined): void {
  if (range === undefined) return;
  const numbers = 'last' in range ? { last: range.last } : { offset: range.offset, length: range.length };
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`range.${name}: ${value} is not a number of bytes`);
  }
}

/** Throws `limit-exceeded` if the caller does not want that many bytes. */
export function checkGetSize(name: string, sizeBytes: number, options: GetOptions): void {
  const limit = Math.min(options.limitBytes ?? storageLimits.getSizeBytes, options.into?.length ?? Number.POSITIVE_INFINITY);
  if (sizeBytes <= limit) return;
  throw new LaganError('limit-exceeded', `${name}: ${sizeBytes} bytes were to be read, the limit is ${limit}`, {
    object: name,
    expected: limit,
    found: sizeBytes,
  });
}

/** The error of a range that reaches beyond the end of its object. */
export function tooShort(name: string, range: { offset: number; length: number }, sizeBytes: number): LaganError {
  const needed = range.offset + range.length;
  const message = `${name} was to be read up to byte ${needed}, but it has ${sizeBytes} bytes`;
  return new LaganError('malformed', message, { object: name, offset: sizeBytes, expected: needed, found: sizeBytes });
}

export function notFound(name: string, cause?: unknown): LaganError {
  return new LaganError('not-found', `${name} is not in the store`, { object: name, cause });
}

/** Throws `interrupted` if the signal was aborted. */
export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new LaganError('interrupted', 'interrupted', { cause: signal.reason });
}

/** What a writer is asked to hold. Throws LaganError limit-exceeded. */
export function checkObjectSize(name: string, sizeBytes: number, limitBytes: number): void {
  if (sizeBytes <= limitBytes) return;
  throw new LaganError('limit-exceeded', `${name} would get more than ${limitBytes} bytes`, {
    object: name,
    expected: limitBytes,
    found: sizeBytes,
  });
}

export function totalSizeBytes(parts: readonly Uint8Array[]): number {
  let total = 0;
  for (const part of parts) total += part.length;
  return total;
}
