import t from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { maintain, recover } from '../../../engine/maintain/mod.ts';
import { PackReader } from '../../../engine/packs/mod.ts';
import { listReportedPacks, type Repository, readLostPacks, readRoot, writeDamageReport } from '../../../engine/repository/mod.ts';
import { LaganError, objectNames, type PackId } from '../../../repo-format/mod.ts';
import { isOfData } from '../../reliability/_lost-packs.ts';
import { replaceObject } from '../repository/sample.ts';
import { FaultyStorage, withFlippedBit } from '../storage/faulty-storage.ts';
import {
  backUpOf,
  expectContents,
  files,
  type History,
  latestContents,
  leaveLitter,
  newHistory,
  newHistoryOfSmallPacks,
  over,
  packs,
  snapshotOf,
} from './_fixture.ts';

/** The packs of data. */
async function dataPacks({ repository }: History): Promise<PackId[]> {
  const found: PackId[] = [];
  for (const name of await packs({ repository } as History)) {
    const pack = name.slice(name.lastIndexOf('/') + 1) as PackId;
    if (await isOfData(repository, pack)) found.push(pack);
  }
  return found;
}

async function packsOfSeveralBlocks(history: History): Promise<PackId[]> {
  const found: PackId[] = [];
  for (const pack of await dataPacks(history))
    if ((await new PackReader(history.repository).open(pack, 'pack')).blocks.length > 1) found.push(pack);
  return found;
}

const report = (repository: Repository, pack: PackId) =>
  writeDamageReport(repository, [{ object: objectNames.pack(pack), pack, chunks: [], kind: 'pack-missing' }]);
const lostOf = async ({ repository }: History) => readLostPacks(repository, await readRoot(repository));
const backUpAgain = async (history: History) => history.expected.set((await backUpOf(history)).snapshotId!, latestContents(history));

t.test('maintain: what is lost is told until it is back, and nothing else is held up', async (t) => {
  const history = await newHistory(t);
  await snapshotOf(history, files('a', 6));
  await leaveLitter(history.repository);
  await maintain(history.repository);
  const [pack] = await dataPacks(history);
  await history.repository.storage.delete([objectNames.pack(pack!)]);
  await t.rejects(maintain(history.repository), { code: 'rolled-back', hint: /lagan check/ });
  await check(history.repository, { workers: 1, record: true });
  t.match(await maintain(history.repository, { dryRun: true }), { outcome: 'dry-run', lostPacks: 0 });
  const { lostChunks, ...told } = await maintain(history.repository);
  t.match(told, { outcome: 'collected', lostPacks: 1 });
  t.ok(lostChunks > 0, `${lostChunks} chunks are lost`);
  t.match(await maintain(history.repository), { outcome: 'idle', lostPacks: 1, lostChunks });
  await backUpAgain(history);
  t.match(await maintain(history.repository), { outcome: 'collected', lostPacks: 1, lostChunks: 0 });
  t.match(await maintain(history.repository), { outcome: 'idle', lostPacks: 1, lostChunks: 0 });
  await expectContents(t, history);
  t.same((await check(history.repository, { workers: 1, readData: true })).errors, []);
});

t.test('maintain: a damaged block is lost, the others of its pack are not', async (t) => {
  const history = await newHistoryOfSmallPacks(t);
  await snapshotOf(history, files('a', 10, 3000));
  const [pack] = await packsOfSeveralBlocks(history);
  const name = objectNames.pack(pack!);
  const whole = await history.repository.storage.get(name);
  await replaceObject(history.repository.storage, name, withFlippedBit(whole, 8 * 300));
  await report(history.repository, pack!);
  const { lostChunks } = await maintain(history.repository);
  const { blocks } = await new PackReader(history.repository).open(pack!, 'pack');
  t.equal(lostChunks, blocks[0]!.chunkLengths.length, 'those of the first block');
  // Somebody has mended it.
  await replaceObject(history.repository.storage, name, whole);
  t.match(await maintain(history.repository), { outcome: 'collected', lostPacks: 0, lostChunks: 0 });
  await expectContents(t, history);
  t.same((await check(history.repository, { workers: 1, readData: true })).errors, []);
  const again = await backUpOf(history, { force: true });
  t.equal(again.statistics.newBytes, 0, 'its chunks are in the index again');
});

t.test('maintain: a request that fails settles nothing, whatever the store calls it', async (t) => {
  const history = await newHistory(t);
  await snapshotOf(history, files('a', 3));
  const [pack] = await dataPacks(history);
  await report(history.repository, pack!);
  for (const code of ['io', 'unavailable', 'forbidden', 'not-found'] as const) {
    const onCall = (operation: string, name: string) => {
      if (operation === 'get' && name === objectNames.pack(pack!)) throw new LaganError(code, 'the store cannot read it');
    };
    await leaveLitter(history.repository);
    await maintain(over(history, new FaultyStorage(history.repository.storage, { onCall })).repository);
    t.same(await listReportedPacks(history.repository), new Set([pack]), code);
    t.equal((await lostOf(history)).size, 0, code);
  }
  await maintain(history.repository);
  t.same(await listReportedPacks(history.repository), new Set(), 'it is good');
  await expectContents(t, history);
});

t.test('recover: what is called lost is lost afterwards, too', async (t) => {
  const history = await newHistory(t);
  await snapshotOf(history, files('a', 6));
  const [pack] = await dataPacks(history);
  const name = objectNames.pack(pack!);
  await replaceObject(history.repository.storage, name, withFlippedBit(await history.repository.storage.get(name), 8 * 300));
  await report(history.repository, pack!);
  await maintain(history.repository);
  t.ok((await lostOf(history)).has(pack!));
  t.match(await recover(history.repository, { force: true }), { outcome: 'recovered' });
  t.ok((await lostOf(history)).has(pack!));
  await backUpAgain(history);
  await leaveLitter(history.repository);
  await maintain(history.repository);
  await expectContents(t, history);
});
