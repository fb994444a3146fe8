import { Worker } from 'node:worker_threads';
import { type ErrorCode, LaganError, type PackId, type PackKind } from '../../repo-format/mod.ts';
import { compileKernel } from '../kernel/mod.ts';
import { describeRepository, type Repository } from '../repository/mod.ts';
import { checkLimits } from './_limits.ts';
import type { WorkerReply, WorkerSetup } from './_messages.ts';
import { createVerifier, type PackReport, type PackVerifier } from './_pack-verifier.ts';

/** The same file for `.ts` (run from source) and `.js` (compiled). */
const workerUrl = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

export interface PackToRead {
  readonly id: PackId;
  readonly kind: PackKind;
}

interface PooledWorker {
  readonly thread: Worker;
  waiting: number;
}

/**
 * Has packs verified by worker threads, or by this thread where the store lives in its memory. Packs may be added while others are read; {@link finish}
 * waits for all.
 */
export class DataReader {
  readonly #size: number;
  readonly #onReport: (report: PackReport) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #setup: WorkerSetup;
  readonly #workers: PooledWorker[] = [];
  readonly #queue: PackToRead[] = [];
  readonly #ownVerifier: PackVerifier | undefined;
  #failure: unknown;
  #onChange: () => void = () => {};

  constructor(
    repository: Repository,
    options: { workers: number; onReport: (report: PackReport) => void; signal: AbortSignal | undefined },
  ) {
    this.#size = options.workers;
    this.#onReport = options.onReport;
    this.#signal = options.signal;
    this.#setup = { repository: describeRepository(repository), kernelModule: compileKernel() };
    if (repository.storage.describe().kind === 'in-memory') this.#ownVerifier = createVerifier(repository, this.#setup.kernelModule);
  }

  /** Adds packs and starts with them. */
  add(packs: readonly PackToRead[]): void {
    this.#queue.push(...packs);
    if (this.#ownVerifier === undefined) this.#dispatch();
  }

  /** Waits until all packs are read. Rejects with the first error that is not damage. */
  async finish(): Promise<void> {
    if (this.#ownVerifier !== undefined) return this.#readHere(this.#ownVerifier);
    while (this.#failure === undefined && (this.#queue.length > 0 || this.#workers.some(({ waiting }) => waiting > 0))) {
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends the workers, whatever they do. */
  async stop(): Promise<void> {
    this.#queue.length = 0;
    this.#failure ??= new Error('the check has ended');
    this.#onChange();
    await Promise.all(this.#workers.map(({ thread }) => thread.terminate()));
  }

  async #readHere(verifier: PackVerifier): Promise<void> {
    for (let pack = this.#queue.shift(); pack !== undefined; pack = this.#queue.shift()) {
      this.#onReport(await verifier.verify(pack.id, pack.kind, this.#signal));
    }
  }

  #dispatch(): void {
    while (this.#queue.length > 0 && this.#failure === undefined) {
      const worker = this.#idlest();
      if (worker === undefined) return;
      const { id, kind } = this.#queue.shift()!;
      worker.waiting++;
      worker.thread.postMessage({ pack: id, kind });
    }
  }

  /** A worker that has room: one that does nothing, or a new one, before one that is at work. */
  #idlest(): PooledWorker | undefined {
    const idle = this.#workers.find(({ waiting }) => waiting === 0);
    if (idle !== undefined) return idle;
    if (this.#workers.length < this.#size) return this.#start();
    const least = this.#workers.reduce((best, worker) => (worker.waiting < best.waiting ? worker : best));
    return least.waiting < checkLimits.packsPerWorker ? least : undefined;
  }

  #start(): PooledWorker {
    const thread = new Worker(workerUrl, { workerData: this.#setup, resourceLimits: { maxYoungGenerationSizeMb: 2 } });
    const worker: PooledWorker = { thread, waiting: 0 };
    thread.on('message', (reply: WorkerReply) => this.#receive(worker, reply));
    thread.on('error', (error) => this.#fail(error));
    this.#workers.push(worker);
    return worker;
  }

  #receive(worker: PooledWorker, reply: WorkerReply): void {
    if (this.#failure !== undefined) return;
    worker.waiting--;
    try {
      if (reply.type === 'failed') throw errorOf(reply);
      this.#onReport(reply.report);
      this.#dispatch();
      this.#onChange();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#onChange();
  }
}

function errorOf({ code, message, object }: Extract<WorkerReply, { type: 'failed' }>): Error {
  return code === undefined ? new Error(message) : new LaganError(code as ErrorCode, message, { object });
}
