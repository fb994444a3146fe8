/** `lagan repository`: the store behind it. */
import { type Command, Option } from 'commander';
import { cacheOptionsOf } from '../shared/cache.ts';
import { type Context, contextOf } from '../shared/context.ts';
import type {
  Engine,
  LockStatus,
  ProbeResult,
  RecoveredSnapshot,
  RecoverResult,
  Repository,
  RevertResult,
  Secret,
  Storage,
} from '../shared/engine.ts';
import { LaganError, usageError } from '../shared/errors.ts';
import { pathFields } from '../shared/json.ts';
import { oldVersionFields, oldVersionLines, ruleText, timeField } from '../shared/locks.ts';
import { addExamples } from '../shared/options.ts';
import {
  type OpenMode,
  openRepository,
  type Place,
  placeOfRepository,
  presentStorageOf,
  rememberRoot,
  secretOf,
  storageOf,
  unlock,
} from '../shared/repository.ts';
import { Running } from '../shared/running.ts';
import { formatCount, formatCountOf, formatSize } from '../shared/sizes.ts';
import { shortId } from '../shared/snapshots.ts';
import { formatTable } from '../shared/table.ts';
import { textOfBytes } from '../shared/text.ts';
import { dateOfTime, formatDuration, formatExactTime, formatTime, type Time, timeOfDate } from '../shared/times.ts';

interface ProbeCommandOptions {
  readonly thorough?: boolean;
}

