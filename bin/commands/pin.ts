/** `lagan pin`: protects snapshots from being removed, for ever or until a time. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { Engine, SnapshotId, SnapshotInfo, StoredHold } from '../shared/engine.ts';
import { LaganError, usageError } from '../shared/errors.ts';
import { reportFates } from '../shared/fates.ts';
import { addExamples, addFilterOptions } from '../shared/options.ts';
import { type OpenedRepository, openRepository } from '../shared/repository.ts';
import { type FilterOptions, filterOf, findSnapshot, parseSnapshotReference, shortId } from '../shared/snapshots.ts';
import { formatTable } from '../shared/table.ts';
import { compareTimes, formatExactTime, formatTime, parseTime, type Time, timeOfDate } from '../shared/times.ts';

interface PinOptions extends FilterOptions {
  readonly until?: string;
  readonly reason?: string;
  readonly remove?: boolean;
  readonly dryRun?: boolean;
}

export function define(command: Command): void {
  addFilterOptions(command)
    .description(
      'Protects snapshots: as long as one is pinned, no rule, no lagan forget and no collection removes it. Pins add up. Without a snapshot: lists the pins.',
    )
    .argument('[snapshots...]', 'latest, latest~2, ids; for --remove also the id of a pin')
    .option('--until <time>', 'when the pin ends: a date, or 30d, 6m, 1y from now (m: months; default: when it is removed)')
    .option('--reason <text>', 'why, for those who read the list')
    .option('--remove', 'remove all pins of the snapshots')
    .option('-n, --dry-run', 'only say what would be done')
    .action(async (snapshots: string[], _options: object, self: Command) => run(contextOf(self), snapshots, self.opts()));
  addExamples(command, [
    ["lagan pin latest --reason 'before the upgrade' --until 30d", 'for thirty days'],
    ['lagan pin 3f2a91c0', 'until the pin is removed'],
    ['lagan pin', 'what is pinned'],
    ['lagan pin --remove 3f2a91c0', 'no longer'],
  ]);
}

async function run(context: Context, texts: string[], options: PinOptions): Promise<void> {
  const { until, reason, remove } = options;
  if (remove && (until !== undefined || reason !== undefined)) throw usageError('--remove goes with neither --until nor --reason');
  if (texts.length === 0) {
    if (remove || until !== undefined || reason !== undefined)
      throw usageError('which snapshot?', 'name it: latest, or an id of lagan snapshots');
    return list(context);
  }
  context.output.goOnWhenClosed();
  return remove ? unpin(context, texts, options) : pin(context, texts, options);
}

async function pin(context: Context, texts: string[], options: PinOptions): Promise<void> {
  const { signal, output } = context;
  const references = texts.map(parseSnapshotReference);
  const until = options.until === undefined ? null : parseUntil(await context.engine(), options.until, new Date());
  const opened = await openRepository(context, options.dryRun ? 'metadata' : 'write');
  const infos = new Map<SnapshotId, SnapshotInfo>();
  for (const reference of references) {
    const info = await findToPin(opened, reference.snapshot, { filter: filterOf(options, context), signal });
    infos.set(info.id, info);
  }
  const ids = [...infos.keys()];
  const [outcome, end] = [options.dryRun ? 'dry-run' : 'pinned', until && formatExactTime(until)];
  const settings = { until, reason: options.reason ?? '', signal };
  const fates = options.dryRun ? new Map() : await opened.engine.holdSnapshots(opened.repository, ids, settings);
  await reportFates(context, fates);
  for (const id of ids)
    await output.summary(`${options.dryRun ? 'dry run: ' : ''}${shortId(id)} pinned${until ? ` until ${formatTime(until)}` : ''}`);
  await output.json({
    type: 'pinned',
    outcome,
    until: end,
    snapshots: ids.map((id) => ({ id, ...(fates.has(id) && { fate: fates.get(id) }) })),
  });
}

/** Also one that was removed, as long as it is there: a pin wins. */
function findToPin(
  { engine, repository }: OpenedRepository,
  text: string,
  options: { filter: ReturnType<typeof filterOf>; signal: AbortSignal },
): Promise<SnapshotInfo> {
  return engine.resolveSnapshot(repository, text, { ...options, includeDeleted: !text.startsWith('latest') });
}

