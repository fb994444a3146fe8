/** What a thread of a backup runs; started by `_worker-pool.ts`. */
import { setTimeout } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { attachRepository } from '../repository/mod.ts';
import { endThread } from '../workers/mod.ts';
import { beginBackupWorker } from './_backup-worker.ts';
import { backupLimits } from './_limits.ts';
import type { WorkerJob, WorkerReply, WorkerSetup } from './_messages.ts';

const port = parentPort!;
const setup = workerData as WorkerSetup;
const run = beginBackupWorker(setup, {
  repository: attachRepository(setup.repository),
  source: setup.source && attachRepository(setup.source.repository),
  reply: (message, transfer = []) => port.postMessage(message, transfer),
});
port.on('message', async (job: WorkerJob) => {
  if (job.type !== 'stop') return run(job);
  await Promise.race([run(job), setTimeout(backupLimits.stopTimeoutMs)]);
  return endThread();
});
port.postMessage({ type: 'ready' } satisfies WorkerReply);