interface RecoverCommandOptions {
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

interface CollectorCommandOptions {
  readonly this?: boolean;
  readonly anyone?: boolean;
}

export function define(command: Command): void {
  command.description('Looks at the store that holds the repository, and mends what it did to it.');
  defineProbe(command);
  defineCollector(command);
  defineRecover(command);
  defineLocks(command);
}

function defineProbe(repository: Command): void {
  const command = repository
    .command('probe')
    .summary('try whether the store creates objects safely')
    .description(
      'Lets several writers create the same names at once, below probe/, and deletes what they made. In a store that is safe exactly one of them succeeds, each time. A new repository is probed by itself; in one whose store is not safe a single collector may run. Needs no key.',
    );
  command
    .addOption(new Option('--thorough', 'race 32 writers for 1,000 names instead of 8 for 20'))
    .action(async (_options: object, self: Command) => probe(contextOf(self), self.opts()));
  addExamples(command, [
    ['lagan repository probe -r s3://bucket/backups', 'a few seconds'],
    ['lagan repository probe --thorough', 'after the store was updated'],
  ]);
}

function defineCollector(repository: Command): void {
  const command = repository
    .command('collector')
    .summary('show or change who alone may run the maintenance')
    .description(
      'Where the store does not create objects safely, two machines that collect at once could lose data: so the repository names the only one that may. Before you name another one, stop the maintenance on the old one for good. Without an argument it is shown.',
    );
  command
    .argument('[name]', 'the only collector: a name as this command shows it on that machine')
    .option('--this', 'this machine')
    .option('--anyone', 'everybody may collect; only if a probe finds the store safe')
    .action(async (name: string | undefined, _options: object, self: Command) => collector(contextOf(self), name, self.opts()));
  addExamples(command, [
    ['lagan repository collector', 'who it is, and what this machine is called'],
    ['lagan repository collector --this', 'this machine from now on'],
  ]);
}

function defineRecover(repository: Command): void {
  const command = repository
    .command('recover')
    .summary('make a repository usable again whose store went back to an older state')
    .description(
      'For a repository with which every command that writes ends with “rolled-back”: its bucket or folder was restored from a copy, wholly or in part. Stop all programs that use it first, on every machine. Then this lists all snapshots and all packs that are there, so that all of them count again. Nothing is deleted but roots with made-up numbers that do not open. What is no longer in the store does not come back: lagan check then says which files are hurt. With --as-of TIME what was there at that time is brought back before, from the versions that the store keeps: after somebody overwrote or deleted objects.',
    );
  command
    .option('-n, --dry-run', 'only say what is there, and what would be done')
    .option('--force', 'recover though nothing shows that the store went back: all of it was restored, and programs went on since the copy')
    .action(async (_options: object, self: Command) => {
      const context = contextOf(self);
      await (context.options.asOf === undefined ? recover(context, self.opts()) : recoverAsOf(context, context.options.asOf, self.opts()));
    });
  addExamples(command, [
    ['lagan repository recover --dry-run', 'what shows that the store went back, and which snapshots are there'],
    ['lagan repository recover', 'when all other programs have been stopped'],
    ['lagan repository recover --as-of "2026-11-20 04:00" --dry-run', 'what would be brought back of that time'],
  ]);
}

function defineLocks(repository: Command): void {
  const command = repository
    .command('locks')
    .summary('show how long the store locks what it holds')
    .description(
      'Shows how the store locks new objects (S3 Object Lock), when the locks of all others end, when lagan maintain will extend them and how many requests that takes, and which old versions wait for the end of theirs. Nothing is asked for each object. Exit code 1 if nothing is locked, or locks may have ended.',
    );
  command.action(async (_options: object, self: Command) => locks(contextOf(self)));
  addExamples(command, [['lagan repository locks', 'after the bucket was set up, and once in a while']]);
}

async function locks(context: Context): Promise<void> {
  const { engine, repository, storage } = await openRepository(context, 'metadata');
  const status = await engine.lockStatus(repository, { signal: context.signal });
  const { output } = context;
  await output.json(statusFields(status));
  const problem = problemOf(status, storage);
  for (const line of linesOf(status)) await output.line(line);
  if (problem === undefined) return;
  await output.warning(problem, { code: 'unsupported' });
  context.endWith('unsupported');
}

function statusFields({ isEnabled, rule, nextRequests, locked, oldVersions, ...times }: LockStatus): object {
  return {
    type: 'locks',
    isEnabled,
    mode: rule?.mode ?? null,
    periodSeconds: rule?.periodSeconds ?? null,
    now: formatExactTime(times.now),
    lastExtension: timeField(times.lastExtension),
    nextExtension: timeField(times.nextExtension),
    nextRequests,
    locked: locked.map(({ holdUntil, ...counts }) => ({ ...counts, holdUntil: formatExactTime(holdUntil) })),
    oldVersions: oldVersions && oldVersionFields(oldVersions),
  };
}

function problemOf({ isEnabled, rule, now, locked }: LockStatus, storage: Storage): string | undefined {
  if (!isEnabled) return `${storage.location} locks nothing: the store has no Object Lock there`;
  if (rule === null)
    return `${storage.location} can lock objects, and does not: give the bucket a default retention, or write retention=30d into the URL`;
  const ended = locked.filter(({ holdUntil }) => holdUntil.seconds <= now.seconds);
  return ended.length === 0
    ? undefined
    : `locks have ended of ${ended.map(({ kind }) => kindWords[kind]).join(', ')}: lagan maintain extends them`;
}

const kindWords = {
  packs: 'packs',
  index: 'index tables',
  snapshots: 'snapshots',
  roots: 'roots and lists',
  owner: 'keys and records',
} as const;
const lockColumns = [
  { heading: 'Objects' },
  { heading: 'Count', align: 'right' },
  { heading: 'Size', align: 'right' },
  { heading: 'Locked until, at least' },
] as const;

function linesOf({ rule, lastExtension, nextExtension, nextRequests, locked, oldVersions }: LockStatus): string[] {
  if (rule === null || oldVersions === null) return [];
  const due = nextExtension === null ? 'now' : formatTime(nextExtension);
  const rows = locked.map(({ kind, objects, bytes, holdUntil }) => [
    kindWords[kind],
    formatCount(objects),
    formatSize(bytes),
    formatTime(holdUntil),
  ]);
  return [
    `new objects are locked: ${ruleText(rule)}`,
    `locks were extended: ${lastExtension === null ? 'never' : formatTime(lastExtension)}`,
    `next extension: ${due}, ${formatCountOf(nextRequests, 'request')}`,
    ...formatTable(lockColumns, rows),
    ...oldVersionLines(oldVersions, 'can be '),
  ];
}

async function recover(context: Context, { dryRun = false, force = false }: RecoverCommandOptions): Promise<void> {
  const { output } = context;
  output.goOnWhenClosed();
  const { engine, repository } = await openRepository(context, 'write', { unreadableRoots: 'passed-over' });
  await runRecovery(context, engine, repository, { dryRun, force });
}

async function runRecovery(
  context: Context,
  engine: Engine,
  repository: Repository,
  options: { dryRun: boolean; force: boolean; beyond?: RevertResult['highest'] },
): Promise<void> {
  const running = new Running(context, 'recovering');
  try {
    const { signal, onProgress } = running.engineOptions;
    const onDamage = ({ code, message }: { code: string; message: string }) => running.warn({ code, message });
    const result = await engine.recover(repository, { ...options, onProgress, onDamage, signal });
    if (!options.dryRun) await rememberRoot(context, engine, repository);
    running.end();
    await reportRecovery(context, result, running.elapsedMs);
  } finally {
    running.end();
  }
}

/** Brings back what was there at a time, then recovers: what came since counts, too. */
async function recoverAsOf(context: Context, time: Time, { dryRun = false }: RecoverCommandOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const engine = await context.engine();
  const place = await placeOfRepository(context);
  const { secrets: secret } = await secretOf(context, place);
  const past = await opened(context, engine, { place, secret, mode: 'read' });
  const storage = await presentStorageOf(context, engine, place);
  const { highest: beyond } = await runRevert(context, engine, { past, storage, time, dryRun });
  if (dryRun) return runRecovery(context, engine, past, { dryRun, force: true, beyond });
  await runRecovery(context, engine, await unlock(context, engine, storage, { secret, mode: 'write', unreadableRoots: 'passed-over' }), {
    dryRun,
    force: true,
    beyond,
  });
}

/** The repository as it was at the time of `--as-of`. */
async function opened(
  context: Context,
  engine: Engine,
  { place, ...options }: { place: Place; secret: readonly Secret[]; mode: OpenMode },
) {
  return unlock(context, engine, await storageOf(context, engine, place), options);
}

async function runRevert(
  context: Context,
  engine: Engine,
  { past, storage, time, dryRun }: { past: Repository; storage: Storage; time: Time; dryRun: boolean },
): Promise<RevertResult> {
  const running = new Running(context, 'bringing back');
  try {
    const { signal, onProgress } = running.engineOptions;
    const result = await engine.revert(past, storage, { timeMs: dateOfTime(time).getTime(), dryRun, onProgress, signal });
    running.end();
    await reportRevert(context, result);
    return result;
  } finally {
    running.end();
  }
}

const changeWords = { undeleted: 'deleted since', replaced: 'overwritten since', hidden: 'made since' } as const;

async function reportRevert({ output }: Context, { outcome, timeMs, objects }: RevertResult): Promise<void> {
  const time = timeOfDate(new Date(timeMs));
  for (const object of objects) await output.json({ type: 'reverted', ...object });
  const of = (change: keyof typeof changeWords) => objects.filter((object) => object.change === change);
  const returning = objects.filter(({ change }) => change !== 'hidden');
  const sizeBytes = returning.reduce((sum, object) => sum + object.sizeBytes, 0);
  const [undeleted, replaced, hidden] = [of('undeleted').length, of('replaced').length, of('hidden').length];
  await output.json({ type: 'revert', outcome, time: formatExactTime(time), undeleted, replaced, hidden, sizeBytes });
  for (const { name, change } of objects) output.detail(`${name}: ${changeWords[change]}`);
  const would = outcome === 'dry-run' ? 'would be' : 'are';
  await output.summary(
    `as of ${formatTime(time)}: ${formatCountOf(returning.length, 'object')} (${formatSize(sizeBytes)}) ${would} brought back, ${undeleted} of them deleted since and ${replaced} overwritten`,
  );
  if (hidden > 0) await output.summary(`${formatCountOf(hidden, 'object')} that came since and must not count ${would} hidden`);
}

async function reportRecovery({ output }: Context, result: RecoverResult, elapsedMs: number): Promise<void> {
  const { damage, durationMs: _, snapshots, ...facts } = result;
  const { outcome, evidence, root, newRoot } = result;
  await output.json({
    type: 'recovery',
    ...facts,
    snapshots: snapshots.map(recoveredFields),
    damaged: damage.length,
    elapsedMs: Math.round(elapsedMs),
  });
  if (evidence !== null) await output.line(`the store was set back: ${evidence}`);
  const [titles, ...lines] = formatTable(
    recoveredColumns,
    snapshots.map((found) => recoveredRow(output, found)),
  );
  if (titles !== undefined) await output.line(output.style('dim', titles));
  for (const line of lines) await output.line(line);
  if (newRoot === null) {
    await output.summary('nothing shows that the store was set back, and nothing was done');
    return;
  }
  const would = outcome === 'dry-run' ? 'would be ' : '';
  await reportPassedOver(output, result);
  const { packs, unlistedPacks, missingPacks } = result;
  await output.summary(
    `${formatCountOf(packs, 'pack')} are there, ${unlistedPacks} of them in no index: they ${would || 'are '}listed again`,
  );
  if (missingPacks > 0) await output.summary(`${formatCountOf(missingPacks, 'pack')} that an index lists are gone`);
  await output.summary(`root ${root.number} ${would || 'is '}replaced by root ${newRoot.number} of generation ${newRoot.generation}`);
  if (outcome === 'dry-run') return;
  await output.summary(`recovered in ${formatDuration(elapsedMs)}`);
  output.note('lagan check --read-data says whether all of it is sound; lagan forget removes snapshots that lack something');
}

async function reportPassedOver(output: Context['output'], { passedOverObjects, passedOver }: RecoverResult): Promise<void> {
  if (passedOverObjects === 0) return;
  const what = formatCountOf(passedOverObjects, 'object');
  await output.summary(`${what} passed over: newer roots that do not open with the keys, or of numbers that nobody can have reached`);
  for (const name of passedOver) await output.summary(`  ${name}`);
  if (passedOverObjects > passedOver.length) await output.summary(`  and ${passedOverObjects - passedOver.length} more`);
}

const recoveredColumns = [{ heading: 'ID' }, { heading: 'Time' }, { heading: 'Host' }, { heading: 'Paths' }, { heading: 'State' }] as const;

function recoveredRow(output: Context['output'], { id, snapshot, comesBack, isWhole }: RecoveredSnapshot): string[] {
  const state = [...(isWhole ? [] : ['lacks packs']), ...(comesBack ? ['comes back'] : [])];
  const paths = snapshot.paths.map((path) => output.name(textOfBytes(path))).join(' ');
  return [shortId(id), formatTime(snapshot.started), output.name(snapshot.host), paths, state.join(', ') || 'whole'];
}

function recoveredFields({ id, generation, snapshot, comesBack, isWhole }: RecoveredSnapshot): object {
  const { started, host, paths } = snapshot;
  return { id, generation, time: formatExactTime(started), host, paths: paths.map((path) => pathFields(path)), comesBack, isWhole };
}

async function collector(context: Context, name: string | undefined, options: CollectorCommandOptions): Promise<void> {
  const choices = [name !== undefined, options.this === true, options.anyone === true].filter(Boolean).length;
  if (choices > 1) throw usageError('a name, --this and --anyone contradict each other', 'give one of them');
  const { engine, repository, storage } = await openRepository(context, choices === 0 ? 'metadata' : 'write');
  const thisMachine = engine.collectorName(context.io.env);
  let named = repository.configuration.collector;
  if (choices > 0) {
    if (options.anyone) await assertSafe(context, engine, storage);
    const wanted = options.anyone ? null : (name ?? thisMachine);
    named = (await engine.setCollector(repository, wanted, { signal: context.signal })).collector;
  }
  const { output } = context;
  await output.json({ type: 'collector', collector: named, thisMachine });
  await output.line(named === null ? 'every machine may run the maintenance' : `only ${named} may run the maintenance`);
  output.note(`this machine is ${thisMachine}`);
}

async function assertSafe(context: Context, engine: Engine, storage: Storage): Promise<void> {
  const result = await engine.probeStorage(storage, { signal: context.signal });
  if (result.isSafe) return;
  throw new LaganError('unsupported', wordsOf(result), { hint: 'leave one collector named: more than one could lose data' });
}

async function probe(context: Context, { thorough = false }: ProbeCommandOptions): Promise<void> {
  const engine = await context.engine();
  const storage = await storageOf(context, engine, await placeOfRepository(context));
  const result = await race(context, { engine, storage, thorough });
  const { output } = context;
  await output.json({ type: 'probe', location: storage.location, outcome: result.isSafe ? 'safe' : 'unsafe', ...fieldsOf(result) });
  if (result.leftBehind) await output.warning('the objects below probe/ could not be deleted', { code: 'forbidden' });
  await output.line(wordsOf(result));
  if (!result.isSafe) context.endWith('unsupported');
}

async function race(
  context: Context,
  { engine, storage, thorough }: { engine: Engine; storage: Storage; thorough: boolean },
): Promise<ProbeResult> {
  try {
    return await engine.probeStorage(storage, {
      thorough,
      cacheFolder: (await cacheOptionsOf(context))?.folder,
      signal: context.signal,
    });
  } finally {
    await storage.close();
  }
}

function fieldsOf({ racers, rounds, doubleWins, mostWinners, wrongWinners, durationMs }: ProbeResult): object {
  return { racers, rounds, doubleWins, mostWinners, wrongWinners, durationMs };
}

/** The result for people. */
export function wordsOf({ isSafe, racers, rounds, doubleWins, mostWinners, wrongWinners, durationMs }: ProbeResult): string {
  const raced = `${formatCountOf(rounds, 'race')} of ${racers} writers in ${(durationMs / 1000).toFixed(1)} s`;
  if (isSafe) return `the store creates objects safely: ${raced}, one winner each time`;
  const doubled = `in ${formatCountOf(doubleWins, 'race')} up to ${mostWinners} of them were told that they had won`;
  const wrong = wrongWinners > 0 ? `, in ${formatCountOf(wrongWinners, 'race')} the object was not the winner's` : '';
  return `the store does not create objects safely: of ${raced}, ${doubled}${wrong}`;
}
