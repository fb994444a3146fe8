/** The report for a terminal. */
import * as format from './format.ts';
import { findRow, groupsOf, type Results, type Row, type Summary, summaryOf, titleOf } from './results.ts';
import { judge, type Verdict } from './targets.ts';

export function textReport(results: Results): string {
  const groups = groupsOf(results).map((group) => [titleOf(group), ...table(groupLines(results, group))].join('\n'));
  const verdicts = results.rows.some(({ tool }) => tool === 'lagan') ? [['targets', ...table(verdictLines(results))].join('\n')] : [];
  return `${[heading(results), ...groups, ...verdicts].join('\n\n')}\n`;
}

/** What applies to all figures. */
export function remarks(results: Results): string[] {
  const { machine } = results;
  return [
    ...(results.size === 'quick'
      ? ['small data and few runs (--quick): these figures compare nothing, the targets are not meant for them']
      : []),
    ...(machine.loadAtStart > 0.5
      ? [`other work was running (load ${machine.loadAtStart.toFixed(1)} at the start): the figures are disturbed`]
      : []),
    ...(machine.commit.endsWith('+') ? ['lagan was built from a checkout with changes that are not committed'] : []),
    ...results.skipped.map(({ label, reason }) => `${label} was left out: ${reason}`),
  ];
}

function heading(results: Results): string {
  const { machine } = results;
  return [
    `lagan bench, ${results.takenAt}, commit ${machine.commit}; medians of ${results.runs}`,
    `${machine.processor}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB, Linux ${machine.kernel}, Node ${machine.node}`,
    `in ${machine.folder} (${machine.fileSystem}), measured by ${machine.meter}`,
    ...results.tools.map(({ label, version }) => `  ${label}: ${version}`),
    ...results.dataSets
      .filter(({ files }) => files > 0)
      .map(
        ({ name, description, files, bytes }) => `  ${name}: ${description}; ${format.count(files)} files, ${format.megabytes(bytes)} MB`,
      ),
    ...remarks(results).map((remark) => `note: ${remark}`),
  ].join('\n');
}

const columns = ['', 'wall s', 'from', 'to', 'CPU s', 'peak MiB', 'stored MB'];
const ratioColumns = ['lagan is: wall', 'CPU', 'stored'];

function groupLines(results: Results, group: Pick<Row, 'dataSet' | 'scenario'>): string[][] {
  const lagan = summaryOf(findRow(results, { ...group, tool: 'lagan' }));
  const rows = results.tools.flatMap(({ name, label }) => {
    const row = findRow(results, { ...group, tool: name });
    return row === undefined ? [] : [toolLine(row, { label, lagan })];
  });
  return [[...columns, ...(lagan === undefined ? [] : ratioColumns)], ...rows];
}

function toolLine(row: Row, { label, lagan }: { label: string; lagan: Summary | undefined }): string[] {
  const summary = summaryOf(row);
  if (summary === undefined) return [label, `invalid: ${(row.invalid ?? 'no run').replaceAll('\n', ' | ')}`];
  const { wallSeconds, leastWallSeconds, mostWallSeconds, cpuSeconds, peakMemoryBytes, storedBytes } = summary;
  return [
    label,
    format.seconds(wallSeconds),
    format.seconds(leastWallSeconds),
    format.seconds(mostWallSeconds),
    format.seconds(cpuSeconds),
    format.mebibytes(peakMemoryBytes),
    storedBytes === undefined ? '' : format.megabytes(storedBytes),
    ...(row.tool === 'lagan' || lagan === undefined ? [] : ratios(lagan, summary)),
  ];
}

function ratios(lagan: Summary, peer: Summary): string[] {
  const stored = lagan.storedBytes !== undefined && peer.storedBytes ? `× ${format.ratio(lagan.storedBytes / peer.storedBytes)}` : '';
  return [`× ${format.ratio(lagan.wallSeconds / peer.wallSeconds)}`, `× ${format.ratio(lagan.cpuSeconds / peer.cpuSeconds)}`, stored];
}

function verdictLines(results: Results): string[][] {
  const labels = new Map(results.tools.map(({ name, label }) => [name as string, label]));
  return judge(results).map((verdict) => [
    `${titleOf(verdict.target)}, ${verdict.target.quantity}`,
    format.demand(verdict.target, labels),
    verdictFigures(verdict),
    verdict.outcome,
  ]);
}

/** The limit and what was found. */
export function verdictFigures({ target, value, limitValue }: Verdict): string {
  const found = value === undefined ? '?' : format.quantity(value, target.quantity);
  const allowed = limitValue === undefined ? '?' : format.quantity(limitValue, target.quantity);
  return value === undefined && limitValue === undefined ? '' : `${found} of ${allowed}`;
}

/** Columns as wide as their longest cell; the first is on the left, figures are on the right. A last cell that is long widens nothing. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.entries())
      if (index < row.length - 1 || row.length > 2) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return rows.map((row) =>
    `  ${row.map((cell, index) => (index === 0 || row.length === 2 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0))).join('  ')}`.trimEnd(),
  );
}
