import t from 'tap';
import { KeyRing, metadataKeyringOf, newKeyring, openKeyring, randomKey, sealKeyrings } from '../../../engine/keys/mod.ts';
import { deriveKey, type FullKeyring, metadataAccessKey } from '../../../repo-format/mod.ts';

const repositoryId = new Uint8Array(16).fill(9);
const keyring: FullKeyring = {
  grants: 'full',
  number: 3,
  newest: 5,
  epochs: [
    { epoch: 2, master: new Uint8Array(32).fill(2) },
    { epoch: 5, master: new Uint8Array(32).fill(5) },
  ],
};

t.test('KeyRing: each key comes from the epoch that it belongs to', async (t) => {
  const ring = KeyRing.fromKeyring(keyring, { repositoryId, nameEpoch: 2 });
  const derive = (fill: number, key: Parameters<typeof deriveKey>[2]) => deriveKey(new Uint8Array(32).fill(fill), repositoryId, key);
  t.equal(ring.newestEpoch, 5);
  t.same(ring.dataKey(2), derive(2, 'data'));
  t.same(ring.dataKey(5), derive(5, 'data'));
  t.same(ring.metadataKey(5), derive(5, 'metadata'));
  t.same(ring.classKey('pack', 5), derive(5, 'data'));
  t.same(ring.classKey('metadata-pack', 2), derive(2, 'metadata'));
  t.same(ring.classKey('root', 2), derive(2, 'metadata'));
  t.same([ring.nameKey, ring.metadataNameKey, ring.cutKey], [derive(2, 'name'), derive(2, 'metadataName'), derive(2, 'cut')]);
  t.throws(() => ring.dataKey(3), { code: 'authentication-failed', found: 3, expected: '2, 5' });
  t.throws(() => KeyRing.fromKeyring(keyring, { repositoryId, nameEpoch: 3 }), { code: 'malformed', found: 3 });
});

t.test('KeyRing: one for metadata has the same keys as the full one, as far as it has them', async (t) => {
  const full = KeyRing.fromKeyring(keyring, { repositoryId, nameEpoch: 2 });
  const ring = KeyRing.fromKeyring(metadataKeyringOf(keyring, { repositoryId, nameEpoch: 2 }), { repositoryId, nameEpoch: 2 });
  t.equal(ring.grants, 'metadata');
  t.same(ring.metadataKey(2), full.metadataKey(2));
  t.same(ring.metadataNameKey, full.metadataNameKey);
  for (const forbidden of [() => ring.dataKey(2), () => ring.nameKey, () => ring.cutKey, () => ring.classKey('pack', 5)])
    t.throws(forbidden, { code: 'no-key', found: 'metadata' });
});

t.test('KeyRing: goes to other threads as plain values', async (t) => {
  const ring = KeyRing.fromKeyring(keyring, { repositoryId, nameEpoch: 2 });
  const copy = KeyRing.fromPlain(structuredClone(ring.toPlain()));
  t.same(copy.dataKey(5), ring.dataKey(5));
  t.same(
    [copy.nameKey, copy.cutKey, copy.metadataNameKey, copy.repositoryId],
    [ring.nameKey, ring.cutKey, ring.metadataNameKey, ring.repositoryId],
  );
});

t.test('openKeyring opens what sealKeyrings sealed, and nothing else', async (t) => {
  const fullAccessKey = randomKey();
  const sealed = sealKeyrings(keyring, { repositoryId, fullAccessKey, nameEpoch: 2 });
  t.same(
    sealed.map(({ name }) => name),
    ['owner/keyring/00000003-full', 'owner/keyring/00000003-metadata'],
  );
  const accessKeys = { full: fullAccessKey, metadata: metadataAccessKey(fullAccessKey, repositoryId) };
  for (const [index, grants] of (['full', 'metadata'] as const).entries()) {
    const { bytes } = sealed[index]!;
    const place = { repositoryId, number: 3, grants, accessKey: accessKeys[grants] };
    const opened = openKeyring(bytes, place);
    t.equal(opened.grants, grants);
    t.same(
      opened.epochs.map(({ epoch }) => epoch),
      [2, 5],
    );
    const damaged = { code: 'authentication-failed' };
    for (let length = 0; length < bytes.length; length++) t.throws(() => openKeyring(bytes.subarray(0, length), place), damaged);
    for (let bit = 0; bit < bytes.length * 8; bit += 3) {
      const changed = bytes.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      t.throws(() => openKeyring(changed, place), damaged);
    }
    t.throws(() => openKeyring(bytes, { ...place, number: 4 }), damaged, 'under another number');
    t.throws(() => openKeyring(bytes, { ...place, grants: grants === 'full' ? 'metadata' : 'full' }), damaged, 'in another form');
    t.throws(() => openKeyring(bytes, { ...place, repositoryId: new Uint8Array(16) }), damaged, 'of another repository');
  }
});

t.test('newKeyring: a new master each time', async (t) => {
  t.notSame(newKeyring().epochs[0]!.master, newKeyring().epochs[0]!.master);
});
