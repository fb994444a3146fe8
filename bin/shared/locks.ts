/** How locks and old versions are told. */
import type { LockResult, MaintainResult, OldVersions } from './engine.ts';
import { formatCountOf, formatSize } from './sizes.ts';
import { formatDuration, formatExactTime, formatTime, type Time, timeOfDate } from './times.ts';

export function oldVersionFields({ freed, freedBytes, waiting, waitingBytes, waitingUntilMs, refused, overwritten }: OldVersions): object {
  const waitingUntil = waitingUntilMs === null ? null : formatExactTime(timeOfDate(new Date(waitingUntilMs)));
  return { freed, freedBytes, waiting, waitingBytes, waitingUntil, refused, overwritten };
}

export function lockFields(locks: LockResult | null): object | null {
  if (locks === null) return null;
  const { rule, nextExtension, holdUntil, oldVersions, ...counts } = locks;
  const times = { nextExtension: timeField(nextExtension), holdUntil: timeField(holdUntil) };
  return { mode: rule.mode, periodSeconds: rule.periodSeconds, ...counts, ...times, oldVersions: oldVersionFields(oldVersions) };
}

export function timeField(time: Time | null): string | null {
  return time === null ? null : formatExactTime(time);
}

/** `governance, 30 d 0 h`. */
export function ruleText({ mode, periodSeconds }: LockResult['rule']): string {
  return `${mode}, ${formatDuration(periodSeconds * 1000)}`;
}

/** What a maintenance says of them. */
export function lockLines({ locks, outcome }: MaintainResult): string[] {
  if (locks === null) return [];
  const { extended, requests, holdUntil, nextExtension, oldVersions } = locks;
  const would = outcome === 'dry-run' ? 'would be ' : '';
  const until = holdUntil === null ? '' : `; none ends before ${formatTime(holdUntil)}`;
  const next = nextExtension === null ? '' : `, and the next extension is due at ${formatTime(nextExtension)}`;
  return [
    `${formatCountOf(extended, 'lock')} ${would}extended, by ${formatCountOf(requests, 'request')}${until}${next}`,
    ...oldVersionLines(oldVersions, would),
  ];
}

export function oldVersionLines({ freed, freedBytes, waiting, waitingBytes, waitingUntilMs }: OldVersions, would: string): string[] {
  return [
    ...(freed > 0
      ? [`${formatCountOf(freed, 'old version')} (${formatSize(freedBytes)}) ${would}deleted for good: their locks have ended`]
      : []),
    ...(waitingUntilMs !== null
      ? [
          `${formatCountOf(waiting, 'old version')} (${formatSize(waitingBytes)}) ${waiting === 1 ? 'stays' : 'stay'} until the locks end, the last at ${formatTime(timeOfDate(new Date(waitingUntilMs)))}`,
        ]
      : []),
  ];
}
