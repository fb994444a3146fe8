import t from 'tap';
import { copySnapshots } from '../../../engine/copy/mod.ts';
import { maintain } from '../../../engine/maintain/mod.ts';
import { zstd } from '../../../engine/native/mod.ts';
import { annotateSnapshot, holdSnapshots, listSnapshots, markSnapshots } from '../../../engine/repository/mod.ts';
import { write } from '../backup/_fixture.ts';
import { randomBytesOf } from '../random.ts';
import { namesIn } from '../repository/sample.ts';
import { backUpInto, expectSame, newFolder, newSource, newTarget, otherCutting, sizeOf, small, writeVariety } from './_fixture.ts';

/** Calls of the compressor at the level of data since the last count: trees are compressed at another one. */
function countCompressions(t: import('tap').Test): () => number {
  const codec = zstd() as { compress: ReturnType<typeof zstd>['compress'] };
  const { compress } = codec;
  let calls = 0;
  codec.compress = (input, output, level) => {
    if (level === 1) calls++;
    return compress.call(codec, input, output, level);
  };
  t.teardown(() => void (codec.compress = compress));
  return () => {
    const counted = calls;
    calls = 0;
    return counted;
  };
}

for (const [title, options] of [
  ['other keys', small],
  ['other keys and another chunker', otherCutting],
  ['the defaults', {}],
] as const) {
  t.test(`copySnapshots: to a repository of ${title}, bit for bit`, async (t) => {
    const [folder, source, target] = [newFolder(t), await newSource(), await newTarget(options)];
    writeVariety(folder);
    const first = await backUpInto(source, folder, { tags: ['a'], description: 'first', host: 'elsewhere' });
    await annotateSnapshot(source, first, { setTags: ['changed'] });
    write(folder, 'small/3', 'changed');
    await backUpInto(source, folder, { host: 'elsewhere' });
    const snapshots = await listSnapshots(source);
    const { method, snapshots: copied } = await copySnapshots(source, target, { snapshots, workers: 2 });
    t.equal(method, 'files');
    t.same(
      copied.map(({ outcome }) => outcome),
      ['copied', 'copied'],
    );
    t.ok(copied[1]!.newBytes < 20_000, `what the first copy has is not read again: ${copied[1]!.newBytes}`);
    await expectSame(t, source, target);
    const again = await copySnapshots(source, target, { snapshots });
    t.match(again.snapshots, [{ outcome: 'present' }, { outcome: 'present' }]);
  });
}

t.test('copySnapshots: between repositories that are alike, blocks are sealed again and nothing is stored twice', async (t) => {
  const [folder, source] = [newFolder(t), await newSource()];
  const target = await newTarget({ like: source });
  writeVariety(folder);
  await backUpInto(source, folder, { workers: 2 });
  for (let index = 0; index < 20; index++) write(folder, `more/${index}`, `${index} and text `.repeat(2_000));
  await backUpInto(source, folder);
  const compressions = countCompressions(t);
  const { method, snapshots: copied } = await copySnapshots(source, target, { snapshots: await listSnapshots(source), workers: 2 });
  t.equal(method, 'blocks');
  t.equal(compressions(), 0, 'no block is compressed again');
  t.same(
    copied.map(({ outcome }) => outcome),
    ['copied', 'copied'],
  );
  await expectSame(t, source, target);
  const [before, after] = [await sizeOf(source.storage, 'writer/packs/'), await sizeOf(target.storage, 'writer/packs/')];
  t.ok(after < 1.03 * before, `${after} bytes stored of ${before}`);
  await backUpInto(target, folder);
  t.ok((await sizeOf(target.storage, 'writer/packs/')) < after + 10_000, 'a backup of the same files into the target finds all of it');
});

t.test('copySnapshots: what is no longer needed of a block is left behind', async (t) => {
  const [folder, source] = [newFolder(t), await newSource()];
  const target = await newTarget({ like: source });
  for (let index = 0; index < 40; index++) write(folder, `${index}`, randomBytesOf(`${index}`, 4_000));
  await backUpInto(source, folder);
  for (let index = 0; index < 40; index += 2) write(folder, `${index}`, 'short');
  await backUpInto(source, folder);
  const snapshots = (await listSnapshots(source)).slice(1);
  const { snapshots: copied } = await copySnapshots(source, target, { snapshots });
  t.match(copied, [{ outcome: 'copied' }]);
  t.ok(copied[0]!.newBytes < 95_000, `${copied[0]!.newBytes} bytes`);
});

