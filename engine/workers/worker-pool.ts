import { Worker } from 'node:worker_threads';
import type { JobMessage, JobReply, WorkerStart } from './_messages.ts';
import { deserializeError } from './serialized-error.ts';

export interface WorkerPoolOptions<Setup> {
  /** The module of the workers, which calls `serveJobs`. */
  readonly module: URL;
  /** Structured-cloneable; every worker gets it at its start. */
  readonly setup: Setup;
  readonly workers: number;
  /** Jobs that a worker may have at once, the one at work included. */
  readonly jobsPerWorker: number;
}

interface PooledWorker {
  readonly thread: Worker;
  /** Jobs posted and not answered. */
  waiting: number;
}

interface PendingJob<Result> {
  readonly worker: PooledWorker;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Short-lived buffers of a worker's own loop need no more; what is larger is not in V8's heap. */
const youngGenerationMiB = 8;

/**
 * Threads that do jobs of one kind, each started when there is work for it. The first failure of a job or a thread rejects everything that follows.
 * Descriptors are shared by all threads: none that a job may use is closed before {@link stop} has resolved or the job was answered.
 */
export class WorkerPool<Setup, Job, Result> {
  readonly size: number;
  readonly #options: WorkerPoolOptions<Setup>;
  readonly #stopFlag = new SharedArrayBuffer(4);
  readonly #workers: PooledWorker[] = [];
  readonly #pending = new Map<number, PendingJob<Result>>();
  #nextNumber = 0;
  #failure: { readonly error: unknown } | undefined;
  #wakeUp: (() => void)[] = [];

  constructor(options: WorkerPoolOptions<Setup>) {
    this.#options = options;
    this.size = options.workers;
  }

  /** True if a job can be posted without piling up. */
  get hasRoom(): boolean {
    return this.#workers.length < this.size || this.#workers.some((worker) => this.#mayGet(worker));
  }

  /** Resolves when {@link hasRoom}. */
  async ready(): Promise<void> {
    while (!this.hasRoom) await this.nextAnswer();
    this.#throwFailure();
  }

  /** Resolves with the next answer to any job; rejects when the pool has failed. */
  async nextAnswer(): Promise<void> {
    this.#throwFailure();
    await new Promise<void>((resolve) => this.#wakeUp.push(resolve));
    this.#throwFailure();
  }

  /**
   * The worker that a job should go to: `preferred` if it has room, else the one with the least to do. A worker that does not run yet counts as idle.
   */
  choose(preferred: number | undefined): number {
    if (preferred !== undefined && (preferred >= this.#workers.length || this.#mayGet(this.#workers[preferred]!))) return preferred;
    let best = 0;
    for (let index = 0; index < this.size; index++) if (this.#waitingOf(index) < this.#waitingOf(best)) best = index;
    return best;
  }

  /** Has a job done by the worker with the least to do, or by a certain one. */
  run(job: Job, worker: number = this.choose(undefined)): Promise<Result> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    while (this.#workers.length <= worker) this.#start();
    return this.#post(this.#workers[worker]!, job);
  }

  /** Tells the workers to give up what they are at, and resolves when all have ended. Jobs that are not done are rejected. */
  async stop(): Promise<void> {
    this.#failure ??= { error: new Error('the workers have been stopped') };
    Atomics.store(new Int32Array(this.#stopFlag), 0, 1);
    while (this.#workers.some(({ waiting }) => waiting > 0)) await new Promise<void>((resolve) => this.#wakeUp.push(resolve));
    await Promise.all(this.#workers.map(({ thread }) => thread.terminate()));
  }

  #mayGet({ waiting }: PooledWorker): boolean {
    return waiting < this.#options.jobsPerWorker;
  }

  #waitingOf(index: number): number {
    return this.#workers[index]?.waiting ?? 0;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #start(): void {
    const { module, setup } = this.#options;
    const workerData: WorkerStart<Setup> = { setup, stopFlag: this.#stopFlag };
    const thread = new Worker(module, { workerData, resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMiB } });
    const worker: PooledWorker = { thread, waiting: 0 };
    thread.on('message', (reply: JobReply<Result>) => this.#receive(reply));
    thread.on('error', (error) => this.#fail(error));
    thread.on('exit', () => this.#bury(worker));
    this.#workers.push(worker);
  }

  #post(worker: PooledWorker, job: Job): Promise<Result> {
    const number = this.#nextNumber++;
    worker.waiting++;
    return new Promise((resolve, reject) => {
      this.#pending.set(number, { worker, resolve, reject });
      worker.thread.postMessage({ number, job } satisfies JobMessage<Job>);
    });
  }

  #receive(reply: JobReply<Result>): void {
    const pending = this.#pending.get(reply.number);
    if (pending === undefined) return;
    this.#pending.delete(reply.number);
    pending.worker.waiting--;
    if ('result' in reply) pending.resolve(reply.result);
    else {
      const error = deserializeError(reply.error);
      pending.reject(error);
      this.#fail(error);
    }
    this.#wake();
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
  }

  /** A thread that has ended answers nothing any more. */
  #bury(worker: PooledWorker): void {
    this.#fail(new Error('a worker thread ended'));
    for (const [number, pending] of this.#pending) {
      if (pending.worker !== worker) continue;
      this.#pending.delete(number);
      pending.reject(this.#failure!.error);
    }
    worker.waiting = 0;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#wakeUp;
    this.#wakeUp = [];
    for (const resume of waiting) resume();
  }
}
