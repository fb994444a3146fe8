/**
 * Argon2id: by node:crypto, in the thread pool, where it has it (OpenSSL 3.2 and Node 24.7 or later); by hash-wasm elsewhere. Both give the
 * same bytes, which a test checks.
 */
import crypto from 'node:crypto';
import { LaganError, type PasswordKdf } from '../../repo-format/mod.ts';

const outputSizeBytes = 32;

/**
 * 32 bytes from a password. The cost is that of the slot: 64 MiB and three passes take about 0.2 s.
 *
 * Code: unsupported (the memory cannot be had).
 */
export async function argon2id(password: Uint8Array, kdf: PasswordKdf): Promise<Uint8Array> {
  try {
    return typeof crypto.argon2 === 'function' ? await argon2idByNode(password, kdf) : await argon2idByHashWasm(password, kdf);
  } catch (error) {
    const message = `deriving a key from the password failed; it needs ${Math.ceil(kdf.memoryKiB / 1024)} MiB of memory`;
    throw new LaganError('unsupported', message, { cause: error, found: kdf.memoryKiB });
  }
}

function argon2idByNode(password: Uint8Array, { salt, memoryKiB, passes, lanes }: PasswordKdf): Promise<Uint8Array> {
  const parameters = { message: password, nonce: salt, parallelism: lanes, tagLength: outputSizeBytes, memory: memoryKiB, passes };
  return new Promise((resolve, reject) => {
    crypto.argon2('argon2id', parameters, (error, key) => (error === null ? resolve(Uint8Array.from(key)) : reject(error)));
  });
}

/** The same by WebAssembly; slower by a factor of three. */
export async function argon2idByHashWasm(password: Uint8Array, { salt, memoryKiB, passes, lanes }: PasswordKdf): Promise<Uint8Array> {
  const wasm = await import('hash-wasm');
  return wasm.argon2id({
    password,
    salt,
    parallelism: lanes,
    iterations: passes,
    memorySize: memoryKiB,
    hashLength: outputSizeBytes,
    outputType: 'binary',
  });
}
