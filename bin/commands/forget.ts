/** `lagan forget`: removes snapshots by rules of what to keep, or those that are named. */
import { type Command, Option } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type {
  KeepReason,
  PlannedGroup,
  PlannedSnapshot,
  RetentionPolicy,
  RetentionSource,
  SnapshotId,
  SnapshotInfo,
} from '../shared/engine.ts';
import { LaganError, usageError } from '../shared/errors.ts';
import { type GroupKey, groupKeys, parseGroupKeys } from '../shared/groups.ts';
import { pathFields, snapshotFields } from '../shared/json.ts';
import { addKeepOptions, hasKeepOptions, type KeepOptions, policyOf } from '../shared/keep.ts';
import { addExamples, addFilterOptions } from '../shared/options.ts';
import { type OpenedRepository, openRepository } from '../shared/repository.ts';
import { formatCountOf } from '../shared/sizes.ts';
import { describeSnapshot, type FilterOptions, filterOf, parseSnapshotReference, shortId } from '../shared/snapshots.ts';
import { formatTable } from '../shared/table.ts';
import { textOfBytes } from '../shared/text.ts';
import { formatExactTime, formatTime, type Time, timeOfDate } from '../shared/times.ts';

interface ForgetOptions extends FilterOptions, KeepOptions {
  readonly groupBy?: GroupKey[];
  readonly timezone?: string;
  readonly dryRun?: boolean;
}

export function define(command: Command): void {
  addFilterOptions(command)
    .description(
      'Removes the snapshots that no rule keeps, or those that are named. Every rule is for each group by itself; a snapshot stays if one of them keeps it. What is removed can be brought back by lagan undelete until lagan maintain frees the space. Pinned snapshots, those dated in the future and the last good one of every source stay.',
    )
    .argument('[snapshots...]', 'ids, latest, latest~2: these are removed, whatever the rules');
  addKeepOptions(command)
    .addOption(
      new Option(
        '--group-by <keys>',
        `what makes a group: ${groupKeys.join(', ')}, several with commas, or none (default: host,paths)`,
      ).argParser((text: string) => (text === 'none' ? [] : parseGroupKeys(text))),
    )
    .option('--timezone <zone>', 'time zone of days, weeks and so on, such as Europe/Berlin (default: that of this machine)')
    .option('-n, --dry-run', 'only say what would be done, and why')
    .action(async (snapshots: string[], _options: object, self: Command) => run(contextOf(self), snapshots, self.opts()));
  addExamples(command, [
    ['lagan forget --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --dry-run', 'what would stay, and why'],
    ['lagan forget --keep-within-daily 14d --keep-within-monthly 1y', 'by age instead of number'],
    ['lagan forget --host web1 --tag temporary --keep-last 1', 'only some'],
    ['lagan forget 3f2a91c0', 'this one'],
  ]);
}

async function run(context: Context, texts: string[], options: ForgetOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const engine = await context.engine();
  const policy = policyOf(engine, options);
  const timeZone = options.timezone === undefined ? undefined : engine.parseTimeZone(options.timezone, '--timezone');
  const hasRules = hasKeepOptions(options);
  if (texts.length > 0 && (hasRules || options.groupBy))
    throw usageError('named snapshots and rules contradict each other', 'give one of them');
  if (texts.length === 0 && !hasRules) {
    throw usageError('there is no rule of what to keep', 'say for example --keep-daily 7 --keep-weekly 4, or name the snapshots to remove');
  }
  const opened = await openRepository(context, options.dryRun ? 'metadata' : 'write');
  const now = timeOfDate(new Date());
  const { groups, unreadable } =
    texts.length > 0
      ? await named(context, opened, texts, { options, now })
      : { groups: await planned(context, opened, { policy, timeZone, options, now }), unreadable: [] };
  await forget(context, opened, groups, { unreadable, options, now, timeZone });
}

type Groups = readonly PlannedGroup<RetentionSource>[];

async function planned(
  context: Context,
  { engine, repository }: OpenedRepository,
  { policy, timeZone, options, now }: { policy: RetentionPolicy; timeZone: string | undefined; options: ForgetOptions; now: Time },
): Promise<Groups> {
  const { signal } = context;
  const onDamage = (error: Error) => void context.output.warning(error.message).catch(() => {});
  const [infos, holds] = await Promise.all([
    engine.listSnapshots(repository, { filter: filterOf(options, context), onDamage, signal }),
    engine.listHolds(repository, { signal }),
  ]);
  const snapshots = infos.filter(({ deleted }) => !deleted).map(engine.retentionSnapshotOf);
  return engine.planRetention(snapshots, { policy, groupBy: options.groupBy, held: engine.heldSnapshots(holds, now), now, timeZone });
}

