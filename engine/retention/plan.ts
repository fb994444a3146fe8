/**
 * What a policy means for the snapshots that there are: which to keep and why, which to remove. A pure function: no store, no clock.
 *
 * Clocks may have been wrong when snapshots were made, and may be wrong now. So:
 * - A snapshot dated after `now` is kept and counts for nothing against the others; so is one that is dated before a snapshot that it was compared with, which proves
 *   that a clock was wrong.
 * - `within` counts back from the newest snapshot that is not in the future, never from `now`; and a time in which no snapshot was made counts as at most half the duration.
 *   So neither a computer that was off for long nor one whose clock has jumped ahead makes all older snapshots too old at once.
 * - The newest snapshot of every source, and the newest one that is whole, stay whatever the rules say.
 *
 * A partial snapshot takes no place from a whole one: rules that count pass it over.
 */
import { compareTimes, LaganError, type SnapshotId, type Time } from '../../repo-format/mod.ts';
import { Calendar, lengthBefore, nanosecondsOf } from './_calendar.ts';
import { type GroupKey, groupSnapshots, type RetentionGroupValues } from './group.ts';
import { isEmptyPolicy, type KeepDuration, type KeepRule, periods, type RetentionPolicy, type SnapshotPeriod } from './policy.ts';
import type { RetentionSnapshot } from './snapshot.ts';

/** Why a snapshot is kept. */
export type KeepReason =
  /**
   * `number`: the how-manieth one of the rule, the newest being 1. `oldest`: it is there because fewer periods than allowed have snapshots. `paused`: it is older than the
   * rule says, but there was a pause, which counts half.
   */
  | { readonly rule: Exclude<KeepRule, 'within' | 'tag'>; readonly number: number; readonly oldest?: true; readonly paused?: true }
  | { readonly rule: 'within'; readonly paused?: true }
  /** It has all these tags. */
  | { readonly rule: 'tag'; readonly tags: readonly string[] }
  /** A hold; null: until that is removed. */
  | { readonly rule: 'held'; readonly until: Time | null }
  /** Its date is after now. */
  | { readonly rule: 'future' }
  /** It is dated before a snapshot that it was compared with. */
  | { readonly rule: 'wrong-clock' }
  /** No rule keeps it, but it is the newest of its source, or the newest one that is whole. */
  | { readonly rule: 'newest' | 'last-good' };

export interface PlannedSnapshot<Source extends RetentionSnapshot = RetentionSnapshot> {
  readonly snapshot: Source;
  readonly action: 'keep' | 'remove';
  /** Empty if it is to be removed. */
  readonly reasons: readonly KeepReason[];
}

export interface PlannedGroup<Source extends RetentionSnapshot = RetentionSnapshot> {
  readonly values: RetentionGroupValues;
  /** The oldest first. */
  readonly snapshots: readonly PlannedSnapshot<Source>[];
}

export interface PlanOptions {
  readonly policy: RetentionPolicy;
  /** Default: host and paths. */
  readonly groupBy?: readonly GroupKey[] | undefined;
  /** Snapshots that are held, with the end of the hold. */
  readonly held?: ReadonlyMap<SnapshotId, Time | null> | undefined;
  readonly now: Time;
  /** Of hours, days and so on. Default: that of this process. */
  readonly timeZone?: string | undefined;
}

/** Which snapshots to keep and which to remove. The order of `snapshots` does not matter. Code: usage, if the policy has no rule at all. */
export function planRetention<Source extends RetentionSnapshot>(
  snapshots: readonly Source[],
  options: PlanOptions,
): PlannedGroup<Source>[] {
  if (isEmptyPolicy(options.policy)) {
    throw new LaganError('usage', 'there is no rule of what to keep', { hint: 'give at least one, such as --keep-daily 7' });
  }
  const calendar = new Calendar(options.timeZone);
  return groupSnapshots(snapshots, options.groupBy ?? ['host', 'paths']).map((group) => ({
    values: group.values,
    snapshots: planGroup(group.snapshots, options, calendar),
  }));
}

