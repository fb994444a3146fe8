/** The figures that lagan is to reach (issue 3), and whether it does. */
import type { DataSetName, Scenario } from './data-sets/mod.ts';
import { findRow, type Results, type Summary, summaryOf } from './results.ts';
import type { ToolName } from './tools/mod.ts';

export type Quantity = 'wall' | 'cpu' | 'stored' | 'peak memory';

export interface Target {
  readonly dataSet: DataSetName;
  readonly scenario: Scenario;
  readonly quantity: Quantity;
  readonly limit: Limit;
}

/** Seconds and bytes; or a multiple of what a peer needs, or of the bytes of the data set. */
export type Limit = { readonly value: number } | { readonly times: number; readonly of: ToolName | 'data set' };

export interface Verdict {
  readonly target: Target;
  readonly outcome: 'reached' | 'missed' | 'not measured';
  /** What lagan needs. */
  readonly value?: number;
  /** What it may need. */
  readonly limitValue?: number;
}

const mib = 2 ** 20;
const memoryLimit: Limit = { value: 200 * mib };

const measured: readonly (readonly [DataSetName, readonly Scenario[]])[] = [
  ['random', ['first', 'restore']],
  ['tree', ['first', 'unchanged', 'verify', 'restore']],
  ['tiny', ['first', 'unchanged', 'restore']],
  ['database', ['first', 'edit']],
];

export const targets: readonly Target[] = [
  { dataSet: 'random', scenario: 'first', quantity: 'wall', limit: { times: 0.7, of: 'kopia-s2' } },
  { dataSet: 'random', scenario: 'first', quantity: 'cpu', limit: { times: 0.7, of: 'kopia-s2' } },
  { dataSet: 'tree', scenario: 'first', quantity: 'wall', limit: { times: 1, of: 'kopia-s2' } },
  { dataSet: 'tree', scenario: 'first', quantity: 'stored', limit: { times: 0.9, of: 'kopia-s2' } },
  { dataSet: 'tree', scenario: 'unchanged', quantity: 'wall', limit: { times: 1, of: 'kopia-s2' } },
  { dataSet: 'tiny', scenario: 'unchanged', quantity: 'wall', limit: { times: 1, of: 'kopia-s2' } },
  { dataSet: 'random', scenario: 'restore', quantity: 'wall', limit: { times: 0.5, of: 'kopia-s2' } },
  { dataSet: 'tree', scenario: 'restore', quantity: 'wall', limit: { times: 0.5, of: 'kopia-s2' } },
  { dataSet: 'tiny', scenario: 'restore', quantity: 'wall', limit: { times: 0.5, of: 'kopia-s2' } },
  { dataSet: 'tree', scenario: 'verify', quantity: 'wall', limit: { times: 1, of: 'restic' } },
  { dataSet: 'database', scenario: 'edit', quantity: 'stored', limit: { times: 0.08, of: 'data set' } },
  ...measured.flatMap(([dataSet, scenarios]) =>
    scenarios.map((scenario): Target => ({ dataSet, scenario, quantity: 'peak memory', limit: memoryLimit })),
  ),
  { dataSet: 'start', scenario: 'start', quantity: 'wall', limit: { value: 0.1 } },
];

export function judge(results: Results): Verdict[] {
  return targets.map((target) => judgeOne(results, target));
}

function judgeOne(results: Results, target: Target): Verdict {
  const value = amountOf(summaryOf(findRow(results, { ...target, tool: 'lagan' })), target.quantity);
  const limitValue = limitOf(results, target);
  const found = { ...(value !== undefined && { value }), ...(limitValue !== undefined && { limitValue }) };
  if (value === undefined || limitValue === undefined) return { target, outcome: 'not measured', ...found };
  return { target, outcome: value <= limitValue ? 'reached' : 'missed', ...found };
}

function limitOf(results: Results, target: Target): number | undefined {
  const { limit, quantity } = target;
  if ('value' in limit) return limit.value;
  if (limit.of === 'data set') return times(results.dataSets.find(({ name }) => name === target.dataSet)?.bytes, limit.times);
  return times(amountOf(summaryOf(findRow(results, { ...target, tool: limit.of })), quantity), limit.times);
}

function times(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor;
}

function amountOf(summary: Summary | undefined, quantity: Quantity): number | undefined {
  switch (quantity) {
    case 'wall':
      return summary?.wallSeconds;
    case 'cpu':
      return summary?.cpuSeconds;
    case 'stored':
      return summary?.storedBytes;
    case 'peak memory':
      return summary?.peakMemoryBytes;
  }
}
