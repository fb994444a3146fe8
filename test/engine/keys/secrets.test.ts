import { generateKeyPairSync } from 'node:crypto';
import t from 'tap';
import {
  type Identity,
  keyFileText,
  keyText,
  newIdentity,
  newKeyFileSecret,
  parseKeyText,
  parseRecipient,
  publicKeyOf,
  recipientText,
} from '../../../engine/keys/mod.ts';
import { agree } from '../../../engine/keys/secrets.ts';
import { toHex } from '../../../repo-format/mod.ts';

t.test('newKeyFileSecret: 32 bytes, never the same', async (t) => {
  const secrets = Array.from({ length: 10 }, newKeyFileSecret);
  t.equal(new Set(secrets.map(({ secret }) => toHex(secret))).size, 10);
  for (const { secret } of secrets) t.equal(secret.length, 32);
});

t.test('agree: the vector of RFC 7748, section 5.2, after one iteration', async (t) => {
  const nine = new Uint8Array(32);
  nine[0] = 9;
  t.equal(toHex(agree(nine, nine)), '422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079');
});

t.test('publicKeyOf: what the runtime says of a pair that it made', async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const [{ d }, { x }] = [privateKey.export({ format: 'jwk' }), publicKey.export({ format: 'jwk' })];
  t.same(publicKeyOf(Buffer.from(d!, 'base64url')), Uint8Array.from(Buffer.from(x!, 'base64url')));
});

t.test('agree: both sides get one secret, and a public key without a secret is an error', async (t) => {
  const [left, right]: [Identity, Identity] = [newIdentity(), newIdentity()];
  t.same(agree(left.privateKey, right.publicKey), agree(right.privateKey, left.publicKey));
  t.throws(() => agree(left.privateKey, new Uint8Array(32)), { code: 'malformed-key' });
  t.throws(() => agree(left.privateKey, new Uint8Array(31)), RangeError);
});

t.test('parseKeyText reads what keyText and keyFileText write', async (t) => {
  const key = newKeyFileSecret();
  const identity = { kind: 'identity' as const, privateKey: newIdentity().privateKey };
  for (const secret of [key, identity]) {
    t.same(parseKeyText(keyText(secret)), secret);
    t.same(parseKeyText(keyFileText(secret)), secret);
    t.same(parseKeyText(keyFileText(secret, { comment: 'of laptop' })), secret);
    t.same(
      parseKeyText(`\n  ${keyText(secret).toLowerCase().replaceAll('-', ' ').replace(' 1 ', '-1 ')}\r\n`),
      secret,
      'as a person types it',
    );
  }
  t.match(keyFileText(key, { comment: 'of laptop' }), /^# of laptop\nlagan-key-1 [0-9A-Z-]+\n$/);
  t.match(keyFileText(identity), recipientText(publicKeyOf(identity.privateKey)));
  t.throws(() => keyFileText(key, { comment: 'two\nlines' }), RangeError);
});

t.test('parseKeyText names the group of a typing mistake', async (t) => {
  const text = keyText({ kind: 'key-file', secret: new Uint8Array(32).map((_, index) => index * 5) });
  const groups = text.split(' ')[1]!.split('-');
  for (const number of [1, 4, groups.length]) {
    const group = groups[number - 1]!;
    const wrong = [...groups];
    wrong[number - 1] = (group.startsWith('7') ? '8' : '7') + group.slice(1);
    t.throws(() => parseKeyText(`lagan-key-1 ${wrong.join('-')}`), { code: 'malformed-key', message: new RegExp(`group ${number}\\b`) });
  }
});

t.test('parseKeyText: what is no key', async (t) => {
  const recipient = recipientText(newIdentity().publicKey);
  t.throws(() => parseKeyText(recipient), { code: 'malformed-key', found: 'lagan-recipient' });
  for (const text of ['', '# only a comment', 'secret', 'lagan-key-2 ABC', 'lagan-key-1', 'x'.repeat(100_000)]) {
    t.throws(() => parseKeyText(text), { code: 'malformed-key' }, text.slice(0, 20));
  }
  t.same(recipientText(parseRecipient(recipient)), recipient);
  t.throws(() => parseRecipient(keyText(newKeyFileSecret())), { code: 'malformed-key' });
});
