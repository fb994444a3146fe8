/**
 * Locks, where the store locks what it stores (S3 Object Lock): no object that a snapshot needs may come to the end of its lock, and none is locked longer than that takes.
 *
 * New objects are locked for a period when they are made. When half of it has passed since the last extension, the collector extends the locks of all objects that are there by then, but young ones,
 * to a whole period from now: all objects that it has not condemned, doomed or deleted. The root remembers when that was ({@link LockRecord}), so that nothing is asked for each object. All times are
 * those of the store's clock. Figures and margins: docs/decisions/022-object-lock.md.
 */
import pLimit from 'p-limit';
import {
  isLaganError,
  type LaganError,
  type LockRecord,
  type ObjectName,
  objectPrefixes,
  type PackId,
  parseObjectName,
  type Root,
} from '../../repo-format/mod.ts';
import { type Repository, readPackList, readRoot, replaceRoot } from '../repository/mod.ts';
import type { CallOptions, LockRule, ObjectVersion, StorageHistory, StorageLocks } from '../storage/mod.ts';
import { maintainLimits } from './_limits.ts';
import { lockLimits } from './_lock-limits.ts';

/** What an extension did. */
export interface Extension {
  /** Locks that were extended; in a dry run: that would be. */
  readonly extended: number;
  readonly failed: number;
  /** Why the first one failed. */
  readonly error: LaganError | null;
  /** The record afterwards; null if no extension has ended. */
  readonly record: LockRecord | null;
}

/** What the store does with new objects, and its time. */
export interface LockTerms {
  readonly rule: LockRule;
  readonly nowMs: number;
}

export interface ExtensionOptions extends CallOptions {
  readonly dryRun: boolean;
  readonly onExtended: () => void;
}

/** When the next extension is due, in milliseconds since 1970; 0: at once, because the last one did not end, or was for another period. */
export function extensionDueMs(record: LockRecord | undefined, { periodSeconds }: LockRule): number {
  if (record === undefined || record.after !== null || record.period !== periodSeconds) return 0;
  return (record.begun + record.period * lockLimits.extensionPart) * 1000;
}

/** Whether an extension is due, for who has not asked the store: by the period of the last one. Where there was none nobody knows. */
export function locksAreDue(record: LockRecord | undefined, nowMs: number): boolean {
  return record !== undefined && nowMs >= extensionDueMs(record, { mode: 'governance', periodSeconds: record.period });
}

/** Before when no lock ends of what an extension saw, or what was made since; in milliseconds since 1970. Null: unknown. */
export function locksHoldUntilMs(record: LockRecord | undefined): number | null {
  if (record === undefined || record.after !== null) return null;
  return (record.begun + record.period * (1 - lockLimits.gracePart)) * 1000;
}

/** Extends the locks of one repository. */
export class RetentionLocks {
  readonly rule: LockRule;
  readonly #repository: Repository;
  readonly #locks: StorageLocks;
  readonly #history: StorageHistory;
  readonly #nowMs: number;
  readonly #openedAt = performance.now();

  private constructor(repository: Repository, { rule, nowMs }: LockTerms) {
    this.rule = rule;
    this.#repository = repository;
    this.#locks = repository.storage.locks!;
    this.#history = repository.storage.history!;
    this.#nowMs = nowMs;
  }

  /** Undefined if the store does not lock new objects. Codes: forbidden (it may not be asked whether it does), and others of the storage. */
  static async open(repository: Repository, options: CallOptions): Promise<RetentionLocks | undefined> {
    const { locks, history } = repository.storage;
    if (locks === undefined || history === undefined) return undefined;
    const { rule, nowMs } = await locks.policy(options);
    return rule === null ? undefined : new RetentionLocks(repository, { rule, nowMs });
  }

  /** The store's time, in milliseconds since 1970. */
  get nowMs(): number {
    return this.#nowMs + Math.round(performance.now() - this.#openedAt);
  }

  isDue({ locks }: Root): boolean {
    return this.nowMs >= extensionDueMs(locks, this.rule) || (locks?.begun ?? 0) * 1000 > this.nowMs + this.#partMs(lockLimits.gracePart);
  }

  /**
   * Which packs stay as they are though much in them is not needed: until their lock has ended, or would have to be extended now. To copy what is needed of others would free nothing: they would stay,
   * locked, beside the copies.
   */
  async keptAsTheyAre(root: Root, { signal }: CallOptions): Promise<(pack: PackId) => boolean> {
    if (!this.isDue(root)) return () => true;
    const young = new Set<PackId>();
    const youngSinceMs = this.#youngSinceMs(root);
    for (const prefix of [objectPrefixes.writerPacks, objectPrefixes.collectorPacks]) {
      for await (const { name, isCurrent, sinceMs } of this.#history.list(prefix, { signal })) {
        const parsed = isCurrent && sinceMs > youngSinceMs ? parseObjectName(name) : null;
        if (parsed?.type === 'pack') young.add(parsed.id);
      }
    }
    return (pack) => young.has(pack);
  }

