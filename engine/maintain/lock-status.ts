/** What locks the objects of a repository have, as far as that can be told without asking for each. */
import { type LockRecord, type ObjectName, parseObjectName, type Time } from '../../repo-format/mod.ts';
import { uncachedStorage } from '../cache/mod.ts';
import { type Repository, readPackList, readRoot } from '../repository/mod.ts';
import type { CallOptions, LockRule } from '../storage/mod.ts';
import { timeOf } from './_keep-locks.ts';
import { lockLimits } from './_lock-limits.ts';
import { type OldVersions, purgeOldVersions } from './_old-versions.ts';
import { extensionDueMs, isExtended } from './_retention-locks.ts';

/** What is locked together. */
export type LockedKind = 'packs' | 'index' | 'snapshots' | 'roots' | 'owner';

export interface LockedObjects {
  readonly kind: LockedKind;
  readonly objects: number;
  readonly bytes: number;
  /** When the first of their locks ends, as far as the collector knows: by the period and the last extension. */
  readonly holdUntil: Time;
}

export interface LockStatus {
  /** Whether the store can lock objects at this place. */
  readonly isEnabled: boolean;
  /** How it locks new objects; null: it does not, and all else is empty. */
  readonly rule: LockRule | null;
  /** The store's time. */
  readonly now: Time;
  /** When the last extension began, whether or not it ended; null: there was none. */
  readonly lastExtension: Time | null;
  /** When the next one is due; null: at once. */
  readonly nextExtension: Time | null;
  /** Requests that it will take, listings of versions included. */
  readonly nextRequests: number;
  /** Only what an extension counts, where something is locked. */
  readonly locked: readonly LockedObjects[];
  readonly oldVersions: OldVersions | null;
}

/** Codes: unsupported (the store has no locks), forbidden, and others of the storage. */
export async function lockStatus(opened: Repository, { signal }: CallOptions = {}): Promise<LockStatus> {
  const repository = { ...opened, storage: uncachedStorage(opened.storage) };
  const { locks, history } = repository.storage;
  const root = await readRoot(repository, { signal });
  const policy = await locks?.policy({ signal });
  const lastExtension = root.locks === undefined ? null : timeOf(root.locks.begun * 1000);
  const { isEnabled = false, rule = null, nowMs = Date.now() } = policy ?? {};
  const base = { isEnabled, rule, now: timeOf(nowMs), lastExtension };
  if (rule === null || history === undefined) return { ...base, nextExtension: null, nextRequests: 0, locked: [], oldVersions: null };
  const lists = await Promise.all([root.condemned, root.doomed].map((list) => readPackList(repository, list, { signal })));
  const leaving = new Set(lists.flat());
  const dueMs = extensionDueMs(root.locks, rule);
  const tally = new Tally(root.locks, { rule, extensionMs: Math.max(dueMs, nowMs) });
  let versions = 0;
  for await (const { name, kind, isCurrent, sizeBytes, sinceMs } of history.list('', { signal })) {
    versions++;
    const parsed = isCurrent && kind === 'object' ? parseObjectName(name) : null;
    if (parsed !== null && isExtended(parsed, leaving)) tally.add(kindOf(parsed), { sizeBytes, sinceMs });
  }
  const pages = Math.max(1, Math.ceil(versions / lockLimits.purgedVersions));
  return {
    ...base,
    nextExtension: dueMs === 0 ? null : timeOf(dueMs),
    nextRequests: tally.extended + 2 * pages,
    locked: tally.result,
    oldVersions: await purgeOldVersions(history, { periodSeconds: rule.periodSeconds, nowMs, dryRun: true, signal }),
  };
}

class Tally {
  /** How many the next extension will extend. */
  extended = 0;
  readonly #record: LockRecord | undefined;
  readonly #periodMs: number;
  readonly #extensionMs: number;
  readonly #isRegular: boolean;
  readonly #kinds = new Map<LockedKind, { objects: number; bytes: number; untilMs: number }>();

  constructor(record: LockRecord | undefined, { rule, extensionMs }: { rule: LockRule; extensionMs: number }) {
    this.#record = record;
    this.#periodMs = rule.periodSeconds * 1000;
    this.#extensionMs = extensionMs;
    this.#isRegular = record !== undefined && record.after === null && record.period === rule.periodSeconds;
  }

  add(kind: LockedKind, { sizeBytes, sinceMs }: { sizeBytes: number; sinceMs: number }): void {
    const before = this.#kinds.get(kind) ?? { objects: 0, bytes: 0, untilMs: Number.POSITIVE_INFINITY };
    const untilMs = Math.min(before.untilMs, this.#lockedUntilMs(sinceMs));
    this.#kinds.set(kind, { objects: before.objects + 1, bytes: before.bytes + sizeBytes, untilMs });
    if (!this.#isRegular || sinceMs <= this.#extensionMs - this.#graceMs) this.extended++;
  }

  /** By the lock that it was made with, and the extension that has seen it. */
  #lockedUntilMs(sinceMs: number): number {
    const begunMs = (this.#record?.begun ?? 0) * 1000;
    const wasExtended = this.#isRegular && sinceMs <= begunMs - this.#graceMs;
    return (wasExtended ? begunMs : sinceMs) + this.#periodMs;
  }

  get #graceMs(): number {
    return this.#periodMs * lockLimits.gracePart;
  }

  get result(): LockedObjects[] {
    return [...this.#kinds].map(([kind, { objects, bytes, untilMs }]) => ({ kind, objects, bytes, holdUntil: timeOf(untilMs) }));
  }
}

function kindOf({ type }: ObjectName): LockedKind {
  if (type === 'pack') return 'packs';
  if (type === 'base-index' || type === 'session-index') return 'index';
  if (type === 'snapshot' || type === 'checkpoint' || type === 'catalogue') return 'snapshots';
  return type === 'root' || type === 'lost-list' || type === 'damage-report' ? 'roots' : 'owner';
}
