import t from 'tap';
import { copySnapshots } from '../../../engine/copy/mod.ts';
import { maintain } from '../../../engine/maintain/mod.ts';
import { listCheckpoints, listSnapshots, markSnapshots, openRepository } from '../../../engine/repository/mod.ts';
import { LaganError } from '../../../repo-format/mod.ts';
import { write } from '../backup/_fixture.ts';
import { randomBytesOf } from '../random.ts';
import { copyOf } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import { backUpInto, expectSame, newFolder, newSource, newTarget, otherCutting, otherSecret } from './_fixture.ts';

const open = async (storage: Parameters<typeof openRepository>[0]) => openRepository(storage, { secret: otherSecret, mode: 'write' });
/** Checkpoints come early. */
const limits = { checkpointNewBytes: 60_000, windowChunks: 40, batchBytes: 50_000, pieceBytes: 25_000 };

for (const alike of [true, false]) {
  t.test(
    `copySnapshots: interrupted at any request, nothing is half there, and the next one goes on (${alike ? 'blocks' : 'files'})`,
    async (t) => {
      const [folder, source] = [newFolder(t), await newSource()];
      for (let index = 0; index < 8; index++) write(folder, `${index}`, randomBytesOf(`${index}`, 20_000));
      await backUpInto(source, folder);
      write(folder, '3', 'changed');
      await backUpInto(source, folder);
      const snapshots = await listSnapshots(source);
      const empty = await newTarget(alike ? { like: source } : otherCutting);
      const counting = new FaultyStorage(await copyOf(empty.storage));
      await copySnapshots(source, await open(counting), { snapshots, limits, workers: 1 });
      const every = process.env.LAGAN_EVERY_MOMENT ? 1 : 37;
      for (let call = 12; call <= counting.calls.length; call += every) {
        const storage = await copyOf(empty.storage);
        const error = () => new LaganError('unavailable', 'test');
        const target = await open(storage);
        const when = call % 2 === 0 ? 'before' : 'after';
        const faulty = new FaultyStorage(storage, { faults: [{ call, when, forever: true, error }] });
        const stopped = await copySnapshots(source, { ...target, storage: faulty }, { snapshots, limits, workers: 1 }).catch(
          ({ code }) => code,
        );
        if (typeof stopped === 'string') t.equal(stopped, 'unavailable');
        const again = await open(storage);
        await copySnapshots(source, again, { snapshots, limits, workers: 1 });
        t.comment(`stopped ${when} call ${call}`);
        await expectSame(t, source, again, 'with litter');
      }
    },
  );
}

t.test('copySnapshots: what a checkpoint has is not copied again, though the collector came meanwhile', async (t) => {
  for (const alike of [true, false]) {
    const [folder, source] = [newFolder(t), await newSource()];
    for (let index = 0; index < 30; index++) write(folder, `${index}`.padStart(2, '0'), randomBytesOf(`${index}`, 30_000));
    await backUpInto(source, folder);
    const snapshots = await listSnapshots(source);
    const target = await newTarget(alike ? { like: source } : otherCutting);
    const faulty = new FaultyStorage(target.storage, { faults: [{ operation: 'createWriter', name: /packs/, call: 14, forever: true }] });
    await t.rejects(copySnapshots(source, { ...target, storage: faulty }, { snapshots, limits, workers: 1 }));
    t.same(await listSnapshots(target), [], 'nothing is shown');
    t.ok((await listCheckpoints(target)).length > 0);
    await maintain(target);
    const { snapshots: copied } = await copySnapshots(source, target, { snapshots, workers: 1 });
    t.ok(copied[0]!.newBytes < 700_000, `${alike}: ${copied[0]!.newBytes} bytes`);
    await expectSame(t, source, target, 'with litter');
  }
});

t.test('copySnapshots: a collection of the target that passes the copy makes it begin anew by itself', async (t) => {
  const [folder, other, source] = [newFolder(t), newFolder(t), await newSource()];
  for (let index = 0; index < 20; index++) write(folder, `${index}`, randomBytesOf(`${index}`, 30_000));
  await backUpInto(source, folder);
  const target = await newTarget({ like: source });
  for (const content of ['a', 'b']) {
    write(other, 'changing', content);
    await backUpInto(target, other);
  }
  await markSnapshots(target, [(await listSnapshots(target))[0]!.id], { reason: 'test' });
  let collections = 0;
  const faulty = new FaultyStorage(target.storage, {
    onCall: async (operation, name) => {
      if (operation !== 'createWriter' || !name.includes('packs') || collections > 0) return;
      collections++;
      await maintain(await open(target.storage));
    },
  });
  await copySnapshots(source, { ...target, storage: faulty }, { snapshots: await listSnapshots(source) });
  t.equal(collections, 1);
  t.equal((await listSnapshots(target)).length, 2);
});

t.test('copySnapshots: a signal ends it, and the next one goes on', async (t) => {
  const [folder, source, target] = [newFolder(t), await newSource(), await newTarget()];
  for (let index = 0; index < 20; index++) write(folder, `${index}`, randomBytesOf(`${index}`, 30_000));
  await backUpInto(source, folder);
  const snapshots = await listSnapshots(source);
  const ending = new AbortController();
  const faulty = new FaultyStorage(source.storage, {
    onCall: (operation, name) => void (operation === 'get' && name.includes('packs') && ending.abort()),
  });
  await t.rejects(copySnapshots({ ...source, storage: faulty }, target, { snapshots, signal: ending.signal }), { code: 'interrupted' });
  t.match(await copySnapshots(source, target, { snapshots }), { snapshots: [{ outcome: 'copied' }] });
  await expectSame(t, source, target, 'with litter');
});
