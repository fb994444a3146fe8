/**
 * The picture: panels of horizontal bars, one bar for each tool, the shorter the better. Each panel has its own scale, and every bar its figure.
 * The colours keep their contrast on light and dark ground; the ground follows what the viewer prefers.
 */
import * as format from './format.ts';
import { findRow, groupsOf, type Results, type Row, type Summary, summaryOf, titleOf } from './results.ts';

interface Panel {
  readonly title: string;
  readonly bars: readonly Bar[];
}

interface Bar {
  readonly label: string;
  readonly isLagan: boolean;
  /** Undefined: invalid. */
  readonly value: number | undefined;
  readonly text: string;
}

const [width, margin, columnGap] = [1000, 24, 40];
const columnWidth = (width - 2 * margin - columnGap) / 2;
const [labelWidth, valueWidth] = [170, 70];
const barMaximum = columnWidth - labelWidth - valueWidth;
const [barHeight, barStep, titleHeight, panelGap, headHeight] = [13, 19, 24, 22, 64];

const style = `
  svg { color-scheme: light dark; font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
  .ground { fill: #ffffff; } .text { fill: #1f2328; } .quiet { fill: #59636e; } .peer { fill: #8094ab; } .lagan { fill: #d9480f; } .axis { stroke: #c4ccd4; }
  .title { font-size: 18px; font-weight: 600; } .panel { font-weight: 600; } .own { font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; } .text { fill: #e6edf3; } .quiet { fill: #9aa5b1; } .peer { fill: #6b7f97; } .lagan { fill: #ff8a4c; } .axis { stroke: #3d444d; }
  }`;

export function svgReport(results: Results): string {
  const placed = place(panelsOf(results));
  const height = headHeight + Math.max(...placed.columnHeights, 0) + margin;
  const { machine } = results;
  const subtitle = `wall time of whole processes in seconds unless said otherwise; medians of ${results.runs}; ${machine.processor}, ${machine.cores} cores, ${machine.fileSystem}${results.size === 'quick' ? '; small data: compares nothing' : ''}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="lagan beside other backup tools">
<style>${style}
</style>
<rect class="ground" width="${width}" height="${height}"/>
<text class="text title" x="${margin}" y="30">lagan beside other backup tools: shorter is better</text>
<text class="quiet" x="${margin}" y="50">${escapeXml(subtitle)}</text>
${placed.parts.join('\n')}
</svg>
`;
}

/** Times of everything; then what is stored, and the memory, where they say most. */
function panelsOf(results: Results): Panel[] {
  const groups = groupsOf(results);
  const panelsFor = (dataSet: string, scenario: string, of: 'storedBytes' | 'peakMemoryBytes', title: string) =>
    groups.filter((group) => group.dataSet === dataSet && group.scenario === scenario).map((group) => panel(results, { group, of, title }));
  return [
    ...groups.map((group) => panel(results, { group, of: 'wallSeconds', title: titleOf(group) })),
    ...panelsFor('tree', 'first', 'storedBytes', 'tree, stored by the first backup, MB'),
    ...panelsFor('database', 'first', 'storedBytes', 'database file, stored by the first backup, MB'),
    ...panelsFor('database', 'edit', 'storedBytes', 'database file, stored after 1 % of its pages changed, MB'),
    ...panelsFor('random', 'first', 'peakMemoryBytes', 'random file, peak memory of the first backup, MiB'),
    ...panelsFor('tree', 'first', 'peakMemoryBytes', 'tree, peak memory of the first backup, MiB'),
    ...panelsFor('tree', 'restore', 'peakMemoryBytes', 'tree, peak memory of the restore, MiB'),
  ];
}

type Field = 'wallSeconds' | 'storedBytes' | 'peakMemoryBytes';

const formats: Record<Field, (value: number) => string> = {
  wallSeconds: format.seconds,
  storedBytes: format.megabytes,
  peakMemoryBytes: format.mebibytes,
};

function panel(results: Results, about: { group: Pick<Row, 'dataSet' | 'scenario'>; of: Field; title: string }): Panel {
  const bars = results.tools.flatMap(({ name, label }): Bar[] => {
    const row = findRow(results, { ...about.group, tool: name });
    if (row === undefined) return [];
    const value = (summaryOf(row) as Summary | undefined)?.[about.of];
    return [{ label, isLagan: name === 'lagan', value, text: value === undefined ? 'invalid' : formats[about.of](value) }];
  });
  return { title: about.title, bars };
}

/** Into the column that is shorter so far. */
function place(panels: readonly Panel[]): { parts: string[]; columnHeights: number[] } {
  const columnHeights = [0, 0];
  const parts = panels.map((panel) => {
    const column = columnHeights[0]! <= columnHeights[1]! ? 0 : 1;
    const [x, y] = [margin + column * (columnWidth + columnGap), headHeight + columnHeights[column]!];
    columnHeights[column]! += titleHeight + panel.bars.length * barStep + panelGap;
    return draw(panel, { x, y });
  });
  return { parts, columnHeights };
}

function draw({ title, bars }: Panel, { x, y }: { x: number; y: number }): string {
  const largest = Math.max(...bars.map((bar) => bar.value ?? 0), Number.MIN_VALUE);
  const start = x + labelWidth;
  const bottom = y + titleHeight + bars.length * barStep;
  const lines = bars.map((bar, index) => {
    const top = y + titleHeight + index * barStep;
    const length = Math.max(1, ((bar.value ?? 0) / largest) * barMaximum);
    const [weight, baseline] = [bar.isLagan ? ' own' : '', top + barHeight - 2.5];
    return [
      `<text class="text${weight}" x="${start - 8}" y="${baseline}" text-anchor="end">${escapeXml(bar.label)}</text>`,
      bar.value === undefined
        ? ''
        : `<rect class="${bar.isLagan ? 'lagan' : 'peer'}" x="${start}" y="${top}" width="${length.toFixed(1)}" height="${barHeight}" rx="2"/>`,
      `<text class="${bar.value === undefined ? 'quiet' : `text${weight}`}" x="${(start + (bar.value === undefined ? 0 : length) + 6).toFixed(1)}" y="${baseline}">${bar.text}</text>`,
    ].join('');
  });
  return [
    `<text class="text panel" x="${x}" y="${y + 12}">${escapeXml(title)}</text>`,
    `<line class="axis" x1="${start}" y1="${y + titleHeight - 3}" x2="${start}" y2="${bottom - 3}"/>`,
    ...lines,
  ].join('\n');
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
