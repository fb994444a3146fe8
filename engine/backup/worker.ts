/** What a thread of a backup runs; started by `_worker-pool.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { attachRepository } from '../repository/mod.ts';
import { beginBackupWorker } from './_backup-worker.ts';
import type { WorkerJob, WorkerReply, WorkerSetup } from './_messages.ts';

const port = parentPort!;
const setup = workerData as WorkerSetup;
const run = beginBackupWorker(setup, {
  repository: attachRepository(setup.repository),
  source: setup.source && attachRepository(setup.source.repository),
  reply: (message, transfer = []) => port.postMessage(message, transfer),
});
port.on('message', async (job: WorkerJob) => {
  await run(job);
  if (job.type === 'stop') port.close();
});
port.postMessage({ type: 'ready' } satisfies WorkerReply);
