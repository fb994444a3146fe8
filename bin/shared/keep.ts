/** Rules of what to keep, as options. */
import type { Command } from 'commander';
import type { Engine, RetentionPolicy } from './engine.ts';
import { usageError } from './errors.ts';
import { listOption } from './options.ts';

const periods = ['hourly', 'daily', 'weekly', 'monthly', 'quarterly', 'yearly'] as const;
type Period = (typeof periods)[number];
type Capitalized = Capitalize<Period>;

export interface KeepOptions extends Partial<Record<`keep${'Last' | Capitalized | 'Within' | `Within${Capitalized}`}`, string>> {
  readonly keepTag?: string[];
}

const periodWords: Record<Period, string> = {
  hourly: 'hour',
  daily: 'day',
  weekly: 'week',
  monthly: 'month',
  quarterly: 'quarter',
  yearly: 'year',
};

export function addKeepOptions(command: Command): Command {
  command.option('--keep-last <count>', 'keep the newest ones: a number, or unlimited');
  for (const period of periods)
    command.option(`--keep-${period} <count>`, `the newest one of each ${periodWords[period]}, for so many of them`);
  command.option('--keep-within <duration>', 'all made so long before the newest one: 7d, 12h, 2y5m7d3h (m: months)');
  for (const period of periods)
    command.option(`--keep-within-${period} <duration>`, `the newest one of each ${periodWords[period]} in that time`);
  return command.addOption(listOption('--keep-tag <tags>', 'those with this tag, or with all of several with commas (may be repeated)'));
}

/** Whether any rule was given. */
export function hasKeepOptions(options: object): boolean {
  return Object.keys(options).some((name) => name.startsWith('keep'));
}

/** Code: usage. */
export function policyOf(engine: Engine, options: KeepOptions): RetentionPolicy {
  const count = (name: string, text: string | undefined) =>
    text === undefined ? undefined : engine.parseKeepCount(text, `--keep-${name}`);
  const duration = (name: string, text: string | undefined) =>
    text === undefined ? undefined : engine.parseKeepDuration(text, `--keep-${name}`);
  return {
    last: count('last', options.keepLast),
    counts: Object.fromEntries(periods.map((period) => [period, count(period, options[`keep${capitalized(period)}`])])),
    within: duration('within', options.keepWithin),
    withinCounts: Object.fromEntries(
      periods.map((period) => [period, duration(`within-${period}`, options[`keepWithin${capitalized(period)}`])]),
    ),
    tags: options.keepTag?.map(parseTags),
  };
}

function parseTags(text: string): string[] {
  const tags = text.split(',');
  if (tags.every((tag) => tag !== '')) return tags;
  throw usageError(`--keep-tag: '${text}' has an empty tag`, 'give a tag, or several with commas');
}

function capitalized(period: Period): Capitalized {
  return `${period[0]!.toUpperCase()}${period.slice(1)}` as Capitalized;
}
