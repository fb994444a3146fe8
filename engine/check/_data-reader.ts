import { LaganError, type PackId, type PackKind } from '../../repo-format/mod.ts';
import { compileKernel } from '../kernel/mod.ts';
import { threadModule } from '../program/mod.ts';
import { describeRepository, type Repository, type RepositoryDescription } from '../repository/mod.ts';
import { WorkerPool } from '../workers/mod.ts';
import { checkLimits } from './_limits.ts';
import { createVerifier, type PackReport } from './_pack-verifier.ts';

/** What a worker is told at its start. */
export interface WorkerSetup {
  readonly repository: RepositoryDescription;
  readonly kernelModule: WebAssembly.Module;
}

/** A pack to be verified: the job of a worker. */
export interface PackToRead {
  readonly id: PackId;
  readonly kind: PackKind;
}

/** A pack that is to be read, with its size in the store. */
export interface SizedPack extends PackToRead {
  readonly sizeBytes: number;
}

const workerUrl = threadModule('engine/check/worker');

/**
 * Has packs verified by worker threads, or by this thread where the store lives in its memory. Packs may be added while others are read;
 * {@link finish} waits for all. Once the time is over no more are begun: they are left.
 */
export class DataReader {
  readonly #onReport: (report: PackReport) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #verify: (pack: PackToRead) => Promise<PackReport>;
  readonly #pool: WorkerPool<WorkerSetup, PackToRead, PackReport>;
  readonly #ready: () => Promise<unknown>;
  readonly #readings: Promise<void>[] = [];
  /** What this thread is at. */
  #here: Promise<unknown> = Promise.resolve();
  readonly #deadline: number;
  readonly left = { packs: 0, bytes: 0 };
  #isStopping = false;

  constructor(
    repository: Repository,
    options: {
      workers: number;
      /** By `performance.now()`. */
      deadline?: number | undefined;
      onReport: (report: PackReport) => void;
      signal: AbortSignal | undefined;
    },
  ) {
    this.#deadline = options.deadline ?? Number.POSITIVE_INFINITY;
    this.#onReport = options.onReport;
    this.#signal = options.signal;
    const setup = { repository: describeRepository(repository), kernelModule: compileKernel() };
    this.#pool = new WorkerPool({ module: workerUrl, setup, workers: options.workers, jobsPerWorker: checkLimits.packsPerWorker });
    const isHere = repository.storage.describe().kind === 'in-memory';
    this.#verify = isHere ? this.#verifyHere(repository) : (pack: PackToRead) => this.#pool.run(pack);
    this.#ready = isHere ? () => this.#here : () => this.#pool.ready();
  }

  /** Whether the time is over. */
  get isOver(): boolean {
    return performance.now() >= this.#deadline;
  }

  /** Adds packs and starts with them, in their order. */
  add(packs: readonly SizedPack[]): void {
    const reading = this.#readAll(packs);
    // Whoever calls `finish` is told.
    reading.catch(() => undefined);
    this.#readings.push(reading);
  }

  /** Waits until all packs are read. Rejects with the first error that is not damage, or with `interrupted`. */
  async finish(): Promise<void> {
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = () => reject(new LaganError('interrupted', 'interrupted', { cause: this.#signal?.reason }));
    if (this.#signal?.aborted) abort();
    this.#signal?.addEventListener('abort', abort, { once: true });
    try {
      await Promise.race([Promise.all(this.#readings), aborted]);
    } finally {
      this.#signal?.removeEventListener('abort', abort);
    }
  }

  /** Ends the workers, which give up what they are at. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#pool.stop();
  }

  async #readAll(packs: readonly SizedPack[]): Promise<void> {
    const jobs: Promise<void>[] = [];
    for (const { id, kind, sizeBytes } of packs) {
      await this.#ready();
      if (this.isOver) {
        this.left.packs++;
        this.left.bytes += sizeBytes;
        continue;
      }
      const job = this.#verify({ id, kind }).then(this.#onReport);
      job.catch(() => undefined);
      jobs.push(job);
    }
    await Promise.all(jobs);
  }

  /** One pack at a time: they share a buffer. */
  #verifyHere(repository: Repository): (pack: PackToRead) => Promise<PackReport> {
    let verifier: ReturnType<typeof createVerifier> | undefined;
    return ({ id, kind }) => {
      const report = this.#here.then(() => {
        verifier ??= createVerifier(repository);
        return verifier.verify(id, kind, { isStopping: () => this.#isStopping });
      });
      this.#here = report.catch(() => undefined);
      return report;
    };
  }
}