type Reasons = Map<SnapshotId, KeepReason[]>;

function planGroup<Source extends RetentionSnapshot>(
  snapshots: readonly Source[],
  { policy, held, now }: PlanOptions,
  calendar: Calendar,
): PlannedSnapshot<Source>[] {
  const newestFirst = snapshots.toSorted((left, right) => compareAges(right, left));
  const reasons: Reasons = new Map();
  const add = ({ id }: Source, reason: KeepReason): void => void reasons.set(id, [...(reasons.get(id) ?? []), reason]);

  const wronglyDated = findWronglyDated(newestFirst, now);
  const counted: Source[] = [];
  for (const snapshot of newestFirst) {
    if (compareTimes(snapshot.started, now) > 0) add(snapshot, { rule: 'future' });
    else if (wronglyDated.has(snapshot.id)) add(snapshot, { rule: 'wrong-clock' });
    else counted.push(snapshot);
  }
  applyRules(counted, { policy, calendar, add });
  for (const snapshot of newestFirst) {
    const { id, tags } = snapshot;
    for (const list of policy.tags ?? []) if (list.every((tag) => tags.includes(tag))) add(snapshot, { rule: 'tag', tags: list });
    const until = held?.get(id);
    if (until !== undefined) add(snapshot, { rule: 'held', until });
  }
  for (const [snapshot, rule] of findIndispensable(counted)) if (!reasons.has(snapshot.id)) add(snapshot, { rule });
  return newestFirst
    .map((snapshot) => ({ snapshot, reasons: reasons.get(snapshot.id) ?? [] }))
    .map((planned) => ({ ...planned, action: planned.reasons.length > 0 ? ('keep' as const) : ('remove' as const) }))
    .reverse();
}

interface RuleContext<Source> {
  readonly policy: RetentionPolicy;
  readonly calendar: Calendar;
  readonly add: (snapshot: Source, reason: KeepReason) => void;
}

/** The rules that count and measure. `counted`: the snapshots whose dates can be believed, the newest first. */
function applyRules<Source extends RetentionSnapshot>(counted: readonly Source[], { policy, calendar, add }: RuleContext<Source>): void {
  const whole = counted.filter(({ partial }) => !partial);
  const { last, counts = {}, within, withinCounts = {} } = policy;
  for (const [index, snapshot] of whole.slice(0, last ?? 0).entries()) add(snapshot, { rule: 'last', number: index + 1 });
  const newestOf = (period: SnapshotPeriod, options: { limit: number; among: ReadonlyMap<Source, Pause> }) =>
    newestOfPeriods(whole, { ...options, periodOf: ({ started }) => calendar.periodOf(started, period) });
  const all = new Map(whole.map((snapshot) => [snapshot, {}]));
  for (const period of periods) {
    const limit = counts[period] ?? 0;
    for (const { snapshot, ...place } of newestOf(period, { limit, among: all })) add(snapshot, { rule: period, ...place });
  }
  if (within !== undefined) for (const [snapshot, pause] of takeWithin(counted, within)) add(snapshot, { rule: 'within', ...pause });
  for (const period of periods) {
    const duration = withinCounts[period];
    if (duration === undefined) continue;
    const among = takeWithin(counted, duration);
    const limit = Number.POSITIVE_INFINITY;
    for (const { snapshot, ...place } of newestOf(period, { limit, among })) add(snapshot, { rule: `within-${period}`, ...place });
  }
}

/** Whether a snapshot is older than a duration says, and within it only as a pause counts half. */
type Pause = { readonly paused?: true };

/**
 * The newest snapshot of each period, as many as `limit` allows. If that allows more than there are periods, the oldest snapshot is kept, too: a new repository keeps what
 * its rules have room for.
 */
