/** Bytes that a seed determines, as good as random, and keys for tests that need no repository. */
import { createCipheriv, createHash } from 'node:crypto';
import type { SealingKeys } from '../../engine/objects/mod.ts';

export function randomBytesOf(seed: string, length: number): Uint8Array<ArrayBuffer> {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return Uint8Array.from(createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length)));
}

/** `count` names of chunks, 32 bytes each. */
export function randomNames(seed: string, count: number): Uint8Array<ArrayBuffer> {
  return randomBytesOf(seed, count * 32);
}

/** Text that compresses well. */
export function compressibleBytes(seed: string, length: number): Uint8Array<ArrayBuffer> {
  const words = Array.from({ length: 64 }, (_, index) => Buffer.from(randomBytesOf(`${seed} ${index}`, 6)).toString('base64'));
  const choices = randomBytesOf(seed, Math.ceil(length / 8) + 1);
  return Uint8Array.from(Buffer.from(Array.from(choices, (choice) => words[choice & 63]).join(' ')).subarray(0, length));
}

export const testKeys: SealingKeys = {
  repositoryId: new Uint8Array(16).fill(5),
  newestEpoch: 1,
  classKey: (kind) => new Uint8Array(32).fill(kind === 'pack' ? 1 : 2),
};
