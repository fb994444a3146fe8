/** Slots, keyring, derived keys and key text. */

import { createHmac } from 'node:crypto';
import { concat, counting, filled, type Part, patched, text, toHex, u32, type Vector } from '../_vector.ts';
import { aesGcm, cbor, hkdf, objectId, packA, parts, repositoryId, salt, sha256 } from './_pieces.ts';

const accessKey = counting(32, 0x80);
const keyEncryptionKey = counting(32, 0x40);
const nonce = counting(12, 0x70);
const id = toHex(objectId);
const time = [1_700_000_000, 0] as const;

export const keys = (): Vector[] => [...slots(), ...keyrings(), ...derived(), ...textKeys(), ...keyWords()];

type Map = Record<string, unknown>;

function hmac(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHmac('sha256', key).update(bytes).digest());
}

function sealedSlot(map: Map, change: Map = {}): Part[] {
  const sealed = aesGcm({ key: keyEncryptionKey, nonce, additionalData: concat(text('lagan slot'), cbor(map)) }, accessKey);
  const all = { ...map, nonce, sealed, ...change };
  return parts(cbor(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))));
}

function slots(): Vector[] {
  const common = { lagan: 1, id: objectId, repository: repositoryId, label: 'laptop', created: time, grants: 'full' };
  const kdf = { salt, memoryKiB: 65536, passes: 3, lanes: 4 };
  const keyFile = { ...common, kind: 'key-file', salt };
  const password = { ...common, kind: 'password', kdf };
  const recipient = { ...common, kind: 'recipient', salt, recipient: filled(32, 1), ephemeral: filled(32, 2) };
  const value = { id, repositoryId, label: 'laptop', created: { seconds: 1_700_000_000, nanoseconds: 0 }, grants: 'full' };
  const make = (
    name: string,
    expect: string,
    covers: string,
    comment: string,
    parts: Part[],
    result: object = {},
    objectName = `owner/keys/${id}`,
  ): Vector => ({
    container: 'key-slot',
    name,
    expect,
    covers: covers.split(' '),
    comment,
    inputs: { keyEncryptionKey: toHex(keyEncryptionKey), objectName },
    result: { slot: { ...value, ...result }, accessKey },
    parts,
  });
  const cost = (change: Map) => sealedSlot({ ...password, kdf: { ...kdf, ...change } });
  const proofKey = hkdf(accessKey, repositoryId, text('lagan slot proof'));
  const proof = hmac(proofKey, concat(text('lagan slot'), cbor(keyFile)));
  const proven = (vector: Vector, isProven: boolean): Vector => ({
    ...vector,
    inputs: { ...vector.inputs, proofKey: toHex(proofKey) },
    result: { ...(vector.result as object), isProven },
  });
  const ok = { kind: 'key-file', salt };
  return [
    proven(
      make('ok-proof', 'ok', 'KEY-13 KEY-4', 'a slot that was made by a holder of the access key', sealedSlot({ ...keyFile, proof }), ok),
      true,
    ),
    proven(make('ok-no-proof', 'ok', 'KEY-13', 'a slot that does not say who made it', sealedSlot(keyFile), ok), false),
    proven(
      make(
        'ok-wrong-proof',
        'ok',
        'KEY-13',
        'a slot that opens, with the proof of another one',
        sealedSlot({ ...keyFile, label: 'other', proof }),
        { ...ok, label: 'other' },
      ),
      false,
    ),
    make('changed-proof', 'wrong-key', 'KEY-4', 'another proof', sealedSlot({ ...keyFile, proof }, { proof: filled(32, 9) })),
    make('proof-short', 'malformed', 'KEY-2', 'a proof of 31 bytes', sealedSlot({ ...keyFile, proof: filled(31, 9) })),
    make('ok-key-file', 'ok', 'KEY-2 KEY-4', 'a slot for a key file', sealedSlot(keyFile), { kind: 'key-file', salt }),
    make('ok-password', 'ok', 'KEY-3', 'a slot for a password, with the default cost', sealedSlot(password), { kind: 'password', kdf }),
    make('ok-recipient', 'ok', 'KEY-2', 'a slot for a recipient', sealedSlot(recipient), {
      kind: 'recipient',
      salt,
      recipient: filled(32, 1),
      ephemeral: filled(32, 2),
    }),
    make('ok-unknown-key', 'ok', 'CBOR-4 KEY-4', 'a key that this version does not know', sealedSlot({ ...keyFile, later: 1 }), {
      kind: 'key-file',
      salt,
    }),
    make('ok-greatest-cost', 'ok', 'KEY-3', 'the greatest cost', cost({ memoryKiB: 4194304, passes: 64, lanes: 64 }), {
      kind: 'password',
      kdf: { ...kdf, memoryKiB: 4194304, passes: 64, lanes: 64 },
    }),
    make('other-name', 'name-mismatch', 'KEY-2', 'a slot under another name', sealedSlot(keyFile), {}, `owner/keys/f${id.slice(1)}`),
    make('no-kdf', 'malformed', 'KEY-2', 'a slot for a password without kdf', sealedSlot({ ...common, kind: 'password' })),
    make('no-recipient', 'malformed', 'KEY-2', 'a slot for a recipient without its key', sealedSlot({ ...keyFile, kind: 'recipient' })),
    make('kind', 'malformed', 'KEY-2', 'an unknown kind', sealedSlot({ ...keyFile, kind: 'smart-card' })),
    make('grants', 'malformed', 'KEY-2', 'an unknown grant', sealedSlot({ ...keyFile, grants: 'all' })),
    make('format-2', 'repository-too-new', 'FEAT-4', 'format 2', sealedSlot({ ...keyFile, lagan: 2 })),
    make('memory', 'limit-exceeded', 'KEY-3', 'memory of 4 GiB + 1 KiB', cost({ memoryKiB: 4194305 })),
    make('memory-low', 'malformed', 'KEY-3', 'memory of less than 8 KiB a lane', cost({ memoryKiB: 31 })),
    make('passes', 'limit-exceeded', 'KEY-3', '65 passes', cost({ passes: 65 })),
    make('passes-0', 'malformed', 'KEY-3', 'no pass', cost({ passes: 0 })),
    make('lanes', 'limit-exceeded', 'KEY-3', '65 lanes', cost({ lanes: 65 })),
    make('lanes-0', 'malformed', 'KEY-3', 'no lane', cost({ lanes: 0 })),
    make('changed-label', 'wrong-key', 'KEY-4', 'another label', sealedSlot(keyFile, { label: 'Laptop' })),
    make(
      'changed-grants',
      'wrong-key',
      'KEY-4',
      'a metadata slot made a full one',
      sealedSlot({ ...keyFile, grants: 'metadata' }, { grants: 'full' }),
    ),
    make('changed-cost', 'wrong-key', 'KEY-4', 'a lower cost', sealedSlot(password, { kdf: { ...kdf, passes: 1 } })),
    make('added-key', 'wrong-key', 'KEY-4', 'an added key that nobody knows', sealedSlot(keyFile, { later: 1 })),
    make('changed-nonce', 'wrong-key', 'KEY-4', 'another nonce', sealedSlot(keyFile, { nonce: filled(12, 0) })),
    make('sealed-short', 'malformed', 'KEY-2', 'a sealed key of 47 bytes', sealedSlot(keyFile, { sealed: new Uint8Array(47) })),
    make('size', 'limit-exceeded', 'CONV-4', 'a slot beyond 64 KiB', sealedSlot({ ...keyFile, later: new Uint8Array(65536) })),
  ];
}

