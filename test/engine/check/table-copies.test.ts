/** An index table whose filter or sample is not that of its rows, though it is sealed well; and objects that are none of a repository. */
import t from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { openSegmentedObject, readSegment, SegmentedObjectWriter } from '../../../engine/objects/mod.ts';
import type { Repository } from '../../../engine/repository/mod.ts';
import { decodeIndexContents, indexSegments, type SegmentRun, segmentAt, segmentCount } from '../../../repo-format/mod.ts';
import { makeSample, namesBelow, openDamaged } from '../../corruption/sample-repository.ts';

const sample = await makeSample(t.testdir());
/** The largest. */
const [table] = namesBelow(sample.objects, 'writer/index/').sort(
  (left, right) => sample.objects.get(right)!.length - sample.objects.get(left)!.length,
);

/** Seals the table anew with segments that were changed. */
async function forge({ storage, keys }: Repository, change: (part: 'filter' | 'sample', segment: Uint8Array) => void): Promise<void> {
  const name = table!;
  const { object, contents } = await openSegmentedObject(storage, { name, kind: 'index-table', keys });
  const { packs, pages, filter, sample: rows } = indexSegments(decodeIndexContents(contents, name));
  const segments: Uint8Array[] = [];
  const read = async (run: SegmentRun, part?: 'filter' | 'sample') => {
    for (let index = 0; index < segmentCount(run); index++) {
      const segment = (await readSegment(storage, object, segmentAt(run, index))).slice();
      if (part !== undefined) change(part, segment);
      segments.push(segment);
    }
  };
  await read(packs);
  await read(pages);
  await read(filter, 'filter');
  await read(rows, 'sample');
  await storage.delete([name]);
  const writer = await SegmentedObjectWriter.create(storage, { name, kind: 'index-table', keys });
  for (const segment of segments) await writer.append([segment]);
  await writer.finish(contents);
}

t.test('check: an index table that was sealed anew as it was is good', async (t) => {
  const repository = await openDamaged(sample);
  await forge(repository, () => undefined);
  t.same((await check(repository)).errors, []);
});

t.test('check: a filter without a row, and a sample with another', async (t) => {
  for (const part of ['filter', 'sample'] as const) {
    const repository = await openDamaged(sample);
    await forge(repository, (which, segment) => {
      // The name's second byte: rows of the sample stay in order.
      if (which === part) segment[part === 'filter' ? segment.findIndex((byte) => byte !== 0) : 10]! ^= 0xff;
    });
    const { errors } = await check(repository);
    t.match(errors, [{ code: 'malformed', object: table, message: new RegExp(`the ${part} is not that of its rows`) }], part);
    t.equal(errors.length, 1);
  }
});

t.test('check: objects whose names are none of a repository are noted, and left alone', async (t) => {
  const repository = await openDamaged(sample, (objects) => {
    objects.set('writer/packs/00/half-copied', new Uint8Array(5));
    objects.set('owner/config/00000000.old', new Uint8Array(0));
  });
  const { errors, notes } = await check(repository, { readData: true });
  t.same(errors, []);
  t.same(notes.map(({ code, object }) => `${code} ${object}`).sort(), [
    'litter owner/config/00000000.old',
    'litter writer/packs/00/half-copied',
  ]);
});