async function unpin(context: Context, texts: string[], options: PinOptions): Promise<void> {
  const { signal, output } = context;
  const opened = await openRepository(context, options.dryRun ? 'metadata' : 'write');
  const { engine, repository } = opened;
  const damaged: string[] = [];
  const holds = await engine.listHolds(repository, {
    onDamage: (_error, name) => damaged.push(name.slice(name.lastIndexOf('/') + 1)),
    signal,
  });
  const [snapshots, pins] = [new Set<SnapshotId>(), new Set<StoredHold['id']>()];
  for (const text of texts) {
    const found = findPinned(text, { holds, damaged });
    if (found === undefined)
      snapshots.add((await findSnapshot(opened, parseSnapshotReference(text), { filter: filterOf(options, context), signal })).id);
    else if ('pin' in found) pins.add(found.pin);
    else snapshots.add(found.snapshot);
  }
  const pinned = [...snapshots].filter((id) => holds.some(({ value }) => value.snapshots.includes(id)));
  if (!options.dryRun) {
    await engine.releaseSnapshots(repository, pinned, { signal });
    for (const id of pins) await engine.removeHold(repository, id, { signal });
  }
  const before = options.dryRun ? 'dry run: ' : '';
  for (const id of pinned) await output.summary(`${before}${shortId(id)} no longer pinned`);
  for (const id of pins) await output.summary(`${before}pin ${shortId(id)} removed`);
  for (const id of snapshots) if (!pinned.includes(id)) output.note(`${shortId(id)} was not pinned`);
  await output.json({ type: 'unpinned', outcome: options.dryRun ? 'dry-run' : 'removed', snapshots: pinned, pins: [...pins] });
}

/** By the id of a pin, or of a snapshot that may be gone. */
function findPinned(
  text: string,
  { holds, damaged }: { holds: readonly StoredHold[]; damaged: readonly string[] },
): { snapshot: SnapshotId } | { pin: StoredHold['id'] } | undefined {
  const start = text.toLowerCase();
  if (!/^[0-9a-f]{4,32}$/.test(start)) return undefined;
  const snapshots = [...new Set(holds.flatMap(({ value }) => value.snapshots))].filter((id) => id.startsWith(start));
  const pins = [...holds.map(({ id }) => id), ...(damaged as StoredHold['id'][])].filter((id) => id.startsWith(start));
  const found = [...snapshots, ...pins];
  if (found.length > 1)
    throw new LaganError('ambiguous', `${text} fits ${found.join(', ')}`, { expected: text, found, hint: 'write more digits' });
  if (snapshots[0] !== undefined) return { snapshot: snapshots[0] };
  return pins[0] === undefined ? undefined : { pin: pins[0] };
}

const columns = [{ heading: 'Snapshot' }, { heading: 'Until' }, { heading: 'Pin' }, { heading: 'Reason' }] as const;

async function list(context: Context): Promise<void> {
  const { output } = context;
  const { engine, repository } = await openRepository(context, 'metadata');
  const onDamage = (error: LaganError) => void output.warning(error.message, { code: error.code }).catch(() => {});
  const holds = await engine.listHolds(repository, { onDamage, signal: context.signal });
  const now = timeOfDate(new Date());
  const pins = holds.flatMap((hold) =>
    hold.value.snapshots.map((snapshot) => ({ snapshot, hold, isOver: !engine.isHolding(hold.value, now) })),
  );
  await output.json({
    type: 'pins',
    pins: pins.map(({ snapshot, hold: { id, value }, isOver }) => ({
      id,
      snapshot,
      until: value.until && formatExactTime(value.until),
      reason: value.reason,
      isOver,
    })),
  });
  const rows = pins.map(({ snapshot, hold: { id, value }, isOver }) => {
    const end = value.until === null ? 'removed' : formatTime(value.until);
    return [shortId(snapshot), isOver ? `${end} (over)` : end, shortId(id), output.name(value.reason)];
  });
  const [titles, ...lines] = formatTable(columns, rows);
  if (titles === undefined) output.note('no pins');
  else await output.line(output.style('dim', titles));
  for (const line of lines) await output.line(line);
}

/** A point in time, or a stretch of the calendar from now on. */
function parseUntil(engine: Engine, text: string, now: Date): Time {
  const stretch = text.replace(/^\+/, '');
  const isStretch = /^(\d+[a-z]+)+$/.test(stretch);
  const until = isStretch ? after(now, engine.parseKeepDuration(stretch, '--until')) : parseTime(text, '--until', timeOfDate(now));
  if (compareTimes(until, timeOfDate(now)) > 0) return until;
  throw usageError(`--until: ${formatTime(until)} is over`, 'give a time to come, or a stretch such as 30d');
}

function after(now: Date, { years, months, days, hours }: ReturnType<Engine['parseKeepDuration']>): Time {
  const date = new Date(now);
  date.setDate(1);
  date.setFullYear(date.getFullYear() + years, date.getMonth() + months);
  const lastOfMonth = new Date(date.getFullYear(), date.getMonth() + 1, 0).getDate();
  date.setDate(Math.min(now.getDate(), lastOfMonth) + days);
  date.setHours(date.getHours() + hours);
  if (Number.isNaN(date.getTime())) throw usageError('--until is too far away', 'without it the pin stays until it is removed');
  return timeOfDate(date);
}