function keyrings(): Vector[] {
  const full = {
    version: 1,
    repository: repositoryId,
    number: 3,
    grants: 'full',
    newest: 2,
    epochs: [
      { epoch: 1, master: filled(32, 1) },
      { epoch: 2, master: filled(32, 2) },
    ],
  };
  const naming = { name: filled(32, 6), metadataName: filled(32, 7), cut: filled(32, 8) };
  const named = { ...full, naming };
  const metadata = { ...full, grants: 'metadata', epochs: [{ epoch: 2, metadataKey: filled(32, 4) }], metadataNameKey: filled(32, 5) };
  const sealed = (map: object, number = 3, grants = 'full'): Part[] => {
    const additionalData = concat(text('lagan keyring'), repositoryId, u32(number), text(grants));
    return [
      ['nonce', nonce],
      ['ciphertext and tag', aesGcm({ key: accessKey, nonce, additionalData }, cbor(map))],
    ];
  };
  const make = (
    name: string,
    expect: string,
    covers: string,
    comment: string,
    parts: Part[],
    result: object = full,
    inputs: Record<string, string | number> = {},
  ): Vector => {
    const { version: _version, repository: _repository, ...value } = result as typeof full;
    const all = { accessKey: toHex(accessKey), repository: toHex(repositoryId), number: 3, grants: 'full', ...inputs };
    return { container: 'keyring', name, expect, covers: covers.split(' '), comment, inputs: all, result: value, parts };
  };
  const bytes = sealed(full)[1]![1];
  return [
    make('ok-full', 'ok', 'KEY-7 KEY-8', 'two epochs', sealed(full)),
    make('ok-metadata', 'ok', 'KEY-7', 'a keyring that opens metadata only', sealed(metadata, 3, 'metadata'), metadata, {
      grants: 'metadata',
    }),
    make('ok-naming', 'ok', 'KEY-12', 'naming keys of its own', sealed(named), named),
    make('naming-short', 'malformed', 'KEY-12', 'a naming key of 31 bytes', sealed({ ...full, naming: { ...naming, cut: filled(31, 8) } })),
    make('naming-missing', 'malformed', 'KEY-12', 'a naming key is missing', sealed({ ...full, naming: { ...naming, name: undefined } })),
    make('ok-unknown-key', 'ok', 'CBOR-4', 'a key that this version does not know', sealed({ ...full, later: 1 })),
    make('number', 'authentication-failed', 'KEY-7', 'an older keyring under a higher number', sealed(full), full, { number: 4 }),
    make('grant', 'authentication-failed', 'KEY-7', 'a metadata keyring under the name of a full one', sealed(metadata, 3, 'metadata')),
    make('repository', 'authentication-failed', 'KEY-7', 'the keyring of another repository', sealed(full), full, {
      repository: toHex(packA),
    }),
    make('access-key', 'authentication-failed', 'KEY-7', 'another access key', sealed(full), full, { accessKey: toHex(salt) }),
    make('changed', 'authentication-failed', 'KEY-7', 'a changed bit', [
      ['nonce', nonce],
      ['', patched(bytes, 9, [bytes[9]! ^ 4])],
    ]),
    make('truncated', 'authentication-failed', 'KEY-7', 'the last byte is missing', [
      ['nonce', nonce],
      ['', bytes.subarray(0, -1)],
    ]),
    make('short', 'authentication-failed', 'KEY-7 CONV-3', 'eleven bytes', [['', nonce.subarray(1)]]),
    make('wrong-number-inside', 'malformed', 'KEY-7', 'another number inside', sealed({ ...full, number: 2 })),
    make('wrong-grants-inside', 'malformed', 'KEY-7', 'another grant inside', sealed({ ...full, grants: 'metadata' })),
    make('epochs-order', 'malformed', 'KEY-8', 'epochs that descend', sealed({ ...full, epochs: [...full.epochs].reverse() })),
    make('epoch-twice', 'malformed', 'KEY-8', 'an epoch twice', sealed({ ...full, epochs: [full.epochs[1], full.epochs[1]] })),
    make('newest', 'malformed', 'KEY-8', 'a newest epoch that is not there', sealed({ ...full, newest: 3 })),
    make('no-epochs', 'malformed', 'KEY-8', 'no epoch', sealed({ ...full, epochs: [] })),
    make('version', 'repository-too-new', 'FEAT-4', 'version 2', sealed({ ...full, version: 2 })),
  ];
}

