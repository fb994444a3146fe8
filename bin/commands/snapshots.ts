/** `lagan snapshots`: lists the snapshots of the repository. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { SnapshotInfo } from '../shared/engine.ts';
import { type GroupKey, groupKeys, parseGroupKeys } from '../shared/groups.ts';
import { snapshotFields } from '../shared/json.ts';
import { addExamples, addFilterOptions, countOption } from '../shared/options.ts';
import { readProblems } from '../shared/read-problems.ts';
import { openRepository } from '../shared/repository.ts';
import { formatCount, formatCountOf, formatSize } from '../shared/sizes.ts';
import { type FilterOptions, filterOf, shortId } from '../shared/snapshots.ts';
import { formatTable } from '../shared/table.ts';
import { textOfBytes } from '../shared/text.ts';
import { formatTime } from '../shared/times.ts';

interface SnapshotsOptions extends FilterOptions {
  readonly latest?: number;
  readonly groupBy?: GroupKey[];
}

/** Snapshots that have the same host, paths or tags, oldest first. */
interface Group {
  readonly values: Partial<Record<GroupKey, string>>;
  readonly snapshots: SnapshotInfo[];
}

export function define(command: Command): void {
  addFilterOptions(command)
    .description('Lists the snapshots of the repository, the oldest first.')
    .addOption(countOption('--latest <count>', 'only the latest ones (of each group)', { minimum: 1, maximum: 1_000_000 }))
    .option('--group-by <keys>', `one table for each: ${groupKeys.join(', ')}, or several with commas`, parseGroupKeys)
    .action(async (_options: object, self: Command) => run(contextOf(self), self.opts()));
  addExamples(command, [
    ['lagan snapshots', 'all'],
    ['lagan snapshots --path /srv/data --latest 3', 'the three latest of a folder'],
    ['lagan snapshots --group-by host,paths', 'a table for each host and its folders'],
    ["lagan snapshots --json | jq -r '.snapshots[].id'", 'ids for another program'],
  ]);
}

async function run(context: Context, options: SnapshotsOptions): Promise<void> {
  const { engine, repository } = await openRepository(context, 'metadata');
  const onDamage = (error: Error) => void context.output.warning(error.message).catch(() => {});
  const all = await engine.listSnapshots(repository, { filter: filterOf(options, context), onDamage, signal: context.signal });
  const groups = groupSnapshots(
    all.filter((info) => !info.deleted),
    options.groupBy ?? [],
  ).map((group) => latestOf(group, options.latest));
  await context.output.json({
    type: 'snapshots',
    snapshots: groups.flatMap((group) => group.snapshots.map((info) => jsonOf(info, group, options))),
  });
  await printGroups(context, groups);
}

function jsonOf(info: SnapshotInfo, group: Group, options: SnapshotsOptions): object {
  return { ...snapshotFields(info), ...(options.groupBy && { group: group.values }) };
}

async function printGroups(context: Context, groups: readonly Group[]): Promise<void> {
  const { output } = context;
  for (const [index, { values, snapshots }] of groups.entries()) {
    const heading = Object.entries(values)
      .map(([key, value]) => `${key} ${value || '(none)'}`)
      .join(', ');
    if (index > 0) await output.line();
    if (heading !== '') await output.line(output.style('bold', output.name(heading)));
    const [titles, ...lines] = formatTable(
      columns,
      snapshots.map((info) => rowOf(context, info)),
    );
    if (titles !== undefined) await output.line(output.style('dim', titles));
    for (const line of lines) await output.line(line);
  }
  const count = groups.reduce((sum, group) => sum + group.snapshots.length, 0);
  if (count === 0) context.output.note('no snapshots');
  else if (output.isTerminal) await output.line(output.style('dim', formatCountOf(count, 'snapshot')));
}

const columns = [
  { heading: 'ID' },
  { heading: 'Time' },
  { heading: 'Host' },
  { heading: 'Files', align: 'right' },
  { heading: 'Size', align: 'right' },
  { heading: 'Tags' },
  { heading: 'Paths and description' },
] as const;

function rowOf({ output }: Context, info: SnapshotInfo): string[] {
  const { snapshot } = info;
  const words = [snapshot.paths.map((path) => output.name(textOfBytes(path))).join(' ')];
  if (info.description !== '') words.push(`"${output.name(info.description)}"`);
  if (info.heldUntil !== undefined) words.push(info.heldUntil === null ? '(pinned)' : `(pinned until ${formatTime(info.heldUntil)})`);
  for (const problem of readProblems(snapshot.errors, snapshot.statistics.errors)) words.push(`(${problem})`);
  return [
    shortId(info.id),
    formatTime(snapshot.started),
    output.name(snapshot.host),
    formatCount(snapshot.statistics.files),
    formatSize(snapshot.statistics.bytes),
    output.name(info.tags.join(',')),
    words.join(' '),
  ];
}

function groupSnapshots(snapshots: readonly SnapshotInfo[], keys: readonly GroupKey[]): Group[] {
  const groups = new Map<string, Group>();
  for (const info of snapshots) {
    const values = Object.fromEntries(keys.map((key) => [key, groupValue(info, key)]));
    const name = JSON.stringify(values);
    const group: Group = groups.get(name) ?? { values, snapshots: [] };
    group.snapshots.push(info);
    groups.set(name, group);
  }
  return [...groups.values()];
}

function groupValue(info: SnapshotInfo, key: GroupKey): string {
  if (key === 'host') return info.snapshot.host;
  return key === 'tags' ? [...info.tags].sort().join(' ') : info.snapshot.paths.map(textOfBytes).sort().join(' ');
}

function latestOf(group: Group, count: number | undefined): Group {
  return count === undefined ? group : { ...group, snapshots: group.snapshots.slice(-count) };
}
