import { createCipheriv, createHash } from 'node:crypto';

/** Bytes that look random and are always the same for a seed. */
export function noise(size: number, seed: string): Uint8Array {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, new Uint8Array(16)).update(new Uint8Array(size));
}
