/** Streams as files of a snapshot. */
import t from 'tap';
import { backupStreamWithin } from '../../../engine/backup/backup-stream.ts';
import { backupStream } from '../../../engine/backup/mod.ts';
import type { FileEntry } from '../../../repo-format/mod.ts';
import { randomBytesOf } from '../random.ts';
import { countedBytes } from './_backup-child.ts';
import { backUp, contentOf, entriesOf, makePlace, newest, objectsOf, write } from './_fixture.ts';

const MiB = 1024 * 1024;

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size);
}

t.test('backupStream: streams of any length come back', async (t) => {
  const { repository } = await makePlace(t);
  for (const [size, piece] of [
    [0, 1],
    [1, 1],
    [5_000, 7],
    [MiB - 1, 65_536],
    [MiB, MiB],
    [MiB + 1, 3 * MiB],
    [9 * MiB + 5, 100_000],
  ] as const) {
    const bytes = randomBytesOf(`stream ${size}`, size);
    bytes.fill(0, size >> 2, size >> 1);
    const { statistics, errors } = await backupStream(repository, { name: 'dump.sql', stream: inPieces(bytes, piece) });
    t.same(errors, []);
    t.match(statistics, { files: 1, directories: 0, bytes: size });
    const entries = await entriesOf(repository, '/', await newest(repository));
    t.same([...entries.keys()], ['dump.sql']);
    const entry = entries.get('dump.sql') as FileEntry;
    t.equal(entry.size, size);
    t.ok((await contentOf(repository, entry)).equals(bytes), `${size} bytes`);
  }
});

t.test('backupStream: its folders, its parent, what the snapshot says', async (t) => {
  const { repository } = await makePlace(t);
  const options = { name: '/db/2026/dump.sql', tags: ['db'], host: 'h', time: new Date(86_400_000) };
  const first = await backupStream(repository, { ...options, stream: countedBytes(100_000) });
  t.match(first, { parent: null, unchangedFromParent: false, statistics: { directories: 2 } });
  t.same([...(await entriesOf(repository, '/')).keys()], ['db', 'db/2026', 'db/2026/dump.sql']);
  const second = await backupStream(repository, { ...options, stream: countedBytes(100_000) });
  t.match(second, { parent: first.snapshotId, unchangedFromParent: true, statistics: { newBytes: 0 } });
  t.match((await newest(repository)).snapshot, {
    tags: ['db'],
    host: 'h',
    started: { seconds: 86_400 },
    paths: [Buffer.from('/db/2026/dump.sql')],
  });
  for (const name of ['', '/', 'a/../b', '.', 'x'.repeat(256), 'nul\0'])
    await t.rejects(backupStream(repository, { name, stream: countedBytes(1) }), { code: 'usage' }, JSON.stringify(name));
});

t.test('backupStream: deduplicates against files, and files against it', async (t) => {
  const place = await makePlace(t);
  const bytes = randomBytesOf('both', 3 * MiB);
  write(place.source, 'file', bytes);
  await backUp(place);
  t.equal((await backupStream(place.repository, { name: 'same', stream: inPieces(bytes, 70_000) })).statistics.newBytes, 0);
  await backupStream(place.repository, { name: 'first', stream: countedBytes(2 * MiB) });
  const pieces: Uint8Array[] = [];
  for await (const piece of countedBytes(2 * MiB)) pieces.push(piece);
  write(place.source, 'second', Buffer.concat(pieces));
  t.equal((await backUp(place)).statistics.newBytes, 0);
});

t.test('backupStream: with checkpoints on the way; a dry run stores nothing', async (t) => {
  const place = await makePlace(t);
  const before = objectsOf(place);
  const dry = await backupStream(place.repository, { name: 'x', stream: countedBytes(MiB), dryRun: true });
  t.match(dry, { snapshotId: null, statistics: { bytes: MiB, storedBytes: 0 } });
  t.ok(dry.statistics.newBytes > 0);
  t.same(objectsOf(place), before);
  await backupStreamWithin(place.repository, { name: 'x', stream: countedBytes(8 * MiB) }, { checkpointNewBytes: MiB });
  t.ok(objectsOf(place).filter((name) => name.startsWith('index/')).length >= 3);
  const entry = (await entriesOf(place.repository, '/')).get('x') as FileEntry;
  const pieces: Uint8Array[] = [];
  for await (const piece of countedBytes(8 * MiB)) pieces.push(piece);
  t.ok((await contentOf(place.repository, entry)).equals(Buffer.concat(pieces)));
});
