import type { Entry, LaganError } from '../../repo-format/mod.ts';
import { restoreLimits } from './_limits.ts';
import type { JobResult } from './_messages.ts';
import type { LossKind, NotRestored, RestoreFault, RestoreOptions, RestoreProgress, RestoreResult, RestoreStatistics } from './options.ts';

type Counts = { -readonly [Name in keyof RestoreStatistics]: RestoreStatistics[Name] };

/** Gathers what the whole restore does: counts, faults, losses, progress. */
export class RestoreReport {
  readonly counts: Counts = { files: 0, directories: 0, others: 0, bytes: 0, skipped: 0, deleted: 0, verified: 0, errors: 0 };
  /** What the walk is at, for the progress. */
  currentPath: () => Uint8Array = () => Buffer.from('/');
  readonly #options: Pick<RestoreOptions, 'onProgress' | 'onWarning'>;
  readonly #startedAt = performance.now();
  readonly #errors: RestoreFault[] = [];
  readonly #losses = new Map<LossKind, NotRestored & { count: number }>();
  /** What was said of a path while it was restored is not said again when it is verified. */
  readonly #faultyPaths = new Set<string>();
  readonly #timer: NodeJS.Timeout | undefined;
  #phase: RestoreProgress['phase'] = 'restore';
  #filesDone = 0;
  #filesTotal = 0;
  #bytesDone = 0;
  #bytesTotal = 0;

  constructor(options: Pick<RestoreOptions, 'onProgress' | 'onWarning'>) {
    this.#options = options;
    const { onProgress } = options;
    if (onProgress !== undefined) this.#timer = setInterval(() => onProgress(this.#progress()), restoreLimits.progressIntervalMs).unref();
  }

  /** From here on the progress counts anew. */
  beginPhase(phase: RestoreProgress['phase']): void {
    this.#phase = phase;
    this.#filesDone = this.#filesTotal = this.#bytesDone = this.#bytesTotal = 0;
  }

  fault(fault: RestoreFault): void {
    const path = Buffer.from(fault.path).toString('latin1');
    if (this.#phase === 'verify' && this.#faultyPaths.has(path)) return;
    this.#faultyPaths.add(path);
    this.counts.errors++;
    if (this.#errors.length < restoreLimits.listedErrors) this.#errors.push(fault);
    this.#options.onWarning?.(fault);
  }

  /** An error that concerns one path. */
  error(path: Uint8Array, { code, message, object, errno }: LaganError): void {
    this.fault({ path, code, message, ...(errno === undefined ? { object } : { errno }) });
  }

  /** Something worth knowing that is no error. */
  note(note: RestoreFault): void {
    this.#options.onWarning?.(note);
  }

  loss(kind: LossKind, { path, reason, count }: { path: Uint8Array; reason: string; count: number }): void {
    const known = this.#losses.get(kind);
    if (known === undefined) this.#losses.set(kind, { kind, count, example: path, reason });
    else known.count += count;
  }

  /** What a job did. `pathOf` gives the path of an entry of a part. */
  job(result: JobResult, pathOf: (part: number, name: Uint8Array) => Uint8Array): void {
    const { counts } = this;
    counts.files += result.files;
    counts.others += result.others;
    counts.skipped += result.skipped;
    counts.verified += result.verified;
    counts.bytes += result.bytes;
    this.done(result.filesDone, result.bytesDone);
    for (const { part, name, isNote, ...fault } of result.faults) {
      const located = { ...fault, path: pathOf(part, name) };
      if (isNote) this.note(located);
      else this.fault(located);
    }
    for (const { kind, part, name, reason, count } of result.losses) this.loss(kind, { path: pathOf(part, name), reason, count });
  }

  /** For the progress. */
  done(files: number, bytes: number): void {
    this.#filesDone += files;
    this.#bytesDone += bytes;
  }

  /** An entry will be restored, with all below it (`sign` 1), or is left out after all (-1). */
  expect(entry: Entry, sign: 1 | -1): void {
    if (entry.type === 'directory') {
      this.#filesTotal += sign * entry.filesBelow;
      this.#bytesTotal += sign * entry.bytesBelow;
    } else if (entry.type === 'file') {
      this.#filesTotal += sign;
      this.#bytesTotal += sign * entry.size;
    }
  }

  end(): void {
    clearInterval(this.#timer);
  }

  result(): RestoreResult {
    return {
      statistics: { ...this.counts },
      errors: this.#errors,
      notRestored: [...this.#losses.values()],
      durationMs: performance.now() - this.#startedAt,
    };
  }

  #progress(): RestoreProgress {
    return {
      phase: this.#phase,
      filesDone: this.#filesDone,
      filesTotal: this.#filesTotal,
      bytesDone: this.#bytesDone,
      bytesTotal: this.#bytesTotal,
      currentPath: this.currentPath(),
      errors: this.counts.errors,
    };
  }
}
