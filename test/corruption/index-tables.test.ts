/** Damage to index tables. No file is hurt by it: an index can be made anew from the packs. */
import t from 'tap';
import { writeIndexTable } from '../../engine/index/mod.ts';
import { check } from '../../engine/mod.ts';
import { openSegmentedObject } from '../../engine/objects/mod.ts';
import { decodeIndexContents, footerLayout, indexSegments, type SegmentRun, sealedLayout, segmentAt } from '../../repo-format/mod.ts';
import { flip, makeSample, namesBelow, openDamaged, packsOf, resize, swap } from './sample-repository.ts';

const sample = await makeSample(t.testdir());
const whole = await openDamaged(sample);
const tables = namesBelow(sample.objects, 'writer/index/').sort(
  (left, right) => sample.objects.get(right)!.length - sample.objects.get(left)!.length,
);
const [name, otherName] = tables as [string, string];
const sizeBytes = sample.objects.get(name)!.length;
const { contents: bytes } = await openSegmentedObject(whole.storage, { name, kind: 'index-table', keys: whole.keys });
const segments = indexSegments(decodeIndexContents(bytes, name));
const offsetOf = (run: SegmentRun) => segmentAt(run, 0).place.offset;
const footer = sizeBytes - footerLayout.sizeBytes;
const contentsOffset = footer - bytes.length - sealedLayout.tagSizeBytes - sealedLayout.lengthFieldSizeBytes;

t.test('check: a flipped bit in an index table', async (t) => {
  const layout = sealedLayout;
  const flips: readonly (readonly [place: string, offset: number, bit: number, code: string])[] = [
    ['header: magic', layout.magic, 0, 'malformed'],
    ['header: kind', layout.kind, 0, 'malformed'],
    ['header: version', layout.version, 2, 'repository-too-new'],
    ['header: key epoch', layout.epoch, 0, 'authentication-failed'],
    ['header: reserved', layout.reserved + 3, 7, 'malformed'],
    ['header: repository id', layout.repositoryId, 0, 'name-mismatch'],
    ['header: object id', layout.objectId, 0, 'name-mismatch'],
    ['header: salt', layout.salt, 0, 'authentication-failed'],
    ['pack table: length field', offsetOf(segments.packs), 0, 'malformed'],
    ['pack table: rows', offsetOf(segments.packs) + 4, 0, 'authentication-failed'],
    ['page: length field', offsetOf(segments.pages), 1, 'malformed'],
    ['page: rows', offsetOf(segments.pages) + 40, 0, 'authentication-failed'],
    ['filter', offsetOf(segments.filter) + 4, 0, 'authentication-failed'],
    // One name in 64 is sampled: a small table may have none.
    ...(segments.sample.items === 0 ? [] : [['sample', offsetOf(segments.sample) + 4, 0, 'authentication-failed'] as const]),
    ['contents: length field', contentsOffset, 0, 'malformed'],
    ['contents', contentsOffset + 4, 0, 'authentication-failed'],
    ['contents: tag', footer - 1, 0, 'authentication-failed'],
    ['footer: offset', footer, 0, 'malformed'],
    ['footer: sealed length', footer + footerLayout.sealedLength, 0, 'malformed'],
    ['footer: magic', footer + footerLayout.magic, 0, 'malformed'],
  ];
  for (const [place, offset, bit, code] of flips) {
    for (const readData of [false, true]) {
      const { errors } = await check(await openDamaged(sample, (objects) => flip(objects, name, offset, bit)), { readData });
      t.match(errors, [{ code, object: name, snapshots: [], paths: [], pathCount: 0 }], `${place}: ${code}`);
      t.equal(errors.length, 1, `${place}: one finding`);
    }
  }
});

t.test('check: an index table that was cut or continued', async (t) => {
  for (const size of [0, 79, 80, contentsOffset - 1, contentsOffset, footer - 1, footer, sizeBytes - 1, sizeBytes + 1]) {
    const { errors } = await check(await openDamaged(sample, (objects) => resize(objects, name, size)));
    t.match(errors, [{ code: 'malformed', object: name }], `${size} of ${sizeBytes} bytes`);
    t.equal(errors.length, 1);
  }
});

t.test('check: an index table that is gone is missed by the packs that only it named', async (t) => {
  const { errors, notes } = await check(await openDamaged(sample, (objects) => objects.delete(name)));
  t.match(errors, [{ code: 'object-missing', snapshots: [], pathCount: 0 }]);
  t.same(notes, []);
});

t.test('check: index tables under the names of others', async (t) => {
  const { errors } = await check(await openDamaged(sample, (objects) => swap(objects, name, otherName)));
  t.same(errors.map(({ code, object }) => [code, object]).sort(), [
    ['name-mismatch', [name, otherName].sort()[0]],
    ['name-mismatch', [name, otherName].sort()[1]],
  ]);
});

t.test('check: packs that nothing names are litter, no damage', async (t) => {
  const repository = await openDamaged(sample, (objects) => {
    for (const gone of [otherName, ...namesBelow(objects, 'writer/snapshots/')]) objects.delete(gone);
  });
  const { errors, notes } = await check(repository);
  t.same(errors, []);
  t.match(notes, [{ severity: 'note', code: 'litter' }]);
});

t.test('check: an index table that says of chunks that they are in a pack which does not have them', async (t) => {
  const [first, second] = await packsOf(whole, 'pack');
  const row = (pack: NonNullable<typeof first>, names: Uint8Array) => ({
    pack: pack.id,
    kind: 'pack' as const,
    names,
    sizeBytes: sample.objects.get(pack.name)!.length,
  });
  const repository = await openDamaged(sample);
  const lie = 'writer/index/0000000000000000/0123456789abcdef0123456789abcdef.00000000-00000000';
  await writeIndexTable(repository.storage, {
    name: lie,
    keys: repository.keys,
    packs: [row(second!, first!.blocks[0]!.names.slice(0, 64))],
  });
  const { errors } = await check(repository, { readData: true });
  const codes = errors.map(({ code, object }) => `${code} ${object}`);
  t.ok(codes.includes(`chunk-missing ${second!.name}`), codes.join());
});

t.test('check: an index table with another size or number of chunks than a pack has', async (t) => {
  const [first] = await packsOf(whole, 'pack');
  const names = Buffer.concat(first!.blocks.map((block) => block.names));
  for (const [change, code] of [
    [{ sizeBytes: 1000 }, 'malformed'],
    [{ names: names.subarray(0, 32) }, 'malformed'],
  ] as const) {
    const repository = await openDamaged(sample, (objects) => objects.delete(name));
    const right = { pack: first!.id, kind: 'pack' as const, names, sizeBytes: sample.objects.get(first!.name)!.length };
    const lie = [{ ...right, ...change }];
    await writeIndexTable(repository.storage, { name, keys: repository.keys, packs: lie });
    const { errors } = await check(repository, { readData: true });
    t.ok(
      errors.some((error) => error.code === code && error.object === first!.name),
      JSON.stringify(change).slice(0, 40),
    );
  }
});