/** The snapshots that were named, as one group of which nothing is kept; and those of which nothing can be read. */
async function named(
  context: Context,
  { engine, repository }: OpenedRepository,
  texts: string[],
  { options, now }: { options: ForgetOptions; now: Time },
): Promise<{ groups: Groups; unreadable: SnapshotId[] }> {
  const { signal } = context;
  const references = texts.map(parseSnapshotReference);
  const held = engine.heldSnapshots(await engine.listHolds(repository, { signal }), now);
  const infos = new Map<string, SnapshotInfo>();
  const unreadable = new Set<SnapshotId>();
  for (const { snapshot } of references) {
    const damaged = await engine.resolveUnreadable(repository, snapshot, { signal });
    if (damaged !== undefined) {
      if (held.has(damaged)) throw heldError({ id: damaged, words: shortId(damaged), until: held.get(damaged)! });
      unreadable.add(damaged);
      continue;
    }
    const filter = filterOf(options, context);
    const info = await engine.resolveSnapshot(repository, snapshot, { filter, includeDeleted: !snapshot.startsWith('latest'), signal });
    const until = held.get(info.id);
    if (until !== undefined) throw heldError({ id: info.id, words: describeSnapshot(info), until });
    infos.set(info.id, info);
  }
  await warnOfLast(context, { engine, repository }, infos);
  const snapshots = [...infos.values()].map((info) => ({
    snapshot: engine.retentionSnapshotOf(info),
    action: 'remove' as const,
    reasons: [],
  }));
  return { groups: [{ values: {}, snapshots }], unreadable: [...unreadable] };
}

function heldError({ id, words, until }: { id: SnapshotId; words: string; until: Time | null }): LaganError {
  const end = until === null ? '' : ` until ${formatTime(until)}`;
  return new LaganError('held', `snapshot ${words} is pinned${end} and stays`, {
    object: id,
    hint: `lagan pin --remove ${shortId(id)} lets it be removed`,
  });
}

/** By hand even the last snapshot of a source can be removed; but that should be known. */
async function warnOfLast(
  context: Context,
  { engine, repository }: Pick<OpenedRepository, 'engine' | 'repository'>,
  chosen: ReadonlyMap<string, SnapshotInfo>,
): Promise<void> {
  const all = await engine.listSnapshots(repository, { onDamage: () => undefined, signal: context.signal });
  const remaining = new Set(all.filter(({ id, deleted }) => !deleted && !chosen.has(id)).map(({ snapshot }) => snapshot.source));
  for (const [source, info] of new Map([...chosen.values()].map((chosenInfo) => [chosenInfo.snapshot.source, chosenInfo]))) {
    if (!remaining.has(source)) await context.output.warning(`no snapshot is left of ${placeOf(info)}`, { code: 'last-snapshot' });
  }
}

function placeOf({ snapshot }: SnapshotInfo): string {
  return `${snapshot.paths.map(textOfBytes).join(' ')} on ${snapshot.host}`;
}

async function forget(
  context: Context,
  { engine, repository }: OpenedRepository,
  groups: Groups,
  {
    unreadable,
    options,
    now,
    timeZone,
  }: { unreadable: readonly SnapshotId[]; options: ForgetOptions; now: Time; timeZone: string | undefined },
): Promise<void> {
  const toRemove = groups.flatMap(({ snapshots }) => snapshots.filter(({ action }) => action === 'remove'));
  const unmarked = [...toRemove.filter(({ snapshot }) => !snapshot.info.deleted).map(({ snapshot }) => snapshot.id), ...unreadable];
  const settings = { now, reason: 'forgotten', signal: context.signal };
  const held = options.dryRun ? new Map() : (await engine.forgetSnapshots(repository, unmarked, settings)).held;
  for (const id of held.keys()) await context.output.warning(`snapshot ${shortId(id)} was pinned just now and stays`, { code: 'held' });
  const done = groups.map((group) => ({ ...group, snapshots: group.snapshots.map((planned) => afterPins(planned, held)) }));
  const unknown = unreadable.filter((id) => !held.has(id));
  const removed = toRemove.length + unreadable.length - held.size;
  const kept = done.flatMap(({ snapshots }) => snapshots).length + unreadable.length - removed;
  await context.output.json({
    type: 'forget',
    outcome: options.dryRun ? 'dry-run' : 'forgotten',
    kept,
    removed,
    unreadable: unknown,
    groups: done.map(jsonOf),
  });
  for (const group of done) if (group.snapshots.length > 0) await printGroup(context, group, timeZone);
  for (const id of unknown) await context.output.summary(`remove ${shortId(id)}, of which nothing can be read`);
  await printSummary(context, { kept, removed, canComeBack: removed > unknown.length, dryRun: options.dryRun ?? false });
}

