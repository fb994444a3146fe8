import { LaganError } from '../../repo-format/mod.ts';

/**
 * What was compressed, sealed or named does not come back as it went in: an error of memory, processor or library. It was noticed before anything of it was stored. `done`: what
 * was done with the bytes.
 */
export function wrongBytes(object: string, done: 'compressed' | 'sealed' | 'named', cause?: unknown): LaganError {
  return new LaganError('io', `${object}: what was ${done} to be stored does not come back as it was`, {
    object,
    cause,
    hint: 'the memory or the processor of this machine may be faulty; nothing of it was stored',
  });
}

/** Whether the concatenation of `parts` is `bytes`. */
export function isConcatenation(parts: readonly Uint8Array[], bytes: Uint8Array): boolean {
  let offset = 0;
  for (const part of parts) {
    if (Buffer.compare(part, bytes.subarray(offset, offset + part.length)) !== 0) return false;
    offset += part.length;
  }
  return offset === bytes.length;
}
