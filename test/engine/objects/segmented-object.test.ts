import t from 'tap';
import { openSegmentedObject, readSegment, SegmentedObjectWriter, type SegmentPlace } from '../../../engine/objects/mod.ts';
import { InMemory } from '../../../engine/storage/mod.ts';
import { LaganError, objectNames, type PackId } from '../../../repo-format/mod.ts';
import { testKeys as keys, randomBytesOf } from '../random.ts';
import { namesIn } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';

const name = objectNames.pack('00'.repeat(16) as PackId);
const KiB = 1024;

async function write(storage: FaultyStorage | InMemory, segments: readonly Uint8Array[], contents: Uint8Array): Promise<SegmentPlace[]> {
  const writer = await SegmentedObjectWriter.create(storage, { name, kind: 'pack', keys });
  const places: SegmentPlace[] = [];
  for (const segment of segments) places.push(await writer.append([segment]));
  await writer.finish(contents);
  return places;
}

t.test('segmented object: segments and contents come back, also when the contents are larger than what is fetched at first', async (t) => {
  const overhead = 80 + 4 + 16 + 16;
  const sizes = [1, 64 * KiB - overhead - 1, 64 * KiB - overhead, 64 * KiB - overhead + 1, 64 * KiB, 200 * KiB];
  for (const contentsSize of sizes) {
    for (const segmentSizes of [[], [10], [70 * KiB, 1, 20]]) {
      const storage = new InMemory();
      const segments = segmentSizes.map((size, index) => randomBytesOf(`segment ${index}`, size));
      const contents = randomBytesOf('contents', contentsSize);
      const places = await write(storage, segments, contents);
      const opened = await openSegmentedObject(storage, { name, kind: 'pack', keys });
      t.equal(Buffer.compare(opened.contents, contents), 0, `contents of ${contentsSize} bytes behind ${segments.length} segments`);
      for (const [number, place] of places.entries())
        t.equal(Buffer.compare(await readSegment(storage, opened.object, { number, place }), segments[number]!), 0);
    }
  }
});

t.test('segmented object: a small one is opened by one request of its content', async (t) => {
  const storage = new FaultyStorage(new InMemory());
  await write(storage, [randomBytesOf('small', 1_000)], randomBytesOf('contents', 1_000));
  await openSegmentedObject(storage, { name, kind: 'pack', keys });
  t.equal(storage.count('get'), 1);
});

t.test('segmented object: segments are bound to their number and place', async (t) => {
  const storage = new InMemory();
  const places = await write(storage, [randomBytesOf('a', 100), randomBytesOf('b', 100)], new Uint8Array(5));
  const { object } = await openSegmentedObject(storage, { name, kind: 'pack', keys });
  await t.rejects(readSegment(storage, object, { number: 1, place: places[0]! }), { code: 'authentication-failed' });
  await t.rejects(readSegment(storage, object, { number: 0, place: places[1]! }), { code: 'authentication-failed' });
});

t.test('segmented object: cut off anywhere it does not open', async (t) => {
  const storage = new InMemory();
  await write(storage, [randomBytesOf('a', 100)], new Uint8Array(5));
  const bytes = await storage.get(name);
  for (const length of [0, 1, 79, 80, 95, 96, 100, bytes.length - 17, bytes.length - 16, bytes.length - 1]) {
    const cut = new InMemory();
    await cut.create(name, [bytes.subarray(0, length)]);
    await t.rejects(
      openSegmentedObject(cut, { name, kind: 'pack', keys }),
      { code: /malformed|authentication-failed|limit-exceeded/ },
      `${length} bytes`,
    );
  }
  const longer = new InMemory();
  await longer.create(name, [bytes, Uint8Array.of(0)]);
  await t.rejects(openSegmentedObject(longer, { name, kind: 'pack', keys }), { code: 'malformed' });
});

t.test('SegmentedObjectWriter: whatever fails, nothing is left; another object of the name is an error', async (t) => {
  const inner = new InMemory();
  for (const operation of ['createWriter', 'append', 'commit'] as const) {
    for (let call = 1; call <= 4; call++) {
      const storage = new FaultyStorage(inner, { faults: [{ operation, call }] });
      const reach = { createWriter: 1, append: 4, commit: 1 }[operation];
      if (call > reach) continue;
      await t.rejects(write(storage, [new Uint8Array(10)], new Uint8Array(5)), { code: 'io' }, `${operation} ${call}`);
      t.same(await namesIn(inner), []);
    }
  }
  const noKey = {
    ...keys,
    classKey: (): Uint8Array => {
      throw new LaganError('no-key', 'only metadata');
    },
  };
  const storage = new FaultyStorage(inner);
  await t.rejects(SegmentedObjectWriter.create(storage, { name, kind: 'pack', keys: noKey }), { code: 'no-key' });
  t.equal(storage.count('createWriter'), 0, 'the key is asked for before a temporary file is made');
  await write(inner, [], new Uint8Array(5));
  await t.rejects(write(inner, [], new Uint8Array(5)), { code: 'exists' });
});
