/**
 * Old versions of names, where the store locks what it stores: they are deleted for good when their locks have ended, and space comes back.
 *
 * A lock lasts for a period from when it was extended last, and none is extended of what is deleted or overwritten. So a version that is not the current one for a whole period is not locked any more,
 * and nothing needs to be asked for it. Until then everything that was deleted, by whomever, can be brought back: see `revert.ts`.
 *
 * Nobody here overwrites. A name that has other bytes now than before was changed by somebody else: its old versions stay, and that is told.
 */
import { parseObjectName } from '../../repo-format/mod.ts';
import { type CallOptions, type ObjectVersion, type StorageHistory, storageLimits } from '../storage/mod.ts';
import { lockLimits } from './_lock-limits.ts';

export interface OldVersions {
  /** Deleted for good; in a dry run: that would be. */
  readonly freed: number;
  readonly freedBytes: number;
  /** That wait for the end of their locks. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /** When the last of them can go, in milliseconds since 1970; null: none waits. */
  readonly waitingUntilMs: number | null;
  /** That the store did not delete though their time has come. */
  readonly refused: number;
  /** Names that somebody has overwritten: how many, and some of them. */
  readonly overwritten: number;
  readonly overwrittenNames: readonly string[];
  /** Versions that were listed. */
  readonly listed: number;
}

export interface OldVersionsOptions extends CallOptions {
  readonly periodSeconds: number;
  /** The store's time. */
  readonly nowMs: number;
  readonly dryRun: boolean;
}

/** Deletes old versions whose time has come. Codes: those of the storage. */
export async function purgeOldVersions(history: StorageHistory, options: OldVersionsOptions): Promise<OldVersions> {
  const purge = new Purge(history, options);
  let name: ObjectVersion[] = [];
  for await (const version of history.list('', { signal: options.signal })) {
    purge.listed++;
    if (version.name !== name[0]?.name) {
      await purge.take(name);
      name = [];
    }
    if (isOurs(version.name) && name.length < storageLimits.versionsOfName) name.push(version);
  }
  await purge.take(name);
  await purge.flush();
  return purge.result;
}

/** Other repositories may be below the same prefix. */
function isOurs(name: string): boolean {
  return parseObjectName(name) !== null || name.startsWith('probe/');
}

class Purge {
  listed = 0;
  readonly #history: StorageHistory;
  readonly #options: OldVersionsOptions;
  #batch: ObjectVersion[] = [];
  #freed = 0;
  #freedBytes = 0;
  #waiting = 0;
  #waitingBytes = 0;
  #waitingUntilMs: number | null = null;
  #refused = 0;
  #overwritten = 0;
  readonly #overwrittenNames: string[] = [];

  constructor(history: StorageHistory, options: OldVersionsOptions) {
    this.#history = history;
    this.#options = options;
  }

  /** All versions of a name, the newest first. */
  async take(versions: readonly ObjectVersion[]): Promise<void> {
    const [current, ...older] = versions;
    if (current === undefined) return;
    const areTooMany = versions.length === storageLimits.versionsOfName;
    if (areTooMany || (current.kind === 'object' && isOverwritten(current, older))) {
      this.#overwritten++;
      if (this.#overwrittenNames.length < lockLimits.toldNames) this.#overwrittenNames.push(current.name);
      return;
    }
    // What each one was replaced by is before it.
    for (const [index, version] of older.entries()) this.#judge(version, versions[index]!.sinceMs);
    const isGone = current.kind === 'deletion' && this.#endOf(current.sinceMs) <= this.#options.nowMs;
    if (isGone) this.#batch.push(current);
    if (this.#batch.length >= lockLimits.purgedVersions) await this.flush();
  }

  #judge(version: ObjectVersion, replacedMs: number): void {
    const endMs = this.#endOf(replacedMs);
    if (endMs <= this.#options.nowMs) {
      this.#batch.push(version);
    } else if (version.kind === 'object') {
      this.#waiting++;
      this.#waitingBytes += version.sizeBytes;
      this.#waitingUntilMs = Math.max(this.#waitingUntilMs ?? 0, endMs);
    }
  }

  #endOf(replacedMs: number): number {
    return replacedMs + this.#options.periodSeconds * 1000;
  }

  /** Objects first: a deletion that goes before the object which it hides would bring that back. */
  async flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    const objects = batch.filter(({ kind }) => kind === 'object');
    const refused = await this.#purge(objects);
    const stay = new Set(refused.map(({ name }) => name));
    const deletions = batch.filter(({ kind, name }) => kind === 'deletion' && !stay.has(name));
    this.#refused += refused.length + (await this.#purge(deletions)).length;
    const gone = objects.filter((version) => !refused.includes(version));
    this.#freed += gone.length;
    this.#freedBytes += gone.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  async #purge(versions: readonly ObjectVersion[]): Promise<readonly ObjectVersion[]> {
    const { dryRun, signal } = this.#options;
    return dryRun || versions.length === 0 ? [] : this.#history.purge(versions, { signal });
  }

  get result(): OldVersions {
    return {
      freed: this.#freed,
      freedBytes: this.#freedBytes,
      waiting: this.#waiting,
      waitingBytes: this.#waitingBytes,
      waitingUntilMs: this.#waitingUntilMs,
      refused: this.#refused,
      overwritten: this.#overwritten,
      overwrittenNames: this.#overwrittenNames,
      listed: this.listed,
    };
  }
}

/** Whether it has other bytes than before, and never had these: what was brought back was there before. */
function isOverwritten(current: ObjectVersion, older: readonly ObjectVersion[]): boolean {
  const objects = older.filter(({ kind }) => kind === 'object');
  const isSame = ({ tag, sizeBytes }: ObjectVersion) => tag !== '' && tag === current.tag && sizeBytes === current.sizeBytes;
  return objects.length > 0 && !objects.some(isSame);
}
