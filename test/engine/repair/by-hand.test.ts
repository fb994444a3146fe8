/** What docs/repair.md says about objects that a repair cannot mend. */
import t, { type Test } from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { recover } from '../../../engine/maintain/mod.ts';
import { backup, maintain, openRepository } from '../../../engine/mod.ts';
import { InMemory } from '../../../engine/storage/mod.ts';
import { makeSample, namesBelow, type Objects, secret } from '../../corruption/sample-repository.ts';

/** The sample after two collections: with a base index and a catalogue. */
const objects = await (async (): Promise<Objects> => {
  const sample = await makeSample(t.testdir());
  const storage = new InMemory();
  for (const [name, bytes] of sample.objects) await storage.create(name, [bytes]);
  for (let index = 0; index < 16; index++) {
    const repository = await openRepository(storage, { secret, mode: 'write' });
    await backup(repository, { paths: [sample.source], description: `${index}`, workers: 1 });
  }
  await maintain(await openRepository(storage, { secret, mode: 'write' }));
  const stored: Objects = new Map();
  for await (const { name } of storage.list('')) stored.set(name, await storage.get(name));
  return stored;
})();

async function storageWith(damage: (objects: Objects) => void): Promise<InMemory> {
  const damaged = new Map(objects);
  damage(damaged);
  const storage = new InMemory();
  for (const [name, bytes] of damaged) await storage.create(name, [bytes]);
  return storage;
}

function spoil(name: string, kind: 'gone' | 'damaged' | 'empty'): (objects: Objects) => void {
  return (stored) => {
    const bytes = stored.get(name)!.slice();
    bytes[bytes.length >> 1]! ^= 1;
    if (kind === 'gone') stored.delete(name);
    else stored.set(name, kind === 'empty' ? new Uint8Array(0) : bytes);
  };
}

async function expectRecovered(t: Test, storage: InMemory, what: string): Promise<void> {
  const repository = await openRepository(storage, { secret, mode: 'write' });
  const result = await recover(repository, { force: true });
  t.match(result, { outcome: 'recovered' }, what);
  t.equal(result.snapshots.length, 18, `${what}: all snapshots`);
  const { errors, snapshots } = await check(await openRepository(storage, { secret, mode: 'read' }), { readData: true });
  t.same(
    errors.filter(({ object }) => !object?.startsWith('collector/')),
    [],
    `${what}: sound afterwards`,
  );
  t.equal(snapshots, 18);
}

t.test('recover: the newest base index is damaged, empty or gone', async (t) => {
  const name = namesBelow(objects, 'collector/index/').at(-1)!;
  for (const kind of ['damaged', 'gone', 'empty'] as const)
    await expectRecovered(t, await storageWith(spoil(name, kind)), `${name} ${kind}`);
});
