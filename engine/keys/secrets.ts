/** What opens a repository, and the text forms in which people keep it. */
import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject, randomBytes } from 'node:crypto';
import { decodeTextKey, encodeKeyFile, encodeTextKey, LaganError } from '../../repo-format/mod.ts';

/** A password; the 32 bytes of a key file or recovery key; the 32-byte X25519 private key of a recipient. */
export type Secret =
  | { readonly kind: 'password'; readonly password: string }
  | { readonly kind: 'key-file'; readonly secret: Uint8Array }
  | { readonly kind: 'identity'; readonly privateKey: Uint8Array };

export interface Identity {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

const keySizeBytes = 32;
/** All of the DER around an X25519 key (RFC 8410) but its 32 bytes. */
const privateKeyPrefix = Buffer.from('302e020100300506032b656e04220420', 'hex');
const publicKeyPrefix = Buffer.from('302a300506032b656e032100', 'hex');

/** 32 random bytes for a key file. */
export function newKeyFileSecret(): Extract<Secret, { kind: 'key-file' }> {
  return { kind: 'key-file', secret: randomKey() };
}

/** A key pair for a recipient: whoever has the public half can add a slot, only the private half opens it. */
export function newIdentity(): Identity {
  const privateKey = randomKey();
  return { privateKey, publicKey: publicKeyOf(privateKey) };
}

export function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  const exported = createPublicKey(importPrivateKey(privateKey)).export({ format: 'der', type: 'spki' });
  return Uint8Array.from(exported.subarray(-keySizeBytes));
}

/** X25519. Code: malformed-key (a public key that gives no secret, which no honest key does). */
export function agree(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const pair = { privateKey: importPrivateKey(privateKey), publicKey: importPublicKey(publicKey) };
  try {
    return Uint8Array.from(diffieHellman(pair));
  } catch (error) {
    throw new LaganError('malformed-key', 'the public key of the recipient is no usable X25519 key', { cause: error });
  }
}

/**
 * Reads the text of a key file, a recovery key typed by a person, or an identity. Code: malformed-key, which names the group of the typing
 * mistake where that can be told.
 */
export function parseKeyText(text: string): Exclude<Secret, { kind: 'password' }> {
  const word = /^\s*lagan[\s-]+([a-z]+)/im.exec(text)?.[1]?.toLowerCase();
  if (word === 'identity') return { kind: 'identity', privateKey: decodeTextKey('identity', text) };
  if (word === 'recipient') {
    const hint = 'it can add a key slot, but only the identity that belongs to it opens one';
    throw new LaganError('malformed-key', 'this is the public key of a recipient', {
      found: 'lagan-recipient',
      expected: 'lagan-key-1 or lagan-identity-1',
      hint,
    });
  }
  return { kind: 'key-file', secret: decodeTextKey('key', text) };
}

/** Reads a recipient's public key. Code: malformed-key. */
export function parseRecipient(text: string): Uint8Array {
  return decodeTextKey('recipient', text);
}

export function recipientText(publicKey: Uint8Array): string {
  return encodeTextKey('recipient', publicKey);
}

/** One line for paper: what {@link parseKeyText} reads. */
export function keyText(secret: Exclude<Secret, { kind: 'password' }>): string {
  return secret.kind === 'key-file' ? encodeTextKey('key', secret.secret) : encodeTextKey('identity', secret.privateKey);
}

/** The content of a key file or identity file; the comment is one line. */
export function keyFileText(secret: Exclude<Secret, { kind: 'password' }>, { comment }: { comment?: string } = {}): string {
  if (comment !== undefined && /[\r\n]/.test(comment)) throw new RangeError('comment: it must be one line');
  if (secret.kind === 'key-file') return encodeKeyFile(secret.secret, comment);
  const recipient = recipientText(publicKeyOf(secret.privateKey));
  return `# ${comment ?? 'lagan identity file'}\n# public key: ${recipient}\n${keyText(secret)}\n`;
}

/** Random bytes that own their buffer. */
export function randomKey(): Uint8Array {
  return Uint8Array.from(randomBytes(keySizeBytes));
}

function importPrivateKey(bytes: Uint8Array): KeyObject {
  expectKeySize('privateKey', bytes);
  return createPrivateKey({ key: Buffer.concat([privateKeyPrefix, bytes]), format: 'der', type: 'pkcs8' });
}

function importPublicKey(bytes: Uint8Array): KeyObject {
  expectKeySize('publicKey', bytes);
  return createPublicKey({ key: Buffer.concat([publicKeyPrefix, bytes]), format: 'der', type: 'spki' });
}

function expectKeySize(name: string, bytes: Uint8Array): void {
  if (bytes.length !== keySizeBytes) throw new RangeError(`${name}: expected ${keySizeBytes} bytes, got ${bytes.length}`);
}
