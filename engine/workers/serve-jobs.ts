import { parentPort, workerData } from 'node:worker_threads';
import type { JobMessage, JobReply, WorkerStart } from './_messages.ts';
import { serializeError } from './serialized-error.ts';

/** What a worker is told at its start, and whether it is to end. */
export interface WorkerContext<Setup> {
  readonly setup: Setup;
  /** True once the pool stops: a job that takes long looks at it now and then, cleans up and throws. */
  isStopping(): boolean;
}

/** To be called once by the module of a worker: does the jobs that the pool posts, one after another, in order. */
export function serveJobs<Setup, Job, Result>(begin: (context: WorkerContext<Setup>) => (job: Job) => Promise<Result>): void {
  const port = parentPort!;
  const { setup, stopFlag } = workerData as WorkerStart<Setup>;
  const flag = new Int32Array(stopFlag);
  const perform = begin({ setup, isStopping: () => Atomics.load(flag, 0) === 1 });
  let working: Promise<void> = Promise.resolve();
  port.on('message', ({ number, job }: JobMessage<Job>) => {
    working = working.then(async () => port.postMessage(await answer(number, () => perform(job))));
  });
}

async function answer<Result>(number: number, perform: () => Promise<Result>): Promise<JobReply<Result>> {
  try {
    return { number, result: await perform() };
  } catch (error) {
    return { number, error: serializeError(error) };
  }
}
