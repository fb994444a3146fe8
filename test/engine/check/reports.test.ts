/** What a check tells others of damage, and what it makes of damage that hurts nothing. */
import t from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { backup } from '../../../engine/mod.ts';
import { listDamageReports } from '../../../engine/repository/mod.ts';
import { LaganError } from '../../../repo-format/mod.ts';
import { flip, makeSample, openDamaged, packsOf } from '../../corruption/sample-repository.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';

const sample = await makeSample(t.testdir());
const [data] = await packsOf(await openDamaged(sample), 'pack');
const block = data!.blocks[1]!;

t.test('check: reports a damaged pack once, with the chunks that are lost', async (t) => {
  const repository = await openDamaged(sample, (objects) => flip(objects, data!.name, block.offset + 50));
  t.match(await check(repository, { readData: true }), { reports: 0, notRecorded: null });
  t.same(await listDamageReports(repository), [], 'nothing unless it is asked for');
  t.match(await check(repository, { readData: true, record: true }), { reports: 1, notRecorded: null });
  t.match(await check(repository, { readData: true, record: true }), { reports: 0 }, 'it is known');
  const reports = await listDamageReports(repository);
  t.match(reports, [{ value: { findings: [{ object: data!.name, pack: data!.id, kind: 'authentication-failed' }] } }]);
  const chunks = reports[0]!.value.findings[0]!.chunks.map((name) => Buffer.from(name).toString('hex')).sort();
  t.same(
    chunks,
    Array.from({ length: block.names.length / 32 }, (_, index) =>
      Buffer.from(block.names.subarray(index * 32, index * 32 + 32)).toString('hex'),
    ).sort(),
  );
});

t.test('check: reports a pack that is gone, and finds it where it may not report it', async (t) => {
  const gone = await openDamaged(sample, (objects) => objects.delete(data!.name));
  await check(gone, { record: true });
  t.match(await listDamageReports(gone), [{ value: { findings: [{ pack: data!.id, chunks: [], kind: 'pack-missing' }] } }]);
  const { storage, ...rest } = await openDamaged(sample, (objects) => objects.delete(data!.name));
  const error = () => new LaganError('forbidden', 'no');
  const refusing = new FaultyStorage(storage, { faults: [{ operation: 'create', call: 1, forever: true, error }] });
  const result = await check({ ...rest, storage: refusing }, { record: true });
  t.match(result, { errors: [{ code: 'pack-missing' }], reports: 0, notRecorded: { code: 'forbidden' } });
});

t.test('check: damage of which other packs have all that is needed is a note', async (t) => {
  const repository = await openDamaged(sample, (objects) => objects.delete(data!.name));
  t.equal((await check(repository)).errors.length, 1);
  await backup(repository, { paths: [sample.source], force: true, workers: 1 });
  const { errors, notes } = await check(repository);
  const found = [...errors, ...notes].find(({ object }) => object === data!.name);
  t.match(found, { code: 'pack-missing' });
  t.equal(found!.severity === 'note', found!.pathCount === 0, 'damage as long as a file is hurt');
});
