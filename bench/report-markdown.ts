/** The report for docs/performance.md: a table with a column for each tool, and one of the targets. */
import * as format from './format.ts';
import { remarks, verdictFigures } from './report-text.ts';
import { findRow, groupsOf, type Results, type Row, summaryOf, titleOf } from './results.ts';
import { judge } from './targets.ts';

export function markdownReport(results: Results): string {
  const { machine } = results;
  const about = `Taken on ${results.takenAt.slice(0, 10)} at commit ${machine.commit}: ${machine.processor}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}, ${machine.fileSystem}; medians of ${results.runs}. Cells: wall s / CPU s / peak MiB, and for backups / stored MB.`;
  const sets = results.dataSets
    .filter(({ files }) => files > 0)
    .map(({ name, description, files, bytes }) => `- ${name}: ${description}; ${format.count(files)} files, ${format.megabytes(bytes)} MB`);
  const versions = `Versions: ${results.tools.map(({ label, version }) => `${label}: ${version}`).join('; ')}.`;
  const notes = remarks(results).map((remark) => `- Note: ${remark}`);
  return `${[about, [...sets, ...notes].join('\n'), figures(results).join('\n'), versions, verdicts(results).join('\n')].join('\n\n')}\n`;
}

function figures(results: Results): string[] {
  const head = ['', ...results.tools.map(({ label }) => label)];
  const rows = groupsOf(results).map((group) => [
    titleOf(group),
    ...results.tools.map(({ name }) => cell(findRow(results, { ...group, tool: name }))),
  ]);
  return lines([head, head.map(() => '---'), ...rows]);
}

function cell(row: Row | undefined): string {
  if (row === undefined) return '';
  const summary = summaryOf(row);
  if (summary === undefined) return 'invalid';
  const { wallSeconds, cpuSeconds, peakMemoryBytes, storedBytes } = summary;
  const stored = storedBytes === undefined ? [] : [format.megabytes(storedBytes)];
  return [format.seconds(wallSeconds), format.seconds(cpuSeconds), format.mebibytes(peakMemoryBytes), ...stored].join(' / ');
}

function verdicts(results: Results): string[] {
  const labels = new Map(results.tools.map(({ name, label }) => [name as string, label]));
  const rows = judge(results).map((verdict) => [
    `${titleOf(verdict.target)}: ${verdict.target.quantity}`,
    format.demand(verdict.target, labels),
    verdictFigures(verdict),
    verdict.outcome === 'missed' ? '**missed**' : verdict.outcome,
  ]);
  const head = ['target', 'demand', 'found', ''];
  return lines([head, head.map(() => '---'), ...rows]);
}

function lines(rows: readonly (readonly string[])[]): string[] {
  return rows.map((row) => `| ${row.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`);
}
