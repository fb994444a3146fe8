/** A node that two packs hold: each snapshot relies on the pack that it refers to. */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { InMemory } from '../../../engine/storage/mod.ts';
import { backUp, makeSample, open, scratchFolder } from '../../reliability/_crash-points.ts';
import { namesIn } from '../repository/sample.ts';

t.test('check: a node that was stored twice is looked for in the pack of each snapshot', async (t) => {
  const { source, storage } = await makeSample(scratchFolder(t), new InMemory());
  // Without content, so that the nodes of both backups are the same wherever they are stored.
  fs.writeFileSync(path.join(source, 'empty'), '');
  const repository = await open(storage);
  await backUp(repository, source);
  const first = await namesIn(storage, 'writer/packs/');
  // Without its index table, the next backup stores the node again.
  await storage.delete(await namesIn(storage, 'writer/index/'));
  const second = await backUp(repository, source, { force: true });
  const { errors } = await check(repository);
  t.notOk(
    errors.find(({ message }) => message.includes('lacks')),
    'the lists of packs are right',
  );
  const packs = (await namesIn(storage, 'writer/packs/')).filter((name) => !first.includes(name));
  t.ok(packs.length > 0);
  await storage.delete(packs);
  const damage = (await check(repository)).errors.filter(({ code }) => code === 'pack-missing');
  t.ok(
    damage.some(({ snapshots }) => snapshots.includes(second)),
    'the second snapshot is hurt',
  );
});