t.test('copySnapshots: packs that the collector of the source has replaced are found', async (t) => {
  const [folder, source] = [newFolder(t), await newSource()];
  const target = await newTarget({ like: source });
  for (let index = 0; index < 40; index++) write(folder, `${index}`, randomBytesOf(`${index}`, 4_000));
  const first = await backUpInto(source, folder);
  for (let index = 0; index < 40; index += 2) write(folder, `${index}`, 'short');
  await backUpInto(source, folder);
  await markSnapshots(source, [first], { reason: 'test' });
  for (let run = 0; run < 3; run++) await maintain(source, { maxUnused: 0 });
  const [kept] = await listSnapshots(source);
  t.match((await copySnapshots(source, target, { snapshots: [kept!] })).snapshots, [{ outcome: 'copied' }]);
  await expectSame(t, source, target);
});

t.test('copySnapshots: a copy of a copy is not made where the original is', async (t) => {
  const [folder, source] = [newFolder(t), await newSource()];
  const [middle, end] = [await newTarget({ like: source }), await newTarget(small)];
  write(folder, 'a', randomBytesOf('1', 5_000));
  await backUpInto(source, folder);
  await copySnapshots(source, middle, { snapshots: await listSnapshots(source) });
  const copies = await listSnapshots(middle);
  t.match((await copySnapshots(middle, source, { snapshots: copies })).snapshots, [{ outcome: 'present' }], 'back');
  t.match((await copySnapshots(middle, end, { snapshots: copies })).snapshots, [{ outcome: 'copied' }], 'on');
  t.match(
    (await copySnapshots(source, end, { snapshots: await listSnapshots(source) })).snapshots,
    [{ outcome: 'present' }],
    'past the middle',
  );
});

t.test('copySnapshots: holds are kept, if that is not forbidden', async (t) => {
  const [folder, source, target] = [newFolder(t), await newSource(), await newTarget()];
  write(folder, 'a', 'a');
  const first = await backUpInto(source, folder);
  const until = { seconds: 4_000_000_000, nanoseconds: 0 };
  await holdSnapshots(source, [first], { until, reason: 'test' });
  const snapshots = await listSnapshots(source);
  t.match(await copySnapshots(source, target, { snapshots, keepHolds: false }), { snapshots: [{ hold: undefined }] });
  t.match(await copySnapshots(source, target, { snapshots }), { snapshots: [{ outcome: 'present', hold: { until, fate: 'kept' } }] });
  t.match(await listSnapshots(target), [{ heldUntil: until }]);
  t.match(await copySnapshots(source, target, { snapshots }), { snapshots: [{ hold: undefined }] }, 'once');
});

t.test('copySnapshots: a dry run writes nothing', async (t) => {
  const [folder, source, target] = [newFolder(t), await newSource(), await newTarget()];
  write(folder, 'a', 'a');
  await backUpInto(source, folder);
  const before = await namesIn(target.storage);
  t.match(await copySnapshots(source, target, { snapshots: await listSnapshots(source), dryRun: true }), {
    snapshots: [{ outcome: 'dry-run' }],
  });
  t.same(await namesIn(target.storage), before);
});

t.test('copySnapshots: not into itself, nor a copy of the same repository', async (t) => {
  const source = await newSource();
  await t.rejects(copySnapshots(source, source, { snapshots: [] }), { code: 'usage', message: /the same repository/ });
});

for (const alike of [true, false]) {
  t.test(`copySnapshots: a damaged snapshot is told of, and the others are copied (${alike ? 'blocks' : 'files'})`, async (t) => {
    const [folder, source] = [newFolder(t), await newSource()];
    const target = await newTarget(alike ? { like: source } : small);
    write(folder, 'a', randomBytesOf('1', 50_000));
    await backUpInto(source, folder);
    const packs = await namesIn(source.storage, 'writer/packs/');
    const other = newFolder(t);
    write(other, 'b', randomBytesOf('2', 5_000));
    await backUpInto(source, other);
    for (const name of packs) {
      const bytes = await source.storage.get(name);
      if (bytes[6] !== 1) continue;
      bytes[200]! ^= 1;
      await source.storage.delete([name]);
      await source.storage.create(name, [bytes]);
    }
    const { snapshots } = await copySnapshots(source, target, { snapshots: await listSnapshots(source) });
    t.match(snapshots, [{ outcome: 'failed', error: { code: 'authentication-failed' } }, { outcome: 'copied' }]);
    t.equal((await listSnapshots(target)).length, 1);
  });
}
