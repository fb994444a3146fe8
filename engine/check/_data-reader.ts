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

const workerUrl = threadModule('engine/check/worker');

/**
 * Has packs verified by worker threads, or by this thread where the store lives in its memory. Packs may be added while others are read;
 * {@link finish} waits for all.
 */
export class DataReader {
  readonly #onReport: (report: PackReport) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #verify: (pack: PackToRead) => Promise<PackReport>;
  readonly #pool: WorkerPool<WorkerSetup, PackToRead, PackReport>;
  readonly #readings: Promise<void>[] = [];
  #isStopping = false;

  constructor(
    repository: Repository,
    options: { workers: number; onReport: (report: PackReport) => void; signal: AbortSignal | undefined },
  ) {
    this.#onReport = options.onReport;
    this.#signal = options.signal;
    const setup = { repository: describeRepository(repository), kernelModule: compileKernel() };
    this.#pool = new WorkerPool({ module: workerUrl, setup, workers: options.workers, jobsPerWorker: checkLimits.packsPerWorker });
    this.#verify =
      repository.storage.describe().kind === 'in-memory' ? this.#verifyHere(repository) : (pack: PackToRead) => this.#pool.run(pack);
  }

  /** Adds packs and starts with them. */
  add(packs: readonly PackToRead[]): void {
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

  async #readAll(packs: readonly PackToRead[]): Promise<void> {
    const jobs: Promise<void>[] = [];
    for (const pack of packs) {
      await this.#pool.ready();
      const job = this.#verify(pack).then(this.#onReport);
      job.catch(() => undefined);
      jobs.push(job);
    }
    await Promise.all(jobs);
  }

  /** One pack at a time: they share a buffer. */
  #verifyHere(repository: Repository): (pack: PackToRead) => Promise<PackReport> {
    let verifier: ReturnType<typeof createVerifier> | undefined;
    let working: Promise<unknown> = Promise.resolve();
    return ({ id, kind }) => {
      const report = working.then(() => {
        verifier ??= createVerifier(repository);
        return verifier.verify(id, kind, { isStopping: () => this.#isStopping });
      });
      working = report.catch(() => undefined);
      return report;
    };
  }
}
