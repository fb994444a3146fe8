/** Snapshots for the rules, by short words. */
import { type PlannedGroup, planRetention, type RetentionPolicy, type RetentionSnapshot } from '../../../engine/retention/mod.ts';
import type { PlanOptions } from '../../../engine/retention/plan.ts';
import type { SnapshotId, Time } from '../../../repo-format/mod.ts';

export const farFuture: Time = { seconds: 4_000_000_000, nanoseconds: 0 };

/** `2026-11-21 07:30` in UTC. */
export function time(text: string): Time {
  const [day, clock = '00:00'] = text.split(' ');
  return { seconds: Date.parse(`${day}T${clock}:00Z`) / 1000, nanoseconds: 0 };
}

/** An id that begins with the hex digits of a number. */
export function idOf(number: number): SnapshotId {
  return number.toString(16).padStart(8, '0').padEnd(32, '0') as SnapshotId;
}

export function snapshotAt(number: number, when: string | Time, changes: Partial<RetentionSnapshot> = {}): RetentionSnapshot {
  return {
    id: idOf(number),
    started: typeof when === 'string' ? time(when) : when,
    host: 'web1',
    paths: [Buffer.from('/srv')],
    tags: [],
    source: 'web1:/srv',
    parent: null,
    partial: false,
    errors: 0,
    ...changes,
  };
}

/** A plan in UTC with a clock that is later than all, and one group, unless said otherwise. */
export function planOf(
  snapshots: readonly RetentionSnapshot[],
  policy: RetentionPolicy,
  options: Partial<PlanOptions> = {},
): PlannedGroup[] {
  return planRetention(snapshots, { policy, groupBy: [], now: farFuture, timeZone: 'UTC', ...options });
}

/** `id: reasons` of what is kept, oldest first. */
export function keptOf(groups: readonly PlannedGroup[]): string[] {
  return groups.flatMap(({ snapshots }) =>
    snapshots
      .filter(({ action }) => action === 'keep')
      .map(({ snapshot, reasons }) => `${Number.parseInt(snapshot.id.slice(0, 8), 16)}: ${reasons.map(reasonOf).join(', ')}`),
  );
}

function reasonOf(reason: PlannedGroup['snapshots'][number]['reasons'][number]): string {
  const pause = 'paused' in reason ? ' paused' : '';
  if (!('number' in reason)) return `${reason.rule}${pause}`;
  return `${reason.oldest ? 'oldest ' : ''}${reason.rule} ${reason.number}${pause}`;
}
