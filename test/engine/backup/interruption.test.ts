/** Backups that are interrupted, or whose store fails, at many moments: they end at once, with the right code, and leave nothing that the next one would stumble over. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { type BackupResult, backupStream } from '../../../engine/backup/mod.ts';
import { LocalFolder } from '../../../engine/storage/mod.ts';
import { LaganError } from '../../../repo-format/mod.ts';
import { randomBytesOf } from '../random.ts';
import { type Fault, FaultyStorage } from '../storage/faulty-storage.ts';
import { countedBytes } from './_backup-child.ts';
import { backUp, expectIntact, makePlace, objectsOf, over, type Place, packsOf, smallSegments, temporaryFiles, write } from './_fixture.ts';
import { nextDescriptor } from './_reader-parts.ts';

/** An interrupted backup ends within a second; a machine that does much else beside gets more. */
const patienceMs = 1_000 + 2_000;
const limits = { ...smallSegments, checkpointNewBytes: 3_000_000 };

const rejections: unknown[] = [];
process.on('unhandledRejection', (reason) => rejections.push(reason));

async function filled(t: Test): Promise<Place & { contents: Map<string, Uint8Array> }> {
  const place = await makePlace(t);
  const contents = new Map<string, Uint8Array>();
  for (let index = 0; index < 400; index++) contents.set(`folder-${index % 9}/file-${index}`, randomBytesOf(`${index}`, 200 + index * 30));
  for (const name of ['large-1', 'large-2', 'zlarge-3']) contents.set(name, randomBytesOf(name, 4_000_000));
  for (const [name, bytes] of contents) write(place.source, name, bytes);
  return { ...place, contents };
}

/** Ends with the error's code; tells how long that took after `since()`. */
async function codeOf(backup: Promise<BackupResult>): Promise<string> {
  return backup.then(
    () => 'none',
    (error: unknown) => (error instanceof LaganError ? error.code : String(error)),
  );
}

t.test('backup: interrupted at any moment it ends at once and leaves nothing behind', async (t) => {
  const place = await filled(t);
  const before = nextDescriptor();
  for (const afterMs of [0, 5, 20, 100, 300]) {
    const controller = new AbortController();
    let abortedAt = 0;
    const timer = setTimeout(() => {
      abortedAt = performance.now();
      controller.abort();
    }, afterMs);
    const code = await codeOf(backUp(place, { workers: 2, signal: controller.signal, host: `host ${afterMs}` }, limits));
    clearTimeout(timer);
    if (code !== 'none') {
      t.equal(code, 'interrupted', `after ${afterMs} ms`);
      t.ok(performance.now() - abortedAt < patienceMs, `${Math.round(performance.now() - abortedAt)} ms later`);
    }
    t.same(temporaryFiles(place), [], 'no temporary file');
    t.equal(nextDescriptor(), before, 'no descriptor');
  }
  await expectIntact(t, place, place.contents);
});

