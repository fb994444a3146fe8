/** A store that is far away is asked as rarely, and as much at once, as it goes: the round trips of what is done every day. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { backup, createRepository, listSnapshots, maintain, maintenanceIsDue, openRepository, withCache } from '../../engine/mod.ts';
import { InMemory, S3, type Storage } from '../../engine/storage/mod.ts';
import { secret } from '../engine/backup/_fixture.ts';
import { randomBytesOf } from '../engine/random.ts';
import { LatencyProxy } from '../engine/storage/latency-proxy.ts';
import type { RequestLog } from '../engine/storage/request-log.ts';
import { countingRounds } from '../engine/storage/rounds-storage.ts';
import { S3Stub } from '../engine/storage/s3-stub.ts';

/** Docs/object-stores.md tells them. */
const mostRoundTrips = { warm: 10, cold: 16 };

/** A place that can be opened again and again, as by other processes. What is done by a far way is logged. */
interface Place {
  openNear(): Storage;
  openFar(): Storage;
  readonly log: RequestLog;
}

const places: Record<string, (t: Test) => Promise<Place>> = {
  'the simulated store': async () => {
    const near = new InMemory();
    const far = countingRounds(near);
    return { openNear: () => near, openFar: () => far, log: far.log };
  },
  S3: async (t) => {
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'tester', AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: 'us-east-1' });
    const stub = await new S3Stub().start();
    stub.makeBucket('bucket');
    const proxy = await new LatencyProxy(stub.port, { latencyMs: 50 }).start();
    t.teardown(() => Promise.all([proxy.stop(), stub.stop()]));
    const open = (endpoint: string) => new S3(`s3://bucket/prefix?endpoint=${endpoint}`);
    return { openNear: () => open(stub.endpoint), openFar: () => open(proxy.endpoint), log: proxy.log };
  },
};

/** What `lagan backup` does. Returns whether nothing was new. */
async function backUp(storage: Storage, source: string, cacheFolder: string | undefined): Promise<boolean> {
  const opened = await openRepository(storage, { secret, mode: 'write' });
  const repository = cacheFolder === undefined ? opened : withCache(opened, { folder: cacheFolder });
  const { unchangedFromParent } = await backup(repository, { paths: [source], workers: 1 });
  await maintenanceIsDue(repository);
  await storage.close();
  return unchangedFromParent;
}

function makeSource(folder: string): string {
  const source = path.join(folder, 'source');
  for (let directory = 0; directory < 40; directory++) {
    const name = path.join(source, `folder-${directory % 7}`, `folder-${directory}`);
    mkdirSync(name, { recursive: true });
    for (let file = 0; file < 25; file++)
      writeFileSync(path.join(name, `file-${file}`), randomBytesOf(`${directory} ${file}`, 100 + ((file * 997) % 5000)));
  }
  return source;
}

for (const [name, makePlace] of Object.entries(places)) {
  t.test(`backup to ${name}: opening and an unchanged backup, by round trips`, async (t) => {
    const folder = t.testdir();
    const source = makeSource(folder);
    const place = await makePlace(t);
    await createRepository(place.openNear(), { slots: [{ secret, label: 'test' }], patienceMs: 0 });
    const [written, cache] = [path.join(folder, 'written'), path.join(folder, 'cache')];
    t.equal(await backUp(place.openNear(), source, written), false);
    const expectFew = async (cache: string | undefined, most: number, why: string) => {
      place.log.clear();
      t.equal(await backUp(place.openFar(), source, cache), true);
      const { length } = place.log.longestChain;
      t.ok(length <= most, `${why}: ${length} round trips`);
      t.comment(place.log.summary);
    };
    await expectFew(written, mostRoundTrips.warm, 'with the cache of the first backup');
    await expectFew(undefined, mostRoundTrips.cold, 'without a cache');
    await expectFew(cache, mostRoundTrips.cold, 'with an empty cache');
    await expectFew(cache, mostRoundTrips.warm, 'with a cache');
    const storage = place.openNear();
    const repository = await openRepository(storage, { secret, mode: 'write' });
    await maintain(repository);
    await storage.close();
    await expectFew(undefined, mostRoundTrips.cold, 'after a collection, without a cache');
    await expectFew(cache, mostRoundTrips.cold, 'after a collection');
    await expectFew(cache, mostRoundTrips.warm, 'after a collection, with a cache');
    t.equal((await listSnapshots(await openRepository(place.openNear(), { secret, mode: 'read' }))).length, 8);
  });
}
