/** What a maintenance does about locks and old versions, where the store has them. */
import { isLaganError, type LaganError, type Time } from '../../repo-format/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { CallOptions, LockRule } from '../storage/mod.ts';
import { lockLimits } from './_lock-limits.ts';
import { type OldVersions, purgeOldVersions } from './_old-versions.ts';
import { extensionDueMs, locksHoldUntilMs, RetentionLocks } from './_retention-locks.ts';

/** Something that needs an eye, but is no damage. */
export interface MaintainWarning {
  readonly code: LaganError['code'];
  readonly message: string;
}

export interface LockResult {
  /** How new objects are locked. */
  readonly rule: LockRule;
  /** Locks that were extended, one request each; in a dry run: that would be. */
  readonly extended: number;
  /** That could not be. */
  readonly failed: number;
  /** Requests for extensions, listings of versions and deletions. */
  readonly requests: number;
  /** When the next extension is due; null: at once. */
  readonly nextExtension: Time | null;
  /** Before that no lock ends of what a snapshot needs; null: unknown. */
  readonly holdUntil: Time | null;
  readonly oldVersions: OldVersions;
}

export interface KeepLocksOptions extends CallOptions {
  readonly dryRun: boolean;
  readonly onWarning: (warning: MaintainWarning) => void;
  readonly onExtended: () => void;
}

/** The locks of a repository; undefined if its store does not lock. Who may not ask is told so only where locks were extended before. */
export async function openLocks(
  repository: Repository,
  { onWarning, signal }: Pick<KeepLocksOptions, 'onWarning' | 'signal'>,
): Promise<RetentionLocks | undefined> {
  try {
    return await RetentionLocks.open(repository, { signal });
  } catch (error) {
    if (!isLaganError(error, 'forbidden')) throw error;
    if (repository.root.locks !== undefined) {
      const message = `the locks of the objects are not extended: ${error.message}; they end one by one`;
      onWarning({ code: 'forbidden', message });
    }
    return undefined;
  }
}

/** Extends the locks if that is due, and deletes old versions whose time has come. Codes: those of the storage. */
export async function keepLocks(repository: Repository, locks: RetentionLocks, options: KeepLocksOptions): Promise<LockResult> {
  const { dryRun, onWarning, signal } = options;
  const { rule, nowMs } = locks;
  warnOfLateness(repository, nowMs, onWarning);
  const { extended, failed, error, record } = await locks.extend(options);
  if (error !== null) onWarning({ code: error.code, message: `${failed} locks could not be extended: ${error.message}` });
  const history = repository.storage.history!;
  const oldVersions = await purgeOldVersions(history, { periodSeconds: rule.periodSeconds, nowMs: locks.nowMs, dryRun, signal });
  warnOfVersions(oldVersions, onWarning);
  const dueMs = extensionDueMs(record ?? undefined, rule);
  const pages = Math.max(1, Math.ceil(oldVersions.listed / lockLimits.purgedVersions));
  const isExtending = extended + failed > 0;
  return {
    rule,
    extended,
    failed,
    requests: extended + failed + pages * (isExtending ? 2 : 1) + Math.ceil(oldVersions.freed / lockLimits.purgedVersions),
    nextExtension: dueMs === 0 ? null : timeOf(dueMs),
    holdUntil: timeOrNull(locksHoldUntilMs(record ?? undefined)),
    oldVersions,
  };
}

/** Locks may have ended by now that were not extended in time. */
function warnOfLateness({ root }: Repository, nowMs: number, onWarning: KeepLocksOptions['onWarning']): void {
  const untilMs = locksHoldUntilMs(root.locks);
  if (untilMs === null || nowMs < untilMs) return;
  const message = `locks were last extended at ${new Date(root.locks!.begun * 1000).toISOString()}: since ${new Date(untilMs).toISOString()} some may have ended; maintain more often`;
  onWarning({ code: 'partial', message });
}

function warnOfVersions({ refused, overwritten, overwrittenNames }: OldVersions, onWarning: KeepLocksOptions['onWarning']): void {
  if (refused > 0) {
    const message = `${refused} old versions were not deleted: they are locked for longer than the period, or the credentials may not delete versions`;
    onWarning({ code: 'forbidden', message });
  }
  if (overwritten > 0) {
    const message = `${overwritten} objects were overwritten, which Lagan never does; their old versions stay, see docs/object-lock.md: ${overwrittenNames.join(', ')}`;
    onWarning({ code: 'name-mismatch', message });
  }
}

export function timeOf(milliseconds: number): Time {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: Math.round((milliseconds - seconds * 1000) * 1e6) };
}

function timeOrNull(milliseconds: number | null): Time | null {
  return milliseconds === null ? null : timeOf(milliseconds);
}
