import { setTimeout } from 'node:timers/promises';
import type { StoredPack } from '../packs/mod.ts';
import { threadModule } from '../program/mod.ts';
import type { Repository } from '../repository/mod.ts';
import { deserializeError, startThread } from '../workers/mod.ts';
import { beginBackupWorker } from './_backup-worker.ts';
import { backupLimits } from './_limits.ts';
import type { WorkerJob, WorkerReply, WorkerSetup } from './_messages.ts';

/** What a worker answers to a job. */
export type JobResult = Extract<WorkerReply, { type: 'done' }>;

type JobWithoutNumber = WorkerJob extends infer Job ? (Job extends WorkerJob ? Omit<Job, 'job'> : never) : never;

interface PooledWorker {
  /** Resolves when it takes jobs, or has ended before. */
  readonly started: Promise<void>;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  /** Jobs posted and not answered. */
  waiting: number;
  post(job: WorkerJob): void;
  /** Does not keep the process alive any more. */
  leave(): void;
}

interface PendingJob {
  readonly worker: PooledWorker;
  readonly resolve: (result: JobResult) => void;
  readonly reject: (error: unknown) => void;
}

/** What workers in this thread work with. */
export interface WorkersHere {
  readonly repository: Repository;
  readonly source: Repository | undefined;
}

const workerUrl = threadModule('engine/backup/worker');

/**
 * The workers of one backup, each started when there is work for it. A job goes to the worker with the fewest jobs waiting; when all have `jobsPerWorker`, {@link give} waits.
 * The first failure of a worker rejects everything that is under way and everything that follows.
 */
export class WorkerPool {
  #setup: WorkerSetup;
  readonly #size: number;
  readonly #workers: PooledWorker[] = [];
  readonly #jobsPerWorker: number;
  readonly #pending = new Map<number, PendingJob>();
  readonly #onPack: (pack: StoredPack) => void;
  readonly #onIndexDamage: (error: unknown) => void;
  readonly #here: WorkersHere | undefined;
  readonly #stopFlag = new Int32Array(new SharedArrayBuffer(4));
  #nextJob = 0;
  #paused = false;
  #failure: unknown;
  #wakeUp: (() => void)[] = [];

  constructor(
    setup: Omit<WorkerSetup, 'stopFlag'>,
    options: {
      workers: number;
      jobsPerWorker: number;
      onPack: (pack: StoredPack) => void;
      /** An index table is damaged: the worker goes on without it. */
      onIndexDamage: (error: unknown) => void;
      /** Where only this thread can reach the stores: the workers are then in this thread. */
      here?: WorkersHere | undefined;
    },
  ) {
    this.#jobsPerWorker = options.jobsPerWorker;
    this.#onPack = options.onPack;
    this.#onIndexDamage = options.onIndexDamage;
    this.#here = options.here;
    this.#setup = { ...setup, stopFlag: this.#stopFlag.buffer as SharedArrayBuffer };
    this.#size = options.workers;
  }

  /** How many workers there are once all have started. */
  get size(): number {
    return this.#size;
  }

  /** Waits until every job is done; {@link give} gives no new ones before {@link resume}. */
  async pause(): Promise<void> {
    this.#paused = true;
    while (this.#pending.size > 0) await this.#nextChange();
    this.#throwFailure();
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  /** Gives a job to the worker with the least to do, as soon as one has room. `result`: its answer. */
  async give(job: JobWithoutNumber): Promise<{ readonly result: Promise<JobResult> }> {
    while (!this.#hasRoom) await this.#nextChange();
    const idle = this.#workers.find(({ waiting }) => waiting === 0) ?? this.#startOne();
    const result = this.#post(idle ?? this.#workers.reduce((least, worker) => (worker.waiting < least.waiting ? worker : least)), job);
    // Whoever awaits it is told; nobody need be there yet.
    result.catch(() => undefined);
    return { result };
  }

  /** Gives a job to a certain worker, as soon as that has room. */
  async giveTo(index: number, job: JobWithoutNumber): Promise<{ readonly result: Promise<JobResult> }> {
    while (this.#workers.length <= index) this.#startOne();
    const worker = this.#workers[index]!;
    while (this.#paused || worker.waiting >= this.#jobsPerWorker) await this.#nextChange();
    const result = this.#post(worker, job);
    result.catch(() => undefined);
    return { result };
  }

  /** Posts a job to one worker: the parts of a stream must all go to the same. */
  async runOn(index: number, job: JobWithoutNumber): Promise<JobResult> {
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

  /** Ends all workers; what they had open is thrown away. A worker that hangs in a call of the system is left behind: it ends when that returns. */
  async stop(): Promise<void> {
    this.#failure ??= new Error('the backup has ended');
    Atomics.store(this.#stopFlag, 0, 1);
    this.#wake();
    for (const worker of this.#workers) worker.post({ type: 'stop', job: this.#nextJob++ });
    await Promise.all(this.#workers.map((worker) => worker.started));
    const ended = Promise.all(this.#workers.map((worker) => worker.ended));
    await Promise.race([ended, setTimeout(backupLimits.stopTimeoutMs, undefined, { ref: false })]);
    for (const worker of this.#workers) worker.leave();
  }

  get #hasRoom(): boolean {
    return !this.#paused && (this.#workers.length < this.#size || this.#workers.some((worker) => worker.waiting < this.#jobsPerWorker));
  }

  async #nextChange(): Promise<void> {
    this.#throwFailure();
    await new Promise<void>((resolve) => this.#wakeUp.push(resolve));
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #post(worker: PooledWorker, job: JobWithoutNumber): Promise<JobResult> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const number = this.#nextJob++;
    worker.waiting++;
    return new Promise((resolve, reject) => {
      this.#pending.set(number, { worker, resolve, reject });
      worker.post({ ...job, job: number } as WorkerJob);
    });
  }

  /** Starts another worker, unless all are there. */
  #startOne(): PooledWorker | undefined {
    if (this.#workers.length === this.#size) return undefined;
    this.#throwFailure();
    const worker = this.#here === undefined ? this.#startThread() : this.#startHere(this.#here);
    this.#workers.push(worker);
    return worker;
  }

  #startThread(): PooledWorker {
    const thread = startThread(workerUrl, this.#setup, { youngGenerationMiB: 6 });
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    thread.on('message', (reply: WorkerReply) => (reply.type === 'ready' ? start() : this.#receive(reply)));
    thread.on('error', (error) => this.#fail(error));
    thread.on('exit', () => {
      this.#fail(new Error('a worker thread of the backup ended'));
      start();
      end();
    });
    return { started, ended, waiting: 0, post: (job) => thread.postMessage(job), leave: () => thread.unref() };
  }

  #startHere(parts: WorkersHere): PooledWorker {
    const run = beginBackupWorker(this.#setup, { ...parts, reply: (message) => this.#receive(message) });
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const post = async (job: WorkerJob): Promise<void> => {
      await run(job);
      if (job.type === 'stop') resolve();
    };
    return { started: Promise.resolve(), ended, waiting: 0, post, leave: () => undefined };
  }

  #receive(reply: WorkerReply): void {
    if (reply.type === 'pack') this.#onPack(reply.stored);
    else if (reply.type === 'index-damage') this.#onIndexDamage(deserializeError(reply.error));
    else if (reply.type === 'done') this.#settle(reply);
    else if (reply.type === 'failed') this.#fail(deserializeError(reply.error));
  }

  #settle(reply: JobResult): void {
    const pending = this.#pending.get(reply.job);
    if (pending === undefined) return;
    this.#pending.delete(reply.job);
    pending.worker.waiting--;
    pending.resolve(reply);
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
