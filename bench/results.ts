/** What a run of the benchmark leaves behind: the content of its JSON file. All times in seconds, all sizes in bytes. */
import type { DataSetName, Scenario } from './data-sets/mod.ts';
import type { ToolName } from './tools/mod.ts';

export interface Results {
  readonly format: 'lagan-bench-1';
  /** ISO 8601. */
  readonly takenAt: string;
  /** `quick`: small data, one run; to try the benchmark, not to compare anything. */
  readonly size: 'full' | 'quick';
  readonly runs: number;
  readonly machine: Machine;
  readonly dataSets: readonly { name: DataSetName; description: string; files: number; bytes: number }[];
  readonly tools: readonly { name: ToolName; label: string; version: string }[];
  readonly skipped: readonly { name: ToolName; label: string; reason: string }[];
  readonly rows: readonly Row[];
}

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  /** Of the last minute before the start: above 0.5, other work disturbed the figures. */
  readonly loadAtStart: number;
  readonly folder: string;
  readonly fileSystem: string;
  /** How processes were measured. */
  readonly meter: string;
  /** Commit of the checkout, with `+` if files differ from it. */
  readonly commit: string;
}

/** One tool in one scenario with one data set. */
export interface RowKey {
  readonly dataSet: DataSetName;
  readonly scenario: Scenario;
  readonly tool: ToolName;
}

export interface Row extends RowKey {
  readonly runs: readonly Measurement[];
  /** Why these figures say nothing. */
  readonly invalid?: string;
}

export interface Measurement {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakMemoryBytes: number;
  /** By how much the files of the repository grew; only of backups. */
  readonly storedBytes?: number;
}

export interface Summary extends Measurement {
  readonly leastWallSeconds: number;
  readonly mostWallSeconds: number;
}

/** Collects the runs of each row. */
export class RowCollector {
  readonly rows: (RowKey & { runs: Measurement[]; invalid?: string })[] = [];

  /** One problem makes the row invalid; the first is kept. */
  add(key: RowKey, result: { readonly measurement: Measurement } | { readonly problem: string }): void {
    let row = this.rows.find(({ dataSet, scenario, tool }) => dataSet === key.dataSet && scenario === key.scenario && tool === key.tool);
    if (row === undefined) this.rows.push((row = { ...key, runs: [] }));
    if ('problem' in result) row.invalid ??= result.problem;
    else row.runs.push(result.measurement);
  }

  /** True if nothing is to be gained from more runs. */
  hasFailed(key: Pick<RowKey, 'dataSet' | 'tool'>): boolean {
    const rows = this.rows.filter((row) => row.dataSet === key.dataSet && row.tool === key.tool);
    return rows.length > 0 && rows.every((row) => row.invalid !== undefined);
  }
}

/** Medians, each quantity by itself; undefined if the row is invalid or empty. */
export function summaryOf(row: Row | undefined): Summary | undefined {
  if (row === undefined || row.invalid !== undefined || row.runs.length === 0) return undefined;
  const walls = row.runs.map((run) => run.wallSeconds);
  const stored = row.runs.map((run) => run.storedBytes).filter((bytes) => bytes !== undefined);
  return {
    wallSeconds: median(walls),
    cpuSeconds: median(row.runs.map((run) => run.cpuSeconds)),
    peakMemoryBytes: median(row.runs.map((run) => run.peakMemoryBytes)),
    ...(stored.length > 0 && { storedBytes: median(stored) }),
    leastWallSeconds: Math.min(...walls),
    mostWallSeconds: Math.max(...walls),
  };
}

export function findRow(results: Results, key: RowKey): Row | undefined {
  return results.rows.find((row) => row.dataSet === key.dataSet && row.scenario === key.scenario && row.tool === key.tool);
}

/** The pairs of data set and scenario that have rows, in the order of the data sets. */
export function groupsOf(results: Results): { dataSet: DataSetName; scenario: Scenario }[] {
  const groups = new Map(results.rows.map(({ dataSet, scenario }) => [`${dataSet} ${scenario}`, { dataSet, scenario }]));
  const order = results.dataSets.map(({ name }) => name);
  return [...groups.values()].sort((a, b) => order.indexOf(a.dataSet) - order.indexOf(b.dataSet));
}

/** The middle of the values in order; of an even number of them the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no median of no values');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** For reports. */
export function titleOf(group: { dataSet: DataSetName; scenario: Scenario }): string {
  return `${dataSetTitles[group.dataSet]}${scenarioTitles[group.scenario]}`;
}

const dataSetTitles: Record<DataSetName, string> = {
  random: 'random file, ',
  tree: 'tree, ',
  tiny: 'tiny files, ',
  database: 'database file, ',
  start: '',
};
const scenarioTitles: Record<Scenario, string> = {
  first: 'first backup',
  unchanged: 'unchanged, backed up again',
  verify: 'all data verified',
  restore: 'restored',
  edit: 'after 1 % of its pages changed',
  start: 'start (--version)',
};
