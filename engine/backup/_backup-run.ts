import { hostname, userInfo } from 'node:os';
import { LaganError, type Snapshot, type SnapshotId, type SnapshotStatistics, type Time } from '../../repo-format/mod.ts';
import { program } from '../program/mod.ts';
import type { AssemblyCounts } from './_assembler.ts';
import { backupLimits } from './_limits.ts';
import { ProgressReporter } from './_progress.ts';
import type { ScanFault } from './_scanner.ts';
import type { BackupSession } from './_session.ts';
import type { BackupResult, CommonBackupOptions, ReadError } from './options.ts';

/** What a run counts and collects beside the tree. */
export class BackupRun {
  readonly host: string;
  readonly progress: ProgressReporter;
  readonly #options: CommonBackupOptions;
  readonly #started = new Date();
  readonly #startedAt = performance.now();
  readonly #errors: ReadError[] = [];
  #errorCount = 0;

  constructor(options: CommonBackupOptions) {
    this.#options = options;
    this.host = options.host ?? hostname();
    this.progress = new ProgressReporter(options.onProgress);
  }

  get hasFaults(): boolean {
    return this.#errorCount > 0;
  }

  /** Something of the source could not be read. */
  fault(fault: ScanFault): void {
    const error = { ...fault, path: absolutePath(fault.path) };
    this.#errorCount++;
    this.progress.errors = this.#errorCount;
    if (this.#errors.length < backupLimits.listedErrors) this.#errors.push(error);
    this.#options.onWarning?.(error);
  }

  /** Something worth knowing that is no error. */
  note(note: ScanFault): void {
    this.#options.onWarning?.({ ...note, path: absolutePath(note.path) });
  }

  betweenTokens(session: BackupSession, checkpoint: () => Promise<void>): Promise<void> | undefined {
    this.#options.signal?.throwIfAborted();
    this.progress.stored(session.dispatcher.counts, session.storedBytes);
    return session.checkpointIsDue ? checkpoint() : undefined;
  }

  /** The promise, or the reason of the abort as soon as it comes. */
  async untilAborted<Result>(promise: Promise<Result>): Promise<Result> {
    const { signal } = this.#options;
    if (signal === undefined) return promise;
    signal.throwIfAborted();
    let abort = (): void => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () =>
        reject(
          new LaganError('interrupted', 'the backup was interrupted; what was stored since the last checkpoint is stored again next time', {
            cause: signal.reason,
          }),
        );
      signal.addEventListener('abort', abort, { once: true });
    });
    promise.catch(() => undefined);
    return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', abort));
  }

  /** The snapshot without its tree. */
  snapshot(
    session: BackupSession,
    { paths, source, parent, counts }: { paths: readonly Uint8Array[]; source: string; parent: SnapshotId | null; counts: AssemblyCounts },
  ): Snapshot {
    const { tags = [], description = '', time } = this.#options;
    return {
      session: session.session.id,
      generation: session.session.generation,
      started: timeOf(time ?? this.#started),
      ended: timeOf(time ?? new Date()),
      host: this.host,
      user: userInfo().username,
      paths,
      tags,
      description,
      program,
      tree: null,
      packs: null,
      listPacks: [],
      parent,
      source,
      partial: false,
      statistics: this.#statistics(session, counts),
      errors: this.#errors,
      extensions: {},
    };
  }

  result(parts: {
    snapshotId: SnapshotId | null;
    parent: SnapshotId | null;
    unchanged: boolean;
    session: BackupSession;
    counts: AssemblyCounts;
  }): BackupResult {
    const { snapshotId, parent, unchanged, session, counts } = parts;
    return {
      snapshotId,
      parent,
      unchangedFromParent: unchanged,
      statistics: { ...this.#statistics(session, counts), unchangedFiles: counts.unchangedFiles },
      errors: this.#errors,
      durationMs: performance.now() - this.#startedAt,
    };
  }

  #statistics(session: BackupSession, { files, directories, others, bytes }: AssemblyCounts): SnapshotStatistics {
    const { chunks, newChunks, newBytes } = session.dispatcher.counts;
    return { files, directories, others, bytes, newBytes, storedBytes: session.storedBytes, chunks, newChunks, errors: this.#errorCount };
  }
}

function timeOf(date: Date): Time {
  const milliseconds = date.getTime();
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: Math.round((milliseconds - seconds * 1000) * 1e6) };
}

function absolutePath(path: Uint8Array): Uint8Array {
  return path[0] === 0x2f ? path : new Uint8Array(Buffer.concat([Buffer.from('/'), path]));
}
