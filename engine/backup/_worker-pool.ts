import { Worker } from 'node:worker_threads';
import type { StoredPack } from '../packs/mod.ts';
import type { WorkerJob, WorkerReply, WorkerSetup } from './_messages.ts';
import { deserializeError } from './_serialized-error.ts';

/** What a worker answers to a job. */
export type JobResult = Extract<WorkerReply, { type: 'done' }>;

type JobWithoutNumber = WorkerJob extends infer Job ? (Job extends WorkerJob ? Omit<Job, 'job'> : never) : never;

interface PooledWorker {
  readonly thread: Worker;
  /** Jobs posted and not answered. */
  waiting: number;
}

interface PendingJob {
  readonly worker: PooledWorker;
  readonly resolve: (result: JobResult) => void;
  readonly reject: (error: unknown) => void;
}

/** The same file for `.ts` (run from source) and `.js` (compiled). */
const workerUrl = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

/**
 * The workers of one backup, each started when there is work for it. A job goes to the worker with the fewest jobs waiting; when all have `jobsPerWorker`, {@link ready} waits.
 * The first failure of a worker rejects everything that follows.
 */
export class WorkerPool {
  #setup: WorkerSetup;
  readonly #size: number;
  readonly #workers: PooledWorker[] = [];
  readonly #jobsPerWorker: number;
  readonly #pending = new Map<number, PendingJob>();
  readonly #onPack: (pack: StoredPack) => void;
  #nextJob = 0;
  #paused = false;
  #failure: unknown;
  #wakeUp: (() => void)[] = [];

  constructor(setup: WorkerSetup, options: { workers: number; jobsPerWorker: number; onPack: (pack: StoredPack) => void }) {
    this.#jobsPerWorker = options.jobsPerWorker;
    this.#onPack = options.onPack;
    this.#setup = setup;
    this.#size = options.workers;
  }

  /** How many workers there are once all have started. */
  get size(): number {
    return this.#size;
  }

  /** Waits until every job is done; no new ones get {@link ready} before {@link resume}. */
  async pause(): Promise<void> {
    this.#paused = true;
    while (this.#pending.size > 0) await this.#nextChange();
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  /** True if a job can be posted without piling up. */
  get hasRoom(): boolean {
    return !this.#paused && (this.#workers.length < this.#size || this.#workers.some((worker) => worker.waiting < this.#jobsPerWorker));
  }

  /** Resolves when {@link hasRoom}. */
  async ready(): Promise<void> {
    while (!this.hasRoom) {
      await this.#nextChange();
    }
  }

  /** Posts a job to the worker with the least to do. */
  run(job: JobWithoutNumber): Promise<JobResult> {
    const idle = this.#workers.find(({ waiting }) => waiting === 0) ?? this.#startOne();
    return this.#post(idle ?? this.#workers.reduce((least, worker) => (worker.waiting < least.waiting ? worker : least)), job);
  }

  /** Posts a job to one worker: the parts of a stream must all go to the same. */
  runOn(index: number, job: JobWithoutNumber): Promise<JobResult> {
    while (this.#workers.length <= index) this.#startOne();
    return this.#post(this.#workers[index]!, job);
  }

  /** What workers that start from now on are told. */
  update(change: Partial<WorkerSetup>): void {
    this.#setup = { ...this.#setup, ...change };
  }

  /** Posts a job to each worker, behind what they have to do. */
  async runOnAll(job: JobWithoutNumber): Promise<void> {
    await Promise.all(this.#workers.map((worker) => this.#post(worker, job)));
  }

  /** Ends all workers; what they had open is thrown away. */
  async stop(): Promise<void> {
    this.#failure ??= new Error('the backup has ended');
    await Promise.allSettled(
      this.#workers.map(async (worker) => {
        await Promise.race([this.#post(worker, { type: 'stop' }, true), new Promise((resolve) => worker.thread.once('exit', resolve))]);
      }),
    );
    await Promise.all(this.#workers.map(({ thread }) => thread.terminate()));
  }

  async #nextChange(): Promise<void> {
    await new Promise<void>((resolve) => this.#wakeUp.push(resolve));
    if (this.#failure !== undefined) throw this.#failure;
  }

  #post(worker: PooledWorker, job: JobWithoutNumber, evenAfterFailure = false): Promise<JobResult> {
    if (this.#failure !== undefined && !evenAfterFailure) return Promise.reject(this.#failure);
    const number = this.#nextJob++;
    worker.waiting++;
    return new Promise((resolve, reject) => {
      this.#pending.set(number, { worker, resolve, reject });
      worker.thread.postMessage({ ...job, job: number });
    });
  }

  /** Starts another worker, unless all are there. */
  #startOne(): PooledWorker | undefined {
    if (this.#workers.length === this.#size) return undefined;
    const thread = new Worker(workerUrl, { workerData: this.#setup, resourceLimits: { maxYoungGenerationSizeMb: 6 } });
    const worker: PooledWorker = { thread, waiting: 0 };
    thread.on('message', (reply: WorkerReply) => this.#receive(reply));
    thread.on('error', (error) => this.#fail(error));
    this.#workers.push(worker);
    return worker;
  }

  #receive(reply: WorkerReply): void {
    if (reply.type === 'pack') this.#onPack(reply.stored);
    else if (reply.type === 'done') this.#settle(reply.job, (pending) => pending.resolve(reply));
    else if (reply.type === 'failed') {
      const error = deserializeError(reply.error);
      this.#settle(reply.job, (pending) => pending.reject(error));
      this.#fail(error);
    }
  }

  #settle(job: number, settle: (pending: PendingJob) => void): void {
    const pending = this.#pending.get(job);
    if (pending === undefined) return;
    this.#pending.delete(job);
    pending.worker.waiting--;
    settle(pending);
    this.#wake();
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const pending of this.#pending.values()) pending.reject(this.#failure);
    this.#pending.clear();
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#wakeUp;
    this.#wakeUp = [];
    for (const resume of waiting) resume();
  }
}
