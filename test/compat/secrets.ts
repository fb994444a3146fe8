/** What opens the repositories that are kept. */
import type { Secret } from '../../engine/mod.ts';

/** The private half of the recipient's key. */
export const identityKey = new Uint8Array(32).fill(3);

export const secrets = {
  'key file': { kind: 'key-file', secret: new Uint8Array(32).fill(1) },
  password: { kind: 'password', password: 'correct horse é' },
  recipient: { kind: 'identity', privateKey: identityKey },
  'metadata only': { kind: 'key-file', secret: new Uint8Array(32).fill(2) },
} as const satisfies Record<string, Secret>;
