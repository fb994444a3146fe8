/** Sums over the seeds of a run. */
import type { ScenarioResult } from './scenario.ts';

const counted = [
  'requests',
  'acknowledged',
  'forgotten',
  'restored',
  'unacknowledged',
  'collections',
  'deaths',
  'deletedPacks',
  'losses',
  'hurt',
  'days',
] as const;

export interface Summary {
  seeds: number;
  /** Seeds that found something. */
  readonly found: number[];
  collectionsDuringSleep: number;
  readonly sums: Record<(typeof counted)[number], number>;
}

export function emptySummary(): Summary {
  const sums = Object.fromEntries(counted.map((name) => [name, 0])) as Summary['sums'];
  return { seeds: 0, found: [], collectionsDuringSleep: 0, sums };
}

export function addResult(summary: Summary, result: ScenarioResult): void {
  summary.seeds++;
  if (result.faults.length > 0) summary.found.push(result.seed);
  summary.collectionsDuringSleep = Math.max(summary.collectionsDuringSleep, result.collectionsDuringSleep ?? 0);
  for (const name of counted) summary.sums[name] += result[name] ?? 0;
}

export function figuresOf({ seeds, found, collectionsDuringSleep, sums }: Summary, { seconds }: { seconds: number }): string {
  return [
    `simulation: ${seeds} seeds in ${Math.round(seconds)} s, ${found.length} found something${found.length === 0 ? '' : ` (${found.slice(0, 20).join(', ')})`}`,
    `  ${sums.requests} requests in ${sums.days} simulated days; ${sums.collections} collections, ${sums.deletedPacks} packs deleted, ${sums.deaths} deaths`,
    `  ${sums.acknowledged} snapshots acknowledged, ${sums.forgotten} forgotten, ${sums.restored} restored bit for bit; ${sums.unacknowledged} commits that did not count`,
    `  ${sums.losses} packs lost, which hurt ${sums.hurt} files in the end: each was called lost`,
    `  a suspended backup slept through up to ${collectionsDuringSleep} collections`,
  ].join('\n');
}
