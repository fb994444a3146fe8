import t from 'tap';
import { InMemory } from '../../../engine/storage/mod.ts';
import { storageConformance } from '../../conformance/storage.ts';

storageConformance(t, { makeStorage: async () => new InMemory() });

t.test('InMemory: places are apart from each other', async (t) => {
  const [left, right] = [new InMemory(), new InMemory()];
  await left.create('a/b', []);
  t.equal(await right.state(), 'empty');
});