function derived(): Vector[] {
  const master = counting(32);
  const derive = (info: string) => hkdf(master, repositoryId, text(info));
  const result = {
    data: derive('lagan data key'),
    metadata: derive('lagan metadata key'),
    name: derive('lagan name key'),
    metadataName: derive('lagan metadata name key'),
    cut: derive('lagan cut key'),
    metadataAccess: derive('lagan metadata access'),
  };
  const recipient = { salt: toHex(salt), ephemeral: toHex(filled(32, 2)), recipient: toHex(filled(32, 1)) };
  const encryption = (
    name: string,
    kind: string,
    secret: Part,
    expected: Uint8Array | string,
    inputs: Record<string, string>,
    covers: string,
    comment: string,
  ): Vector => ({
    container: 'key-encryption-key',
    name,
    expect: 'ok',
    covers: [covers],
    comment,
    inputs: { kind, ...inputs },
    result: expected,
    parts: [secret],
  });
  const cost = { salt: toHex(salt), memoryKiB: '64', passes: '1', lanes: '1' };
  const passwordKey = '1fb0821c444174f3798cda3e610bdc251da67d17a84ac425354d8a10dd55e2c3';
  return [
    {
      container: 'derived-keys',
      name: 'ok',
      expect: 'ok',
      covers: ['KEY-1'],
      comment: 'the keys of a master secret',
      inputs: { repository: toHex(repositoryId) },
      result,
      parts: [['master secret', master]],
    },
    encryption(
      'ok-key-file',
      'key-file',
      ['secret', master],
      hkdf(master, salt, text('lagan key file')),
      { salt: toHex(salt) },
      'KEY-1',
      'the secret of a key file',
    ),
    encryption(
      'ok-recipient',
      'recipient',
      ['X25519 result', master],
      hkdf(master, salt, concat(text('lagan recipient'), filled(32, 2), filled(32, 1))),
      recipient,
      'KEY-1',
      'what X25519 gave',
    ),
    encryption(
      'ok-password-composed',
      'password',
      ['é as one character', text('caf\u00e9')],
      passwordKey,
      cost,
      'KEY-5',
      'a password in NFC',
    ),
    encryption(
      'ok-password-decomposed',
      'password',
      ['e and an accent', text('cafe\u0301')],
      passwordKey,
      cost,
      'KEY-5',
      'the same password in NFD',
    ),
  ];
}

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Crockford base32 by way of one big number. */
function symbolsOf(bytes: Uint8Array): string {
  let number = BigInt(`0x${toHex(bytes)}`) << 2n;
  let symbols = '';
  for (let index = 0; index < 58; index++, number >>= 5n) symbols = alphabet[Number(number & 31n)] + symbols;
  return symbols;
}

