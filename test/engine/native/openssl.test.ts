import t from 'tap';
import { openOpenssl } from '../../../engine/native/mod.ts';
import { aeadTagSizeBytes, nodeAead } from '../../../repo-format/mod.ts';
import { randomBytesOf } from '../random.ts';

const direct = openOpenssl();
const inputs = { key: randomBytesOf('key', 32), nonce: randomBytesOf('nonce', 12), additionalData: randomBytesOf('data', 92) };

t.test(
  'openOpenssl: seals and opens as node:crypto does',
  { skip: direct === undefined && 'this Node does not export OpenSSL' },
  async (t) => {
    const memory = new Uint8Array(new WebAssembly.Memory({ initial: 64 }).buffer);
    for (const size of [1, 15, 16, 17, 4_095, 4_096, 1_000_003]) {
      const plaintext = randomBytesOf(`${size}`, size);
      for (const cut of [0, 1, size >> 1, size]) {
        const sealed = memory.subarray(5, 5 + size + aeadTagSizeBytes);
        direct!.seal(inputs, [plaintext.subarray(0, cut), plaintext.subarray(cut)], sealed);
        const expected = new Uint8Array(size + aeadTagSizeBytes);
        nodeAead.seal(inputs, [plaintext], expected);
        t.equal(Buffer.compare(sealed, expected), 0, `${size} bytes, cut at ${cut}`);
        const [ours, theirs] = [new Uint8Array(size), new Uint8Array(size)];
        t.ok(direct!.open(inputs, expected, ours) && nodeAead.open(inputs, sealed, theirs));
        t.ok(Buffer.compare(ours, plaintext) === 0 && Buffer.compare(theirs, plaintext) === 0);
        t.ok(direct!.open(inputs, sealed, sealed.subarray(0, size)), 'in place');
        t.equal(Buffer.compare(sealed.subarray(0, size), plaintext), 0);
      }
    }
  },
);

t.test('openOpenssl: whatever is changed is refused, and the next one opens', { skip: direct === undefined }, async (t) => {
  const plaintext = randomBytesOf('plaintext', 1_000);
  const good = new Uint8Array(1_000 + aeadTagSizeBytes);
  direct!.seal(inputs, [plaintext], good);
  for (const aead of [direct!, nodeAead]) {
    const opens = (sealed: Uint8Array, changed = inputs) => aead.open(changed, sealed, new Uint8Array(1_000));
    for (const at of [0, 500, 999, 1_000, 1_015]) {
      const bad = good.slice();
      bad[at]! ^= 0x10;
      t.equal(opens(bad), false, `byte ${at}`);
    }
    for (const part of ['key', 'nonce', 'additionalData'] as const) {
      const other = inputs[part].slice();
      other[3]! ^= 1;
      t.equal(opens(good, { ...inputs, [part]: other }), false, part);
    }
    t.ok(opens(good));
  }
});

t.test('openOpenssl: a library that lacks a function, or gives something else, is not used', async (t) => {
  t.equal(
    openOpenssl(() => undefined),
    undefined,
  );
  t.equal(
    openOpenssl(() => () => 0),
    undefined,
  );
  t.equal(
    openOpenssl(() => () => 1),
    undefined,
  );
});
