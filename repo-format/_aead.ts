/** AES-256-GCM over small byte strings: ciphertext and tag in one piece. */
import { createCipheriv, createDecipheriv } from 'node:crypto';

const TAG_SIZE_BYTES = 16;

interface AeadInputs {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly additionalData: Uint8Array;
}

export function sealAead({ key, nonce, additionalData }: AeadInputs, plaintext: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_SIZE_BYTES });
  cipher.setAAD(additionalData);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return new Uint8Array(Buffer.concat([ciphertext, cipher.getAuthTag()]));
}

/** The plaintext, or null if key, nonce, additional data or bytes are not those that were sealed. */
export function openAead({ key, nonce, additionalData }: AeadInputs, sealed: Uint8Array): Uint8Array | null {
  const tagOffset = sealed.length - TAG_SIZE_BYTES;
  if (tagOffset < 0) return null;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_SIZE_BYTES });
  decipher.setAAD(additionalData);
  decipher.setAuthTag(sealed.subarray(tagOffset));
  const plaintext = decipher.update(sealed.subarray(0, tagOffset));
  try {
    decipher.final();
  } catch {
    return null;
  }
  return new Uint8Array(plaintext);
}
