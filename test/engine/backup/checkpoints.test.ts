/** Checkpoints: what a killed backup has stored is found by the next. */
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { listCheckpoints, openRepository } from '../../../engine/repository/mod.ts';
import { LocalFolder } from '../../../engine/storage/mod.ts';
import { randomBytesOf } from '../random.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import { runChild } from './_backup-child.ts';
import {
  backUp,
  contentsOf,
  makePlace,
  newest,
  objectsOf,
  over,
  type Place,
  secret,
  smallSegments,
  temporaryFiles,
  write,
} from './_fixture.ts';

const MiB = 1024 * 1024;

async function filled(t: Test): Promise<Place & { contents: Map<string, Uint8Array> }> {
  const place = await makePlace(t);
  const contents = new Map<string, Uint8Array>();
  for (let folder = 0; folder < 10; folder++)
    for (let index = 0; index < 30; index++) contents.set(`folder-${folder}/file-${index}`, randomBytesOf(`${folder} ${index}`, 30_000));
  contents.set('zlarge', randomBytesOf('large', 6 * MiB));
  for (const [name, bytes] of contents) write(place.source, name, bytes);
  return { ...place, contents };
}

async function expectContents(t: Test, place: Place, expected: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const contents = await contentsOf(place.repository, place.source);
  t.equal(contents.size, expected.size);
  for (const [name, bytes] of expected) if (!contents.get(name)?.equals(bytes)) t.fail(name);
}

t.test('backup: with checkpoints on the way it is whole, and nothing is stored twice', async (t) => {
  for (const limits of [{ checkpointNewBytes: MiB }, { checkpointIntervalMs: 1 }, { chunkTableRows: 64 }]) {
    const place = await filled(t);
    const { statistics } = await backUp(place, { workers: 2 }, { ...smallSegments, largeFilePollMs: 1, ...limits });
    const tables = objectsOf(place).filter((name) => name.startsWith('index/'));
    t.ok(tables.length >= 2, `${JSON.stringify(limits)}: ${tables.length} index tables`);
    t.equal(statistics.newBytes, statistics.bytes);
    await expectContents(t, place, place.contents);
    t.match(await check(place.repository), { errors: [], complete: true });
    t.match((await backUp(place)).statistics, { unchangedFiles: 301, newBytes: 0 });
  }
});

t.test('backup: a large file has checkpoints while it is stored, and chunks before and after one are one', async (t) => {
  const place = await makePlace(t);
  const half = randomBytesOf('half', 4 * MiB);
  write(place.source, 'twice', Buffer.concat([half, half]));
  const { statistics } = await backUp(place, { workers: 1 }, { ...smallSegments, checkpointNewBytes: MiB, largeFilePollMs: 1 });
  t.ok(objectsOf(place).filter((name) => name.startsWith('index/')).length >= 2, 'there were checkpoints');
  t.ok(statistics.newBytes < 4 * MiB + 300_000, `${statistics.newBytes} new bytes`);
});

t.test('backup: killed after a checkpoint: the next finds the unchanged files by it, and stores the rest only', async (t) => {
  const place = await filled(t);
  const limits = { ...smallSegments, batchFiles: 10, waitingTokens: 20, checkpointNewBytes: MiB };
  const child = runChild({
    repository: place.repositoryFolder,
    source: place.source,
    limits,
    killAfter: { name: '^writer/checkpoints/', count: 3 },
  });
  t.equal(child.signal, 'SIGKILL', child.stderr);
  t.ok(temporaryFiles(place).length >= 0);
  const repository = await openRepository(new LocalFolder(place.repositoryFolder), { secret, mode: 'write' });
  t.same(temporaryFiles(place), [], 'opening removes what was left over');
  const [checkpoint] = await listCheckpoints(repository);
  t.match(checkpoint, { number: 2, snapshot: { partial: true, parent: null } });
  const stored = checkpoint!.snapshot.statistics;
  t.ok(stored.files >= 50, `${stored.files} files were stored`);
  const { statistics, parent } = await backUp({ ...place, repository });
  t.equal(parent, null, 'a checkpoint is no parent');
  t.ok(statistics.unchangedFiles >= stored.files - 1, `${statistics.unchangedFiles} are unchanged`);
  t.ok(statistics.newBytes <= statistics.bytes - stored.bytes, 'nothing is stored twice');
  await expectContents(t, place, place.contents);
  t.match(await check(repository, { readData: true, workers: 1 }), { errors: [], complete: true });
  t.match((await backUp({ ...place, repository })).statistics, { unchangedFiles: 301, newBytes: 0 });
});

t.test('backup: killed within a large file, and within a stream: what was stored is not stored again', async (t) => {
  const place = await makePlace(t);
  write(place.source, 'large', randomBytesOf('large', 16 * MiB));
  const limits = { ...smallSegments, checkpointNewBytes: MiB, largeFilePollMs: 1 };
  const task = { repository: place.repositoryFolder, source: place.source, limits, options: { workers: 1 } };
  const large = runChild({ ...task, killAfter: { name: '^writer/checkpoints/', count: 1 } });
  t.equal(large.signal, 'SIGKILL', large.stderr);
  const { statistics } = await backUp(place);
  t.ok(statistics.newBytes <= 15 * MiB, `${statistics.newBytes} of ${statistics.bytes}`);
  // A stream has no checkpoint to be seen, but its index tables stay.
  const before = objectsOf(place);
  const stream = runChild({ ...task, streamBytes: 16 * MiB, killAfter: { name: '^writer/snapshots/', count: 1 } });
  t.equal(stream.signal, 'SIGKILL', stream.stderr);
  fs.unlinkSync(
    path.join(place.repositoryFolder, 'writer', objectsOf(place).find((name) => name.startsWith('snapshots/') && !before.includes(name))!),
  );
  const again = runChild({ ...task, streamBytes: 16 * MiB });
  t.equal(again.answer?.statistics.newBytes, 0, again.stderr);
});

t.test('backup: a checkpoint that cannot be read is as if there were none', async (t) => {
  const place = await filled(t);
  const limits = { ...smallSegments, batchFiles: 10, waitingTokens: 20, checkpointNewBytes: MiB };
  const killAfter = { name: '^writer/checkpoints/', count: 2 };
  t.equal(runChild({ repository: place.repositoryFolder, source: place.source, limits, killAfter }).signal, 'SIGKILL');
  for (const name of objectsOf(place).filter((object) => object.startsWith('checkpoints/'))) {
    const file = path.join(place.repositoryFolder, 'writer', name);
    const bytes = fs.readFileSync(file);
    bytes[bytes.length - 5]! ^= 1;
    fs.writeFileSync(file, bytes);
  }
  const { statistics, errors } = await backUp(place);
  t.same(errors, []);
  t.equal(statistics.unchangedFiles, 0);
  t.ok(statistics.newBytes < statistics.bytes, 'the index tables still tell what is there');
  await expectContents(t, place, place.contents);
});

t.test('backup: a checkpoint that fails ends the backup; those before it count', async (t) => {
  const place = await filled(t);
  const storage = new FaultyStorage(place.repository.storage, { faults: [{ operation: 'create', name: /checkpoints/, call: 3 }] });
  await t.rejects(
    backUp(over(place, storage), { workers: 2 }, { ...smallSegments, checkpointNewBytes: MiB, batchFiles: 10, waitingTokens: 20 }),
    { code: 'io' },
  );
  t.same(temporaryFiles(place), []);
  const { statistics } = await backUp(place);
  t.ok(statistics.unchangedFiles > 0);
  t.equal((await newest(place.repository)).snapshot.partial, false);
  await expectContents(t, place, place.contents);
});
