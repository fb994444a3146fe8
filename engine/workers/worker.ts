import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { endMessage, type JobMessage, type JobReply, type WorkerStart } from './_messages.ts';
import { serializeError } from './serialized-error.ts';
import { endThread } from './thread.ts';

/** What a worker is told at its start, and what it asks while it works. */
export interface WorkerContext<Setup> {
  readonly setup: Setup;
  /** True once the pool stops: a job that takes long looks at it now and then, cleans up and throws. */
  isStopping(): boolean;
  /** To be called now and then during a job: the promise that it may return is to be awaited, so that others in the same thread get on. */
  pause(): Promise<void> | undefined;
}

/** Makes a worker: the function that does one job after another. */
export type BeginWorker<Setup, Job, Result> = (context: WorkerContext<Setup>) => (job: Job) => Promise<Result>;

/** How long a job may keep the main thread to itself. */
const sliceMs = 4;

/** To be called once by the module of a thread: does the jobs that the pool posts, one after another, in order, and ends the thread when the pool wants it. */
export function serveJobs<Setup, Job, Result>(begin: BeginWorker<Setup, Job, Result>): void {
  const port = parentPort!;
  const { setup, stopFlag } = workerData as WorkerStart<Setup>;
  const perform = begin({ setup, isStopping: stopTest(stopFlag), pause: () => undefined });
  let working: Promise<void> = Promise.resolve();
  port.on('message', (message: JobMessage<Job> | typeof endMessage) => {
    working = working.then(async () => {
      if (message === endMessage) endThread();
      port.postMessage(await answer(message.number, perform(message.job)));
    });
  });
}

/** A worker in this very thread, which shares it with whoever awaits something. */
export function workHere<Setup, Job, Result>(
  begin: BeginWorker<Setup, Job, Result>,
  { setup, stopFlag }: WorkerStart<Setup>,
): (job: Job) => Promise<Result> {
  let sliceEnd = 0;
  const pause = () => {
    if (performance.now() < sliceEnd) return undefined;
    return setImmediate().then(() => {
      sliceEnd = performance.now() + sliceMs;
    });
  };
  const perform = begin({ setup, isStopping: stopTest(stopFlag), pause });
  let working: Promise<unknown> = Promise.resolve();
  return (job) => {
    const done = working.then(() => perform(job));
    working = done.catch(() => undefined);
    return done;
  };
}

function stopTest(stopFlag: SharedArrayBuffer): () => boolean {
  const flag = new Int32Array(stopFlag);
  return () => Atomics.load(flag, 0) === 1;
}

async function answer<Result>(number: number, result: Promise<Result>): Promise<JobReply<Result>> {
  try {
    return { number, result: await result };
  } catch (error) {
    return { number, error: serializeError(error) };
  }
}
