/** Histories that tests write down, in a store that notes what it is told to do with them. */
import type { Test } from 'tap';
import type { Repository } from '../../../../engine/repository/mod.ts';
import {
  type ListOptions,
  type LockMode,
  type LockRule,
  type ObjectVersion,
  type StorageHistory,
  type StorageLocks,
  withOverrides,
} from '../../../../engine/storage/mod.ts';
import { LaganError, objectNames, type PackId, type Root } from '../../../../repo-format/mod.ts';
import { advanceRoot, makeRepository } from '../../repository/sample.ts';

export const nowMs = Date.UTC(2030, 0, 1);
export const hourMs = 3_600_000;

/** A pack of that number. */
export const packName = (number: number): string => objectNames.pack(number.toString(16).padStart(32, '0') as PackId);

/** A state that a name has, or had. */
export function versionOf(name: string, sinceMs: number, changes: Partial<ObjectVersion> = {}): ObjectVersion {
  return { name, id: `${name} ${sinceMs}`, kind: 'object', sizeBytes: 10, sinceMs, isCurrent: true, tag: 'same', ...changes };
}

/** From then on the name was gone. */
export const deletionOf = (name: string, sinceMs: number, changes: Partial<ObjectVersion> = {}): ObjectVersion =>
  versionOf(name, sinceMs, { kind: 'deletion', sizeBytes: 0, tag: '', ...changes });

/** Lists these versions; notes what is purged, call by call, and what is brought back. */
export class WrittenHistory implements StorageHistory {
  readonly purged: (readonly ObjectVersion[])[] = [];
  readonly broughtBack: ObjectVersion[] = [];
  isKeeping = true;
  readonly #versions: readonly ObjectVersion[];
  readonly #isLocked: (version: ObjectVersion) => boolean;

  /** `isLocked`: what the store refuses to delete. */
  constructor(versions: readonly ObjectVersion[], isLocked: (version: ObjectVersion) => boolean = () => false) {
    this.#versions = versions;
    this.#isLocked = isLocked;
  }

  async *list(prefix: string, { after = '' }: ListOptions = {}): AsyncGenerator<ObjectVersion> {
    for (const version of this.#versions) if (version.name.startsWith(prefix) && version.name > after) yield version;
  }

  async purge(versions: readonly ObjectVersion[]): Promise<ObjectVersion[]> {
    this.purged.push(versions);
    return versions.filter(this.#isLocked);
  }

  async keepsVersions(): Promise<boolean> {
    return this.isKeeping;
  }

  async get({ name }: ObjectVersion): Promise<never> {
    throw new LaganError('not-found', `${name} has no bytes`, { object: name });
  }

  getEnd(version: ObjectVersion): Promise<never> {
    return this.get(version);
  }

  async bringBack(version: ObjectVersion): Promise<void> {
    this.broughtBack.push(version);
  }
}

/** A clock that stands still, but for what it is moved: times can be told to the millisecond. */
export class StoppedClock {
  #nowMs = 1000;

  constructor(t: Test) {
    Object.defineProperty(performance, 'now', { value: () => this.#nowMs, configurable: true });
    t.teardown(() => Reflect.deleteProperty(performance, 'now'));
  }

  advance(milliseconds: number): void {
    this.#nowMs += milliseconds;
  }
}

export const rule: LockRule = { mode: 'governance', periodSeconds: 4 * 3600 };

/** Locks that note what is extended. */
export class NotedLocks implements StorageLocks {
  rule: LockRule | null = rule;
  nowMs = nowMs;
  policyError: Error | undefined;
  readonly extended: { name: string; mode: LockMode; untilMs: number }[] = [];
  /** Requests that were under way at once, at most. */
  mostAtOnce = 0;
  /** What becomes of the request for a name: may throw. */
  onExtend: (name: string) => void = () => undefined;
  #atOnce = 0;

  async policy(): ReturnType<StorageLocks['policy']> {
    if (this.policyError !== undefined) throw this.policyError;
    return { isEnabled: true, rule: this.rule, nowMs: this.nowMs };
  }

  async extend({ name }: ObjectVersion, { mode, untilMs }: { mode: LockMode; untilMs: number }): Promise<'extended'> {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    await undefined;
    this.#atOnce--;
    this.onExtend(name);
    this.extended.push({ name, mode, untilMs });
    return 'extended';
  }

  get names(): string[] {
    return this.extended.map(({ name }) => name);
  }
}

/** A repository with a history that is made up, whose root has these changes. */
export async function repositoryWith(
  history: StorageHistory,
  changes: Partial<Root> = {},
): Promise<{ repository: Repository; locks: NotedLocks }> {
  const made = await makeRepository();
  const locks = new NotedLocks();
  const root = await advanceRoot(made, changes);
  return { repository: { ...made, root, storage: withOverrides(made.storage, { history, locks }) }, locks };
}