t.test('backup: interrupted at named calls of the store, checkpoints and the commit among them', async (t) => {
  const moments = [
    { name: /^writer\/packs\//, operation: 'commit' },
    { name: /^writer\/index\//, operation: 'createWriter' },
    { name: /^writer\/index\//, operation: 'commit' },
    { name: /^writer\/checkpoints\//, operation: 'create' },
    { name: /^writer\/snapshots\//, operation: 'create' },
    { name: /^collector\/roots/, operation: 'list' },
  ] as const;
  const place = await filled(t);
  for (const { name, operation } of moments) {
    const controller = new AbortController();
    const storage = new FaultyStorage(place.repository.storage);
    storage.plan = {
      onCall: (called, object) => {
        if (called === operation && name.test(object)) controller.abort();
      },
    };
    const code = await codeOf(
      backUp(over(place, storage), { signal: controller.signal, parent: 'none', host: `${operation} ${name}` }, limits),
    );
    t.equal(code, 'interrupted', `${operation} of ${name}`);
    t.same(temporaryFiles(place), []);
  }
  await expectIntact(t, place, place.contents);
});

t.test('backup: a signal that was aborted before', async (t) => {
  const place = await filled(t);
  const before = objectsOf(place);
  t.equal(await codeOf(backUp(place, { signal: AbortSignal.abort() })), 'interrupted');
  t.same(objectsOf(place), before);
});

t.test('backup: no progress is told after the end', async (t) => {
  const place = await filled(t);
  let calls = 0;
  for (const paths of [[place.source], ['/absent']]) await codeOf(backUp(place, { paths, onProgress: () => calls++ }));
  const atEnd = calls;
  await new Promise((resolve) => setTimeout(resolve, 250));
  t.equal(calls, atEnd);
});

t.test('backup: what the store refuses ends it with its code, whichever call it is; nothing is left', async (t) => {
  const place = await filled(t);
  const faults: Fault[] = [
    { operation: 'createWriter', call: 1 },
    { operation: 'append', call: 4, forever: true },
    { operation: 'commit', call: 1 },
    { operation: 'commit', call: 2, when: 'after' },
    { operation: 'create', call: 1 },
    { operation: 'create', name: /snapshots/, call: 1 },
    { operation: 'create', name: /snapshots/, call: 1, when: 'after' },
  ];
  const full = new FaultyStorage(place.repository.storage, { capacityBytes: 10_000 });
  t.equal(await codeOf(backUp(over(place, full), { parent: 'none' }, limits)), 'no-space', 'a full disk');
  for (const fault of faults) {
    const storage = new FaultyStorage(place.repository.storage, {
      faults: [{ ...fault, error: () => new LaganError('no-space', 'full on purpose') }],
    });
    const host = JSON.stringify(fault);
    t.equal(await codeOf(backUp(over(place, storage), { host, parent: 'none' }, limits)), 'no-space', host);
    t.same(temporaryFiles(place), []);
  }
  await expectIntact(t, place, place.contents);
});

t.test('backup: a full disk where the workers write', { skip: !canMount() && 'only root may mount' }, async (t) => {
  const place = await filled(t);
  const small = path.join(place.folder, 'small');
  fs.mkdirSync(small);
  t.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=5m', 'lagan-test', small]).status, 0);
  t.teardown(() => spawnSync('umount', ['-l', small]));
  const repositoryFolder = path.join(small, 'repository');
  fs.cpSync(place.repositoryFolder, repositoryFolder, { recursive: true });
  const there: Place = { ...place, repositoryFolder, repository: { ...place.repository, storage: new LocalFolder(repositoryFolder) } };
  for (const workers of [1, 3]) {
    t.equal(await codeOf(backUp(there, { workers })), 'no-space');
    t.same(temporaryFiles(there), []);
    t.same(packsOf(there), []);
  }
  spawnSync('mount', ['-o', 'remount,size=40m', small]);
  await expectIntact(t, there, place.contents);
});

t.test('backup: what the store refuses is no fault of the file that was read, and the other way round', async (t) => {
  const place = await filled(t);
  fs.mkdirSync(path.join(place.repositoryFolder, 'writer'), { recursive: true });
  fs.writeFileSync(path.join(place.repositoryFolder, 'writer/packs'), 'a file in the way');
  const warnings: string[] = [];
  const code = await codeOf(backUp(place, { workers: 2, onWarning: ({ message }) => warnings.push(message) }));
  t.not(code, 'none');
  t.same(warnings, []);
  t.same(temporaryFiles(place), []);
  fs.unlinkSync(path.join(place.repositoryFolder, 'writer/packs'));
  await expectIntact(t, place, place.contents);
});

t.test('backup: a worker that cannot even start ends it, and nothing hangs', async (t) => {
  const place = await filled(t);
  const broken = { ...place.repository.configuration, chunker: { ...place.repository.configuration.chunker, horizonBytes: 1.5 } };
  // The main thread makes a kernel, too: it must be the worker that fails.
  const { WorkerPool } = await import('../../../engine/backup/_worker-pool.ts');
  const pool = new WorkerPool({ repository: { configuration: broken } } as never, {
    workers: 2,
    jobsPerWorker: 2,
    onPack: () => {},
    onIndexDamage: () => {},
  });
  const results = await Promise.allSettled([0, 1, 2, 3, 4, 5].map(async () => (await pool.give({ type: 'flush' })).result));
  t.ok(results.every(({ status }) => status === 'rejected'));
  await t.rejects(pool.pause());
  await t.rejects(pool.runOnAll({ type: 'flush' }));
  const started = performance.now();
  await pool.stop();
  await pool.stop();
  t.ok(performance.now() - started < patienceMs);
});

t.test('backupStream: a stream that fails makes no snapshot; interrupted it ends at once', async (t) => {
  const { repository, ...place } = await makePlace(t);
  const before = objectsOf({ ...place, repository });
  const failing = async function* () {
    yield* countedBytes(5_000_000);
    throw new Error('the command failed');
  };
  await t.rejects(backupStream(repository, { name: 'x', stream: failing() }), { message: 'the command failed' });
  t.same(temporaryFiles({ ...place, repository }), []);
  t.same(objectsOf({ ...place, repository }), before);
  const endless = async function* () {
    for (;;) yield* countedBytes(1_000_000);
  };
  const silent = async function* () {
    yield new Uint8Array(10);
    await new Promise(() => undefined);
  };
  for (const stream of [endless, silent]) {
    const controller = new AbortController();
    const started = performance.now();
    setTimeout(() => controller.abort(), 300);
    t.equal(await codeOf(backupStream(repository, { name: 'x', stream: stream(), signal: controller.signal })), 'interrupted');
    t.ok(performance.now() - started < 300 + patienceMs);
    t.same(temporaryFiles({ ...place, repository }), []);
  }
  t.equal(
    objectsOf({ ...place, repository }).some((name) => name.startsWith('snapshots/')),
    false,
  );
  const { FaultyStorage } = await import('../storage/faulty-storage.ts');
  const storage = new FaultyStorage(repository.storage, { faults: [{ operation: 'createWriter', call: 1 }] });
  t.equal(await codeOf(backupStream({ ...repository, storage }, { name: 'x', stream: countedBytes(3_000_000) })), 'io');
});

t.test('nothing was rejected without anybody noticing', async (t) => {
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.same(rejections, []);
});

function canMount(): boolean {
  return process.getuid!() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0;
}
