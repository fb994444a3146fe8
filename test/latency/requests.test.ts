/** How many requests it takes where there is much: many snapshots, many files. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pLimit from 'p-limit';
import t, { type Test } from 'tap';
import { backup, createRepository, listSnapshots, maintain, openRepository, type Repository, restore } from '../../engine/mod.ts';
import { contextOf } from '../../engine/repository/_context.ts';
import { createSealed } from '../../engine/repository/_sealed-objects.ts';
import { InMemory, S3 } from '../../engine/storage/mod.ts';
import { encodeSnapshot, objectNames, type Snapshot, type SnapshotId } from '../../repo-format/mod.ts';
import { secret } from '../engine/backup/_fixture.ts';
import { randomBytesOf } from '../engine/random.ts';
import { randomId } from '../engine/repository/sample.ts';
import { LatencyProxy } from '../engine/storage/latency-proxy.ts';
import { countingRounds } from '../engine/storage/rounds-storage.ts';
import { S3Stub } from '../engine/storage/s3-stub.ts';

const MiB = 1024 * 1024;
const slots = [{ secret, label: 'test' }];

function newFolder(t: Test): string {
  const folder = mkdtempSync(path.join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lagan-latency-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Commits of that many backups, each of the same tree. */
async function commitMany(repository: Repository, snapshot: Snapshot, count: number): Promise<void> {
  const indexes = Array.from({ length: count }, (_, index) => index);
  await pLimit(100).map(indexes, async (index) => {
    const session = randomId<SnapshotId>();
    const started = { seconds: snapshot.started.seconds - index * 3600, nanoseconds: 0 };
    const payload = encodeSnapshot({ ...snapshot, session, started });
    await createSealed(contextOf(repository), objectNames.snapshot(snapshot.generation, session), { kind: 'snapshot', payload });
  });
}

t.test('10,000 snapshots: folded by a collection, they open with 20 requests', async (t) => {
  const source = newFolder(t);
  writeFileSync(path.join(source, 'file'), 'content');
  const memory = new InMemory();
  const repository = await createRepository(memory, { slots, patienceMs: 0 });
  await backup(repository, { paths: [source], workers: 1 });
  const [first] = await listSnapshots(repository);
  await commitMany(repository, first!.snapshot, 9_999);
  t.equal((await maintain(repository)).snapshots, 10_000);
  const storage = countingRounds(memory);
  const opened = await openRepository(storage, { secret, mode: 'write' });
  t.equal((await listSnapshots(opened)).length, 10_000);
  t.ok(storage.log.requests.length <= 20, storage.log.summary);
  t.ok(storage.log.longestChain.length <= 5);
});

t.test('restore: many tiny files need at most one request for each MiB', async (t) => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'tester', AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: 'us-east-1' });
  const folder = newFolder(t);
  const source = path.join(folder, 'source');
  for (let directory = 0; directory < 150; directory++) {
    const name = path.join(source, `folder-${directory}`);
    mkdirSync(name, { recursive: true });
    for (let file = 0; file < 100; file++)
      writeFileSync(
        path.join(name, `file-${file}`),
        randomBytesOf(`${directory} ${file}`, 100 + (((directory * 100 + file) * 7919) % 3900)),
      );
  }
  const stub = await new S3Stub().start();
  stub.makeBucket('bucket');
  const proxy = await new LatencyProxy(stub.port, { latencyMs: 5 }).start();
  t.teardown(() => Promise.all([proxy.stop(), stub.stop()]));
  const storage = new S3(`s3://bucket?endpoint=${proxy.endpoint}`);
  const repository = await createRepository(storage, { slots, patienceMs: 0 });
  const { statistics } = await backup(repository, { paths: [source], workers: 2 });
  const [snapshot] = await listSnapshots(repository);
  proxy.log.clear();
  const { errors } = await restore(repository, snapshot!, { target: path.join(folder, 'target'), workers: 2 });
  t.same(errors, []);
  const most = statistics.storedBytes / MiB;
  t.ok(proxy.log.requests.length <= most, `${proxy.log.requests.length} requests for ${most.toFixed(1)} MiB`);
  t.comment(proxy.log.summary);
  await storage.close();
});
