import t from 'tap';
import { argon2id, argon2idByHashWasm } from '../../../engine/keys/argon2id.ts';
import { toHex } from '../../../repo-format/mod.ts';

const password = new TextEncoder().encode('correct horse battery staple');
const salt = new Uint8Array(32).map((_, index) => index);

t.test('argon2id: the runtime and hash-wasm agree', async (t) => {
  for (const cost of [
    { memoryKiB: 8, passes: 1, lanes: 1 },
    { memoryKiB: 64, passes: 3, lanes: 4 },
    { memoryKiB: 1024, passes: 2, lanes: 3 },
  ]) {
    t.same(await argon2id(password, { salt, ...cost }), await argon2idByHashWasm(password, { salt, ...cost }), JSON.stringify(cost));
  }
});

t.test('argon2id: fixed vectors', async (t) => {
  // Made by hash-wasm 4.12 and by OpenSSL 3.5, see the test above.
  t.equal(
    toHex(await argon2id(password, { salt, memoryKiB: 64, passes: 3, lanes: 4 })),
    '9fabdcd6745c36df7b1e0446847d3ceb5ba878236cf1869d516e62cfe3df9bd5',
  );
});

t.test('argon2id: memory that cannot be had is an error', async (t) => {
  await t.rejects(argon2id(password, { salt, memoryKiB: 2 ** 33, passes: 1, lanes: 1 }), { code: 'unsupported', found: 2 ** 33 });
});