function* newestOfPeriods<Source>(
  whole: readonly Source[],
  { limit, among, periodOf }: { limit: number; among: ReadonlyMap<Source, Pause>; periodOf: (snapshot: Source) => string },
): Generator<{ snapshot: Source; number: number; oldest?: true } & Pause> {
  let latestPeriod: string | undefined;
  let number = 0;
  for (const [index, snapshot] of whole.entries()) {
    const pause = among.get(snapshot);
    if (number >= limit || pause === undefined) return;
    const period = periodOf(snapshot);
    const isNew = period !== latestPeriod;
    if (!isNew && index < whole.length - 1) continue;
    latestPeriod = period;
    number++;
    yield { snapshot, number, ...(!isNew && { oldest: true }), ...pause };
  }
}

/** The snapshots that were made less than a duration before the newest one. A pause counts as at most half the duration. */
function takeWithin<Source extends RetentionSnapshot>(newestFirst: readonly Source[], duration: KeepDuration): Map<Source, Pause> {
  const taken = new Map<Source, Pause>();
  const [newest] = newestFirst;
  if (newest === undefined) return taken;
  const length = lengthBefore(newest.started, duration);
  const end = nanosecondsOf(newest.started);
  // Twice the age, so that half a duration is a whole number.
  let doubledAge = 0n;
  let previous = end;
  for (const snapshot of newestFirst) {
    const time = nanosecondsOf(snapshot.started);
    const doubledPause = 2n * (previous - time);
    doubledAge += doubledPause < length ? doubledPause : length;
    if (doubledAge >= 2n * length) break;
    taken.set(snapshot, end - time < length ? {} : { paused: true });
    previous = time;
  }
  return taken;
}

/**
 * Snapshots that are dated before one that they, or what they were compared with, were compared with. A date in the future proves nothing of others.
 */
function findWronglyDated<Source extends RetentionSnapshot>(snapshots: readonly Source[], now: Time): Set<SnapshotId> {
  const byId = new Map(snapshots.map((snapshot) => [snapshot.id, snapshot]));
  /** The latest date among a snapshot and those that came before it. */
  const latest = new Map<SnapshotId, Time | null>();
  const wrong = new Set<SnapshotId>();
  for (const start of snapshots) {
    const line: Source[] = [];
    const onLine = new Set<SnapshotId>();
    for (let next: Source | undefined = start; next !== undefined && !latest.has(next.id) && !onLine.has(next.id); ) {
      line.push(next);
      onLine.add(next.id);
      next = next.parent === null ? undefined : byId.get(next.parent);
    }
    for (const snapshot of line.reverse()) {
      const before = snapshot.parent === null ? null : (latest.get(snapshot.parent) ?? null);
      const { id, started } = snapshot;
      const isWrong = before !== null && compareTimes(before, started) > 0;
      if (isWrong) wrong.add(id);
      if (isWrong || compareTimes(started, now) > 0) latest.set(id, before);
      else latest.set(id, started);
    }
  }
  return wrong;
}

/** Of each source the newest snapshot, and the newest of the best that there are: without errors, else whole. */
function findIndispensable<Source extends RetentionSnapshot>(newestFirst: readonly Source[]): [Source, 'newest' | 'last-good'][] {
  return [...Map.groupBy(newestFirst, ({ source }) => source).values()].flatMap((ofSource): [Source, 'newest' | 'last-good'][] => {
    const good = ofSource.find(({ partial, errors }) => !partial && errors === 0) ?? ofSource.find(({ partial }) => !partial);
    const newest = ofSource[0]!;
    return good === undefined
      ? [[newest, 'newest']]
      : [
          [good, 'last-good'],
          [newest, 'newest'],
        ];
  });
}

/** Older first; those of the same time by their ids. */
function compareAges(left: RetentionSnapshot, right: RetentionSnapshot): number {
  const { started, id } = left;
  const { started: otherStarted, id: otherId } = right;
  return compareTimes(started, otherStarted) || (id < otherId ? -1 : Number(id > otherId));
}
