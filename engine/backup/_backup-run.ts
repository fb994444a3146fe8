import { hostname } from 'node:os';
import {
  LaganError,
  limits,
  type Snapshot,
  type SnapshotError,
  type SnapshotId,
  type SnapshotStatistics,
  type Time,
} from '../../repo-format/mod.ts';
import { program } from '../program/mod.ts';
import { userName } from '../system/mod.ts';
import type { AssemblyCounts } from './_assembler.ts';
import { importedExtension } from './_imported.ts';
import { backupLimits } from './_limits.ts';
import { ProgressReporter } from './_progress.ts';
import type { ScanFault } from './_scanner.ts';
import type { BackupSession } from './_session.ts';
import type { BackupResult, CommonBackupOptions, ReadError } from './options.ts';

/** What an earlier session of the same backup has stored. */
export interface EarlierCounts {
  readonly newBytes: number;
  readonly newChunks: number;
  /** Those that are not met again. */
  readonly chunks: number;
  readonly storedBytes: number;
}

/** What a run counts and collects beside the tree. */
export class BackupRun {
  readonly host: string;
  readonly progress: ProgressReporter;
  readonly #options: CommonBackupOptions;
  readonly #started = new Date();
  readonly #startedAt = performance.now();
  readonly #errors: ReadError[] = [];
  #errorCount = 0;
  #earlier: EarlierCounts = { newBytes: 0, newChunks: 0, chunks: 0, storedBytes: 0 };

  /** Errors: `usage` for a tag, description or host that no snapshot can have. */
  constructor(options: CommonBackupOptions) {
    checkLabels(options);
    this.#options = options;
    this.host = options.host ?? hostname();
    this.progress = new ProgressReporter(options.onProgress);
  }

  get hasFaults(): boolean {
    return this.#errorCount > 0;
  }

  /** Another session of the same backup begins: what was met before is met again. What was stored stays counted. */
  beginAnew(passed: EarlierCounts): void {
    this.#errors.length = 0;
    this.#errorCount = 0;
    this.progress.beginAnew();
    this.goOn(passed);
  }

  /** Another session goes on where one ended that the collector has passed. */
  goOn({ newBytes, newChunks, chunks, storedBytes }: EarlierCounts): void {
    const before = this.#earlier;
    this.#earlier = {
      newBytes: before.newBytes + newBytes,
      newChunks: before.newChunks + newChunks,
      chunks: before.chunks + chunks,
      storedBytes: before.storedBytes + storedBytes,
    };
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

  /** An index table is damaged: what it lists may be stored again. */
  readonly indexDamaged = (error: LaganError): void => {
    const { code, object = '' } = error;
    const message = `${error.message}; what this index table lists may be stored again ('lagan check' says more, 'lagan maintain' removes the table)`;
    this.#options.onWarning?.({ path: Buffer.from(object), code, message });
  };

  betweenTokens(session: BackupSession, checkpoint: () => Promise<void>): Promise<void> | undefined {
    this.throwIfInterrupted();
    const { newBytes, storedBytes } = this.#earlier;
    this.progress.stored(newBytes + session.dispatcher.counts.newBytes, storedBytes + session.storedBytes);
    return session.checkpointIsDue ? checkpoint() : undefined;
  }

  readonly throwIfInterrupted = (): void => {
    const { signal } = this.#options;
    if (signal?.aborted) throw interrupted(signal);
  };

  /** The promise; or `interrupted` as soon as the backup is, whatever becomes of the promise. */
  async untilAborted<Result>(promise: Promise<Result>): Promise<Result> {
    const { signal } = this.#options;
    if (signal === undefined) return promise;
    promise.catch(() => undefined);
    this.throwIfInterrupted();
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(interrupted(signal));
    signal.addEventListener('abort', abort, { once: true });
    return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', abort));
  }

  /** No progress is told any more. */
  end(): void {
    this.progress.end();
  }

  /** The snapshot without its tree. */
  snapshot(
    session: BackupSession,
    { paths, source, parent, counts }: { paths: readonly Uint8Array[]; source: string; parent: SnapshotId | null; counts: AssemblyCounts },
  ): Snapshot {
    const { tags = [], description = '', time, imported } = this.#options;
    return {
      session: session.session.id,
      generation: session.session.generation,
      started: imported?.started ?? timeOf(time ?? this.#started),
      ended: imported?.ended ?? timeOf(time ?? new Date()),
      host: this.host,
      user: imported?.user ?? currentUser(),
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
      errors: this.#errors.map(fitForSnapshot),
      extensions: { ...this.#options.extensions, ...importedExtension(imported?.from) },
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
    const earlier = this.#earlier;
    return {
      files,
      directories,
      others,
      bytes,
      newBytes: newBytes + earlier.newBytes,
      storedBytes: session.storedBytes + earlier.storedBytes,
      chunks: chunks + earlier.chunks,
      newChunks: newChunks + earlier.newChunks,
      errors: this.#errorCount,
    };
  }
}

function interrupted(signal: AbortSignal): LaganError {
  return new LaganError('interrupted', 'the backup was interrupted; what was stored since the last checkpoint is stored again next time', {
    cause: signal.reason,
  });
}

/** The name, or the number where the system knows none (in containers). */
function currentUser(): string {
  const uid = process.geteuid!();
  return userName(uid) || String(uid);
}

function checkLabels({ tags = [], description = '', host = '' }: CommonBackupOptions): void {
  if (tags.length > limits.tagsPerSnapshot)
    throw new LaganError('usage', `a snapshot cannot have ${tags.length} tags`, {
      expected: `at most ${limits.tagsPerSnapshot}`,
      found: tags.length,
    });
  for (const text of [...tags, description, host]) {
    const size = Buffer.byteLength(text);
    if (size > limits.textSizeBytes)
      throw new LaganError('usage', `a tag, description or host name of ${size} bytes is too long`, {
        expected: `at most ${limits.textSizeBytes} bytes`,
        found: size,
      });
  }
}

/** Paths of any depth can be backed up; in the list of errors there is room for so much of them. */
function fitForSnapshot({ path, code, message }: ReadError): SnapshotError {
  return { path: path.subarray(0, limits.pathSizeBytes), code, message: message.slice(0, limits.textSizeBytes / 4) };
}

function timeOf(date: Date): Time {
  const milliseconds = date.getTime();
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: Math.round((milliseconds - seconds * 1000) * 1e6) };
}

function absolutePath(path: Uint8Array): Uint8Array {
  return path[0] === 0x2f ? path : new Uint8Array(Buffer.concat([Buffer.from('/'), path]));
}
