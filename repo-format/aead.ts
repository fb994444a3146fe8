/** AES-256-GCM (NIST SP 800-38D) with nonces of 12 and tags of 16 bytes. */
import { createCipheriv, createDecipheriv } from 'node:crypto';

export const aeadTagSizeBytes = 16;

export interface AeadInputs {
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** 12 bytes. */
  readonly nonce: Uint8Array;
  readonly additionalData: Uint8Array;
}

/** Encryption into memory of the caller's. */
export interface Aead {
  /** Writes the ciphertext of the parts, one after another, and the tag: `output` has exactly as many bytes. It overlaps no part. */
  seal(inputs: AeadInputs, parts: readonly Uint8Array[], output: Uint8Array): void;

  /**
   * Writes the plaintext of `sealed` (ciphertext and tag) to `output`, which has as many bytes; it may be the memory of the ciphertext. Returns false if key, nonce, additional data or
   * bytes are not those that were sealed: what is in `output` then must not be used.
   */
  open(inputs: AeadInputs, sealed: Uint8Array, output: Uint8Array): boolean;
}

/** By node:crypto, which makes a buffer of its own for each result. */
export const nodeAead: Aead = {
  seal({ key, nonce, additionalData }, parts, output) {
    const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: aeadTagSizeBytes });
    cipher.setAAD(additionalData);
    let at = 0;
    for (const part of parts) {
      output.set(cipher.update(part), at);
      at += part.length;
    }
    cipher.final();
    output.set(cipher.getAuthTag(), at);
  },

  open({ key, nonce, additionalData }, sealed, output) {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: aeadTagSizeBytes });
    decipher.setAAD(additionalData);
    decipher.setAuthTag(sealed.subarray(output.length));
    output.set(decipher.update(sealed.subarray(0, output.length)));
    try {
      decipher.final();
      return true;
    } catch {
      return false;
    }
  },
};

/** Ciphertext and tag of a small byte string. */
export function sealAead(inputs: AeadInputs, plaintext: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(plaintext.length + aeadTagSizeBytes);
  nodeAead.seal(inputs, [plaintext], sealed);
  return sealed;
}

/** The plaintext, or null if it is not authentic. */
export function openAead(inputs: AeadInputs, sealed: Uint8Array): Uint8Array | null {
  if (sealed.length < aeadTagSizeBytes) return null;
  const plaintext = new Uint8Array(sealed.length - aeadTagSizeBytes);
  return nodeAead.open(inputs, sealed, plaintext) ? plaintext : null;
}
