import t, { type Test } from 'tap';
import { WorkerPool } from '../../../engine/workers/mod.ts';
import { beginSample, type SampleJob } from './_sample-worker.ts';

const module = new URL('./_sample-thread.ts', import.meta.url);

function makePool(t: Test, options: { workers: number; here?: boolean }) {
  const { workers, here = true } = options;
  const pool = new WorkerPool<string, SampleJob, string>({
    module,
    ...(here ? { here: beginSample } : {}),
    setup: 'hello',
    workers,
    jobsPerWorker: 2,
  });
  t.teardown(() => pool.stop());
  return pool;
}

for (const here of [true, false]) {
  t.test(`WorkerPool: jobs are done by every worker, in this thread too: ${here}`, async (t) => {
    const pool = makePool(t, { workers: 3, here });
    const answers = await Promise.all([0, 1, 2].map((worker) => pool.run({ say: `${worker}` }, worker)));
    t.strictSame(answers, ['hello 0', 'hello 1', 'hello 2']);
    t.equal(await pool.run({ say: 'again' }), 'hello again');
  });

  t.test(`WorkerPool: what fails comes back with its code, and ends the pool, in this thread too: ${here}`, async (t) => {
    const pool = makePool(t, { workers: 1, here });
    await t.rejects(pool.run({ fail: true }), { code: 'pack-missing', object: 'writer/packs/x' });
    await t.rejects(pool.run({ say: 'more' }), { code: 'pack-missing' });
    await t.rejects(pool.ready(), { code: 'pack-missing' });
  });

  t.test(`WorkerPool: stop ends what is endless, in this thread too: ${here}`, async (t) => {
    const pool = makePool(t, { workers: 2, here });
    const jobs = [pool.run({ endless: true }), pool.run({ endless: true }), pool.run({ endless: true })];
    const ended = Promise.allSettled(jobs);
    await pool.stop();
    for (const { status } of await ended) t.equal(status, 'rejected');
  });
}

t.test('WorkerPool: there is room until every worker has its jobs', async (t) => {
  const pool = makePool(t, { workers: 2 });
  const jobs: Promise<unknown>[] = [];
  for (let job = 0; job < 4; job++) {
    t.ok(pool.hasRoom);
    jobs.push(pool.run({ say: `${job}` }).catch(() => undefined));
  }
  t.notOk(pool.hasRoom);
  await pool.ready();
  t.ok(pool.hasRoom);
  await Promise.all(jobs);
});

t.test('WorkerPool: choose prefers as long as there is room, else takes the one with the least to do', async (t) => {
  const pool = makePool(t, { workers: 2 });
  t.equal(pool.choose(1), 1);
  const jobs = [pool.run({ endless: true }, 1), pool.run({ endless: true }, 1)];
  const ended = Promise.allSettled(jobs);
  t.equal(pool.choose(1), 0);
  t.equal(pool.choose(), 0);
  await pool.stop();
  await ended;
});

t.test('WorkerPool: a thread that ends rejects its jobs', async (t) => {
  const pool = makePool(t, { workers: 1, here: false });
  await t.rejects(pool.run({ die: true }));
  await t.rejects(pool.run({ say: 'more' }));
});
