import assert from 'node:assert/strict';
import type { Worker } from 'node:worker_threads';
import { endMessage, type JobMessage, type JobReply, type WorkerStart } from './_messages.ts';
import { deserializeError } from './serialized-error.ts';
import { startThread } from './thread.ts';
import { type BeginWorker, workHere } from './worker.ts';

export interface WorkerPoolOptions<Setup, Job, Result> {
  /** The module of the threads, which calls `serveJobs`. */
  readonly module: URL;
  /** The same for a worker in this thread, the first of all; without it all have threads of their own. */
  readonly here?: BeginWorker<Setup, Job, Result>;
  /** Structured-cloneable; every worker gets it at its start. */
  readonly setup: Setup;
  readonly workers: number;
  /** Jobs that a worker may have at once, the one at work included. */
  readonly jobsPerWorker: number;
}

interface PooledWorker<Job, Result> {
  /** Jobs given and not answered. */
  waiting: number;
  run(job: Job): Promise<Result>;
  end(): Promise<unknown>;
}

/** Young objects of a thread, in MiB: its large buffers are not among them. */
const youngGenerationMiB = 8;

/**
 * Workers that do jobs of one kind, each started when there is work for it. The first failure of a job or a thread rejects everything that follows.
 * Descriptors are shared by all threads: none that a job may use is closed before the job was answered or {@link stop} has resolved.
 */
export class WorkerPool<Setup, Job, Result> {
  readonly size: number;
  readonly #options: WorkerPoolOptions<Setup, Job, Result>;
  readonly #start: WorkerStart<Setup>;
  readonly #workers: PooledWorker<Job, Result>[] = [];
  #failure: { readonly error: unknown } | undefined;
  #wakeUp: (() => void)[] = [];

  constructor(options: WorkerPoolOptions<Setup, Job, Result>) {
    assert(options.workers >= 1, 'a pool has at least one worker');
    this.#options = options;
    this.#start = { setup: options.setup, stopFlag: new SharedArrayBuffer(4) };
    this.size = options.workers;
  }

  /** True if a job can be given without piling up. */
  get hasRoom(): boolean {
    return this.#workers.length < this.size || this.#workers.some((worker) => this.#mayGet(worker));
  }

  /** Resolves when {@link hasRoom}. */
  async ready(): Promise<void> {
    this.#throwFailure();
    while (!this.hasRoom) {
      await this.#nextAnswer();
      this.#throwFailure();
    }
  }

  /** The worker that a job should go to: `preferred` if it has room, else the one with the least to do. */
  choose(preferred?: number): number {
    if (preferred !== undefined && (preferred >= this.#workers.length || this.#mayGet(this.#workers[preferred]!))) return preferred;
    let best = 0;
    for (let index = 0; index < this.size; index++) if (this.#waitingOf(index) < this.#waitingOf(best)) best = index;
    return best;
  }

  /** Has a job done by the worker with the least to do, or by a certain one. */
  async run(job: Job, index: number = this.choose()): Promise<Result> {
    this.#throwFailure();
    while (this.#workers.length <= index) this.#workers.push(this.#begin());
    const worker = this.#workers[index]!;
    worker.waiting++;
    try {
      return await worker.run(job);
    } catch (error) {
      this.#failure ??= { error };
      throw error;
    } finally {
      worker.waiting--;
      this.#wake();
    }
  }

  /** Tells the workers to give up what they are at, and resolves when all have ended. Jobs that are not done are rejected. */
  async stop(): Promise<void> {
    this.#failure ??= { error: new Error('the workers have been stopped') };
    Atomics.store(new Int32Array(this.#start.stopFlag), 0, 1);
    while (this.#workers.some(({ waiting }) => waiting > 0)) await this.#nextAnswer();
    await Promise.all(this.#workers.map((worker) => worker.end()));
  }

  #begin(): PooledWorker<Job, Result> {
    const { here, module } = this.#options;
    if (here === undefined || this.#workers.length > 0) return new PooledThread(module, this.#start);
    return { waiting: 0, run: workHere(here, this.#start), end: () => Promise.resolve() };
  }

  #mayGet({ waiting }: PooledWorker<Job, Result>): boolean {
    return waiting < this.#options.jobsPerWorker;
  }

  #waitingOf(index: number): number {
    return this.#workers[index]?.waiting ?? 0;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #nextAnswer(): Promise<void> {
    return new Promise((resolve) => this.#wakeUp.push(resolve));
  }

  #wake(): void {
    const waiting = this.#wakeUp;
    this.#wakeUp = [];
    for (const resume of waiting) resume();
  }
}

interface PendingJob<Result> {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

class PooledThread<Setup, Job, Result> implements PooledWorker<Job, Result> {
  waiting = 0;
  readonly #thread: Worker;
  readonly #ended = Promise.withResolvers<void>();
  readonly #pending = new Map<number, PendingJob<Result>>();
  #nextNumber = 0;
  #end: { readonly error: unknown } | undefined;

  constructor(module: URL, start: WorkerStart<Setup>) {
    this.#thread = startThread(module, start, { youngGenerationMiB });
    this.#thread.on('message', (reply: JobReply<Result>) => this.#receive(reply));
    this.#thread.on('error', (error) => this.#fail(error));
    this.#thread.on('exit', () => {
      this.#fail(new Error('a worker thread has ended'));
      this.#ended.resolve();
    });
  }

  run(job: Job): Promise<Result> {
    if (this.#end !== undefined) return Promise.reject(this.#end.error);
    const number = this.#nextNumber++;
    this.#thread.postMessage({ number, job } satisfies JobMessage<Job>);
    return new Promise((resolve, reject) => this.#pending.set(number, { resolve, reject }));
  }

  end(): Promise<unknown> {
    this.#thread.postMessage(endMessage);
    return this.#ended.promise;
  }

  #receive(reply: JobReply<Result>): void {
    const pending = this.#pending.get(reply.number);
    this.#pending.delete(reply.number);
    if ('result' in reply) pending?.resolve(reply.result);
    else pending?.reject(deserializeError(reply.error));
  }

  /** A thread that has ended answers nothing any more. */
  #fail(error: unknown): void {
    this.#end ??= { error };
    for (const { reject } of this.#pending.values()) reject(this.#end.error);
    this.#pending.clear();
  }
}