function textKeys(): Vector[] {
  const key = counting(32, 0xc0);
  const symbols = (word: string) => symbolsOf(concat(key, sha256(concat(text(word), key)).subarray(0, 4)));
  const grouped = (value: string, size = 6) => value.match(new RegExp(`.{1,${size}}`, 'g'))!.join('-');
  const line = (word: string) => `${word} ${grouped(symbols(word))}`;
  const good = line('lagan-key-1');
  const make = (name: string, expect: string, covers: string, comment: string, value: string, kind = 'key'): Vector => ({
    container: 'text-key',
    name,
    expect,
    covers: [covers],
    comment,
    inputs: { kind },
    result: key,
    parts: [[value.split('\n').filter((one) => !one.startsWith('#'))[0] ?? '', text(value)]],
  });
  const swap = (at: number, symbol: string) => good.slice(0, at) + symbol + good.slice(at + 1);
  const first = 'lagan-key-1 '.length;
  return [
    make('ok', 'ok', 'KEY-9', 'one line', good),
    make('ok-file', 'ok', 'KEY-9', 'a key file', `# lagan key file\n\n${good}\n`),
    make('ok-windows', 'ok', 'KEY-9', 'a key file with CR LF', `# lagan key file\r\n${good}\r\n`),
    make('ok-lower-case', 'ok', 'KEY-9', 'in lower case', good.toLowerCase()),
    make(
      'ok-look-alikes',
      'ok',
      'KEY-9',
      'O for 0, I and L for 1',
      good.slice(0, first) + good.slice(first).replaceAll('0', 'O').replace('1', 'I').replaceAll('1', 'l'),
    ),
    make('ok-groups-of-4', 'ok', 'KEY-9', 'in groups of four', `lagan-key-1 ${grouped(symbols('lagan-key-1'), 4)}`),
    make('ok-spaces', 'ok', 'KEY-9', 'with spaces', good.replaceAll('-', ' ')),
    make('ok-identity', 'ok', 'KEY-11', 'a private key', line('lagan-identity-1'), 'identity'),
    make('ok-recipient', 'ok', 'KEY-11', 'a public key', line('lagan-recipient-1'), 'recipient'),
    make('one-symbol', 'malformed-key', 'KEY-10', 'one changed symbol', swap(first, good[first] === 'Z' ? 'Y' : 'Z')),
    make(
      'swapped',
      'malformed-key',
      'KEY-10',
      'two swapped symbols',
      good.slice(0, first) + good[first + 1] + good[first] + good.slice(first + 2),
    ),
    make('symbol-u', 'malformed-key', 'KEY-10', 'a U', swap(first, 'U')),
    make('short', 'malformed-key', 'KEY-10', 'a symbol too few', good.slice(0, -1)),
    make('long', 'malformed-key', 'KEY-10', 'a symbol too many', `${good}0`),
    make(
      'padding',
      'malformed-key',
      'KEY-10',
      'padding that is not zero',
      good.slice(0, -1) + alphabet[alphabet.indexOf(good.at(-1)!) + 1],
    ),
    make('comments-only', 'malformed-key', 'KEY-10', 'no key', '# lagan key file\n'),
    make('empty', 'malformed-key', 'KEY-10', 'nothing', ''),
    make('other-kind', 'malformed-key', 'KEY-11', 'a public key where a key file is needed', line('lagan-recipient-1')),
    make('other-version', 'malformed-key', 'KEY-11', 'version 2', good.replace('-1 ', '-2 ')),
    make('bare-other-kind', 'malformed-key', 'KEY-11', 'a public key without its word', grouped(symbols('lagan-recipient-1'))),
  ];
}

