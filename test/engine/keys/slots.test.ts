import t from 'tap';
import { type NewSlot, newIdentity, newKeyFileSecret, randomKey, type Secret, sealNewSlot, unlock } from '../../../engine/keys/mod.ts';
import { decodeKeySlot, type KeySlot, metadataAccessKey } from '../../../repo-format/mod.ts';

const repositoryId = new Uint8Array(16).fill(7);
const fullAccessKey = randomKey();
const created = { seconds: 1_700_000_000, nanoseconds: 5 };
const cost = { memoryKiB: 32, passes: 1, lanes: 1 };
const password = (text: string): NewSlot['secret'] => ({ kind: 'password', password: text, cost });

async function makeSlot(slot: NewSlot): Promise<KeySlot> {
  const { name, bytes } = await sealNewSlot(slot, { repositoryId, fullAccessKey, created });
  return decodeKeySlot(bytes, name);
}

t.test('unlock: each kind of secret opens its slot, among others', async (t) => {
  const key = newKeyFileSecret();
  const { privateKey, publicKey } = newIdentity();
  const slots = await Promise.all([
    makeSlot({ secret: password('first'), label: 'a' }),
    makeSlot({ secret: newKeyFileSecret(), label: 'b' }),
    makeSlot({ secret: { kind: 'recipient', publicKey: newIdentity().publicKey }, label: 'c' }),
    makeSlot({ secret: key, label: 'key' }),
    makeSlot({ secret: { kind: 'recipient', publicKey }, label: 'recipient' }),
    makeSlot({ secret: password('second'), label: 'password' }),
  ]);
  const secrets: [string, Secret][] = [
    ['key', key],
    ['recipient', { kind: 'identity', privateKey }],
    ['password', { kind: 'password', password: 'second' }],
  ];
  for (const [label, secret] of secrets) {
    const opened = await unlock(slots, [secret], { needs: 'full' });
    t.equal(opened.slot.label, label);
    t.same(opened.accessKey, fullAccessKey);
  }
  const several = await unlock(slots, [newKeyFileSecret(), { kind: 'password', password: 'first' }], { needs: 'full' });
  t.equal(several.slot.label, 'a', 'several secrets are tried one after the other');
});

t.test('unlock: a wrong secret says how many slots were tried', async (t) => {
  const slots = await Promise.all([
    makeSlot({ secret: password('first'), label: 'a' }),
    makeSlot({ secret: password('second'), label: 'b' }),
    makeSlot({ secret: newKeyFileSecret(), label: 'c' }),
  ]);
  await t.rejects(unlock(slots, [{ kind: 'password', password: 'third' }], { needs: 'full' }), {
    code: 'wrong-key',
    found: 2,
    hint: /keyboard/,
    message: /“a”, “b”/,
  });
  await t.rejects(unlock(slots, [newKeyFileSecret()], { needs: 'full' }), { code: 'wrong-key', found: 1 });
  await t.rejects(unlock(slots, [{ kind: 'identity', privateKey: newIdentity().privateKey }], { needs: 'full' }), {
    code: 'no-key',
    found: 0,
    expected: '2 of kind password, 1 of kind key file',
  });
  await t.rejects(unlock(slots, [], { needs: 'full' }), { code: 'no-key' });
  await t.rejects(unlock([], [newKeyFileSecret()], { needs: 'full' }), { code: 'no-key', expected: 'none' });
});

t.test('unlock: passwords are the same in every spelling of Unicode', async (t) => {
  const slots = [await makeSlot({ secret: password('cafe\u0301 \u{1F511}'), label: 'a' })];
  t.ok(await unlock(slots, [{ kind: 'password', password: 'caf\u00e9 \u{1F511}' }], { needs: 'full' }));
  await t.rejects(unlock(slots, [{ kind: 'password', password: 'cafe \u{1F511}' }], { needs: 'full' }), { code: 'wrong-key' });
});