/** What was pinned after the plan was made is kept. */
function afterPins(planned: PlannedSnapshot<RetentionSource>, held: ReadonlyMap<string, Time | null>): PlannedSnapshot<RetentionSource> {
  const until = held.get(planned.snapshot.id);
  return until === undefined ? planned : { ...planned, action: 'keep', reasons: [{ rule: 'held', until }] };
}

function jsonOf({ values, snapshots }: PlannedGroup<RetentionSource>): object {
  const { host, paths, tags } = values;
  return {
    group: { ...(host !== undefined && { host }), ...(paths && { paths: paths.map((path) => pathFields(path)) }), ...(tags && { tags }) },
    snapshots: snapshots.map(({ snapshot, action, reasons }) => ({
      ...snapshotFields(snapshot.info),
      action,
      reasons: reasons.map((reason) => ('until' in reason ? { ...reason, until: reason.until && formatExactTime(reason.until) } : reason)),
    })),
  };
}

const columns = [
  { heading: '' },
  { heading: 'ID' },
  { heading: 'Time' },
  { heading: 'Host' },
  { heading: 'Tags' },
  { heading: 'Why' },
] as const;

async function printGroup(
  context: Context,
  { values, snapshots }: PlannedGroup<RetentionSource>,
  timeZone: string | undefined,
): Promise<void> {
  const { output } = context;
  const words = [
    ...(values.host === undefined ? [] : [`host ${values.host}`]),
    ...(values.paths === undefined ? [] : [`paths ${values.paths.map(textOfBytes).join(' ')}`]),
    ...(values.tags === undefined ? [] : [`tags ${values.tags.join(',') || '(none)'}`]),
  ];
  if (words.length > 0) await output.summary(output.style('bold', output.name(words.join(', '))));
  const rows = snapshots.map(({ snapshot, action, reasons }) => [
    action,
    shortId(snapshot.id),
    formatTimeIn(snapshot.started, timeZone),
    output.name(snapshot.host),
    output.name(snapshot.tags.join(',')),
    output.name(reasons.map(reasonText).join(', ')),
  ]);
  const [titles, ...lines] = formatTable(columns, rows);
  if (titles !== undefined) await output.summary(output.style('dim', titles));
  for (const [index, line] of lines.entries())
    await output.summary(snapshots[index]!.action === 'keep' ? line : output.style('yellow', line));
  await output.summary();
}

function reasonText(reason: KeepReason): string {
  switch (reason.rule) {
    case 'within':
      return `within${pauseText(reason)}`;
    case 'tag':
      return `tag ${reason.tags.join(',')}`;
    case 'held':
      return reason.until === null ? 'pinned' : `pinned until ${formatTime(reason.until)}`;
    case 'future':
      return 'dated in the future';
    case 'wrong-clock':
      return 'dated before its parent: a clock was wrong';
    case 'newest':
      return 'newest of its source';
    case 'last-good':
      return 'last good one of its source';
    default:
      return `${reason.oldest ? 'oldest ' : ''}${reason.rule} ${reason.number}${pauseText(reason)}`;
  }
}

function pauseText({ paused }: { readonly paused?: true }): string {
  return paused ? ' (a pause counts half)' : '';
}

function formatTimeIn(time: Time, timeZone: string | undefined): string {
  if (timeZone === undefined || Math.abs(time.seconds) > 8e12) return formatTime(time);
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }).format(time.seconds * 1000);
}

async function printSummary(
  context: Context,
  { kept, removed, canComeBack, dryRun }: { kept: number; removed: number; canComeBack: boolean; dryRun: boolean },
): Promise<void> {
  const [keptText, removedText] = [`${formatCountOf(kept, 'snapshot')} kept`, `${removed} removed`];
  await context.output.summary(dryRun ? `dry run: ${keptText}, ${removedText}` : `${keptText}, ${removedText}`);
  if (canComeBack && !dryRun) context.output.note('lagan undelete brings them back until lagan maintain frees their space');
}