  /** Extends what is to be extended, if that is due. It may be interrupted: the next one goes on from the last record. */
  async extend(options: ExtensionOptions): Promise<Extension> {
    const { signal } = options;
    const root = await readRoot(this.#repository, { signal });
    if (!this.isDue(root)) return { extended: 0, failed: 0, error: null, record: root.locks ?? null };
    const lists = await Promise.all([root.condemned, root.doomed].map((list) => readPackList(this.#repository, list, { signal })));
    const run = new ExtensionRun(options, (version) => this.#extendOne(version, { signal }));
    const record = this.#begin(root);
    let after = record.after;
    for await (const batch of this.#batches(root, { leaving: new Set(lists.flat()), after, signal })) {
      await run.take(batch);
      after = batch.at(-1)!.name;
      if (run.isHopeless) break;
      if (run.takeRecordable() && !options.dryRun) await this.#record({ ...record, after }, { signal });
    }
    const isWhole = run.failed === 0 && !options.dryRun;
    if (isWhole) await this.#record({ ...record, after: null }, { signal });
    return { ...run.result, record: isWhole ? { ...record, after: null } : null };
  }

  /** One that was interrupted is gone on with, as long as another one is not due by then. */
  #begin({ locks }: Root): LockRecord {
    const isUnfinished = locks !== undefined && locks.after !== null && locks.period === this.rule.periodSeconds;
    if (isUnfinished && this.nowMs < locks.begun * 1000 + this.#partMs(lockLimits.extensionPart)) return locks;
    return { begun: Math.floor(this.nowMs / 1000), period: this.rule.periodSeconds, after: null };
  }

  async *#batches(
    root: Root,
    { leaving, after, signal }: { leaving: ReadonlySet<PackId>; after: string | null } & CallOptions,
  ): AsyncGenerator<readonly ObjectVersion[]> {
    const youngSinceMs = this.#youngSinceMs(root);
    let batch: ObjectVersion[] = [];
    for await (const version of this.#history.list('', { after: after ?? undefined, signal })) {
      if (!version.isCurrent || version.kind !== 'object' || version.sinceMs > youngSinceMs) continue;
      if (!isExtended(parseObjectName(version.name), leaving)) continue;
      batch.push(version);
      if (batch.length < maintainLimits.namesPerDelete) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }

  /** What was made later needs no extension yet. After the first extension, and where all of them had that period: else anything may be locked for a shorter time, or not at all. */
  #youngSinceMs({ locks }: Root): number {
    const isRegular = locks !== undefined && locks.after === null && locks.period === this.rule.periodSeconds;
    return isRegular ? this.nowMs - this.#partMs(lockLimits.gracePart) : Number.POSITIVE_INFINITY;
  }

  async #extendOne(version: ObjectVersion, { signal }: CallOptions): Promise<void> {
    try {
      await this.#locks.extend(version, { mode: this.rule.mode, untilMs: this.nowMs + this.rule.periodSeconds * 1000 }, { signal });
    } catch (error) {
      // Another collector has deleted it.
      if (!isLaganError(error, 'not-found')) throw error;
    }
  }

  async #record(locks: LockRecord, { signal }: CallOptions): Promise<void> {
    for (let attempt = 1; attempt <= maintainLimits.attempts; attempt++) {
      const root = await readRoot(this.#repository, { signal });
      if ((await replaceRoot(this.#repository, root, { locks, signal })) !== null) return;
    }
  }

  #partMs(part: number): number {
    return this.rule.periodSeconds * 1000 * part;
  }
}

/** What a kept snapshot needs: everything but packs that go, and deletion marks, without which a snapshot only stays longer. */
export function isExtended(parsed: ObjectName | null, leaving: ReadonlySet<PackId>): boolean {
  if (parsed === null || parsed.type === 'deletion-mark') return false;
  return parsed.type !== 'pack' || !leaving.has(parsed.id);
}

/** Counts what becomes of an extension's requests. */
class ExtensionRun {
  failed = 0;
  #extended = 0;
  #error: LaganError | null = null;
  #failuresInRow = 0;
  #unrecorded = 0;
  readonly #options: ExtensionOptions;
  readonly #extendOne: (version: ObjectVersion) => Promise<void>;

  constructor(options: ExtensionOptions, extendOne: (version: ObjectVersion) => Promise<void>) {
    this.#options = options;
    this.#extendOne = extendOne;
  }

  async take(batch: readonly ObjectVersion[]): Promise<void> {
    await pLimit(lockLimits.concurrentRequests).map(batch, async (version) => {
      if (this.isHopeless) return;
      try {
        if (!this.#options.dryRun) await this.#extendOne(version);
        this.#extended++;
        this.#unrecorded++;
        this.#failuresInRow = 0;
        this.#options.onExtended();
      } catch (error) {
        if (!isLaganError(error) || error.code === 'interrupted') throw error;
        this.failed++;
        this.#failuresInRow++;
        this.#error ??= error;
      }
    });
  }

  get isHopeless(): boolean {
    return this.#failuresInRow >= lockLimits.failures;
  }

  /** Whether it came so far that the root should say so; true once for each time. */
  takeRecordable(): boolean {
    if (this.failed > 0 || this.#unrecorded < lockLimits.recordedObjects) return false;
    this.#unrecorded = 0;
    return true;
  }

  get result(): Omit<Extension, 'record'> {
    return { extended: this.#extended, failed: this.failed, error: this.#error };
  }
}