t.test('unlock: a slot for metadata gives the derived access key, and does not stand in the way of a full one', async (t) => {
  const key = newKeyFileSecret();
  const limited = await makeSlot({ secret: key, label: 'limited', grants: 'metadata' });
  const opened = await unlock([limited], [key], { needs: 'metadata' });
  t.same(opened.accessKey, metadataAccessKey(fullAccessKey, repositoryId));
  await t.rejects(unlock([limited], [key], { needs: 'full' }), { code: 'no-key', found: 'metadata' });
  const full = await makeSlot({ secret: key, label: 'full' });
  t.equal((await unlock([limited, full], [key], { needs: 'full' })).slot.label, 'full');
});

t.test('unlock: a slot that cannot be tried does not keep others from being tried', async (t) => {
  const { privateKey, publicKey } = newIdentity();
  const good = await makeSlot({ secret: { kind: 'recipient', publicKey }, label: 'good' });
  const hostile = { ...good, ephemeral: new Uint8Array(32) } as KeySlot;
  const secret: Secret = { kind: 'identity', privateKey };
  t.equal((await unlock([hostile, good], [secret], { needs: 'full' })).slot.label, 'good');
  await t.rejects(unlock([hostile], [secret], { needs: 'full' }), { code: 'malformed-key' });
});

t.test('unlock: no field of a slot can be changed', async (t) => {
  const key = newKeyFileSecret();
  const { name, bytes } = await sealNewSlot({ secret: key, label: 'label' }, { repositoryId, fullAccessKey, created });
  const accepted: number[] = [];
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = bytes.slice();
    changed[bit >> 3]! ^= 1 << (bit & 7);
    try {
      await unlock([decodeKeySlot(changed, name)], [key], { needs: 'full' });
      accepted.push(bit);
    } catch (error) {
      const code = (error as { code?: string }).code ?? 'none';
      if (!['malformed', 'wrong-key', 'no-key', 'name-mismatch', 'limit-exceeded', 'repository-too-new'].includes(code))
        t.fail(`bit ${bit}: ${code}: ${error}`);
    }
  }
  t.same(accepted, []);
});

t.test('sealNewSlot: the same secret never makes the same slot', async (t) => {
  const key = newKeyFileSecret();
  const [left, right] = await Promise.all([makeSlot({ secret: key, label: 'a' }), makeSlot({ secret: key, label: 'a' })]);
  t.notSame(left.sealed, right.sealed);
  t.not(left.id, right.id);
});

t.test('sealNewSlot: what is refused', async (t) => {
  const seal = (slot: NewSlot) => sealNewSlot(slot, { repositoryId, fullAccessKey, created });
  await t.rejects(seal({ secret: password(''), label: 'a' }), { code: 'usage' });
  await t.rejects(seal({ secret: password('x'.repeat(4097)), label: 'a' }), { code: 'usage', found: 4097 });
  await t.resolves(seal({ secret: password('x'.repeat(4096)), label: 'a' }));
  for (const label of ['', 'a\nb', 'x'.repeat(201)])
    await t.rejects(seal({ secret: newKeyFileSecret(), label }), { code: 'usage', found: label });
  await t.rejects(seal({ secret: { kind: 'recipient', publicKey: new Uint8Array(32) }, label: 'a' }), { code: 'malformed-key' });
  for (const wrong of [
    { memoryKiB: 7, passes: 1, lanes: 1 },
    { memoryKiB: 31, passes: 1, lanes: 4 },
    { memoryKiB: 64, passes: 0, lanes: 1 },
    { memoryKiB: 64, passes: 65, lanes: 1 },
    { memoryKiB: 4096, passes: 1, lanes: 65 },
    { memoryKiB: 2 ** 23, passes: 1, lanes: 1 },
    { memoryKiB: 64.5, passes: 1, lanes: 1 },
  ]) {
    await t.rejects(
      seal({ secret: { kind: 'password', password: 'x', cost: wrong }, label: 'a' }),
      { code: 'usage' },
      JSON.stringify(wrong),
    );
  }
});
