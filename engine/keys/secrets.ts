/** What opens a repository, and the text forms in which people keep it. */
import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject, randomBytes } from 'node:crypto';
import { decodeTextKey, encodeKeyFile, encodeTextKey, isLaganError, LaganError } from '../../repo-format/mod.ts';

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

/** The 24 words of a key file's secret, for paper: what {@link parseSecretText} reads. */
export async function keyWords({ secret }: Extract<Secret, { kind: 'key-file' }>): Promise<string[]> {
  return (await words()).encodeWords(secret);
}

/** Reads what {@link parseKeyText} reads, or the words of a recovery key. Code: malformed-key, which says which word or group is wrong where that can be told. */
export async function parseSecretText(text: string): Promise<Exclude<Secret, { kind: 'password' }>> {
  if (isKeyText(text)) return parseKeyText(text);
  const { looksLikeWords, decodeWords } = await words();
  return looksLikeWords(text) ? { kind: 'key-file', secret: decodeWords(text) } : parseKeyText(text);
}

/**
 * What somebody may have meant who typed a text where a password is asked for: a key, or the words of one, or a password. `doubt`: it looks like a key with a
 * typing mistake, but might be a password. Code: malformed-key, for a text that can only be a key.
 */
export async function secretsInText(text: string): Promise<{ readonly secrets: readonly Secret[]; readonly doubt?: LaganError }> {
  const password = { kind: 'password', password: text } as const;
  if (isKeyText(text)) return { secrets: [parseKeyText(text)] };
  // Nobody waits for the list of words who types a password.
  if (!/(?:\S+\s+){10}/.test(text) || !(await words()).looksLikeWords(text)) return { secrets: [password] };
  try {
    return { secrets: [await parseSecretText(text), password] };
  } catch (error) {
    if (!isLaganError(error, 'malformed-key')) throw error;
    return { secrets: [password], doubt: error };
  }
}

function isKeyText(text: string): boolean {
  return /^\s*(#[^\n]*\n\s*)*lagan[\s-]+(key|identity|recipient)/i.test(text);
}

/** Loaded by those who need it: every process that starts would wait for it. */
function words(): Promise<typeof import('./_words.ts')> {
  return import('./_words.ts');
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