/** By way of one big number. The first words are those of the list for small numbers: they need no list here. */
function keyWords(): Vector[] {
  const key = new Uint8Array(32);
  const abandon = Array.from({ length: 23 }, () => 'abandon');
  const good = [...abandon, 'art'];
  const make = (name: string, expect: string, covers: string, comment: string, words: string): Vector => ({
    container: 'key-words',
    name,
    expect,
    covers: [covers],
    comment,
    inputs: {},
    result: key,
    parts: [['words', text(words)]],
  });
  return [
    make('ok', 'ok', 'KEY-18', 'a key of zeros', good.join(' ')),
    make('ok-page', 'ok', 'KEY-18', 'as they are printed', good.map((word, index) => `${index + 1}. ${word}`).join('\n')),
    make('ok-capitals', 'ok', 'KEY-18', 'capitals and commas', good.join(', ').toUpperCase()),
    make('ok-four-letters', 'ok', 'KEY-18', 'cut after four letters', good.map((word) => word.slice(0, 4)).join(' ')),
    make('three-letters', 'malformed-key', 'KEY-19', 'cut after three letters', good.join(' ').replace('abandon', 'aba')),
    make('five-letters', 'malformed-key', 'KEY-19', 'a letter is missing', good.join(' ').replace('abandon', 'abando')),
    make('checksum', 'malformed-key', 'KEY-19', 'a wrong checksum', [...abandon, 'about'].join(' ')),
    make('unknown', 'malformed-key', 'KEY-19', 'a word that is not in the list', [...abandon, 'arts'].join(' ')),
    make('short', 'malformed-key', 'KEY-19', 'a word too few', good.slice(1).join(' ')),
    make('long', 'malformed-key', 'KEY-19', 'a word too many', ['abandon', ...good].join(' ')),
    make('twelve', 'malformed-key', 'KEY-19', 'twelve words with a checksum', [...abandon.slice(0, 11), 'about'].join(' ')),
    make('empty', 'malformed-key', 'KEY-19', 'nothing', ''),
  ];
}
