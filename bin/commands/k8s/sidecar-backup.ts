/** `lagan k8s sidecar backup`: as a sidecar of the application that uses the volumes. */
import type { Command } from 'commander';
import pLimit from 'p-limit';
import type { MountedVolume, SidecarPod } from '../../../k8s/fronts/mod.ts';
import type { VolumeMetrics } from '../../../k8s/metrics/mod.ts';
import { parseAddress } from '../../shared/address.ts';
import { type Context, contextOf } from '../../shared/context.ts';
import type { BackupResult, RetentionPolicy } from '../../shared/engine.ts';
import { isLaganError, type LaganError } from '../../shared/errors.ts';
import { problemFields } from '../../shared/json.ts';
import { addKeepOptions, hasKeepOptions, type KeepOptions, policyOf } from '../../shared/keep.ts';
import { addExamples, type Compression, compressionOption, durationOption, listOption } from '../../shared/options.ts';
import { type OpenedRepository, openRepository } from '../../shared/repository.ts';
import { Running } from '../../shared/running.ts';
import { formatCountOf, formatSize } from '../../shared/sizes.ts';
import { shortId } from '../../shared/snapshots.ts';
import { dateOfTime, formatDuration, formatExactTime, timeOfDate } from '../../shared/times.ts';
import { maintainWhenDue } from '../../shared/upkeep.ts';
import { addVolumeOptions, type VolumeOptions, volumesOf } from './sidecar-volumes.ts';

const loadFronts = () => import('../../../k8s/fronts/mod.ts');
const loadVolumes = () => import('../../../k8s/volumes/mod.ts');
const loadSchedule = () => import('../../../engine/schedule/mod.ts');
const loadMetrics = () => import('../../../k8s/metrics/mod.ts');

interface SidecarOptions extends VolumeOptions, KeepOptions {
  readonly schedule?: string;
  readonly timezone?: string;
  readonly spread?: number;
  readonly once?: boolean;
  readonly listen?: string;
  readonly tag?: string[];
  readonly compression?: Compression;
  /** Only false says anything. */
  readonly maintain?: boolean;
}

/** What all volumes have in common. */
interface Task {
  readonly pod: SidecarPod;
  readonly options: SidecarOptions;
  readonly policy: RetentionPolicy | undefined;
  readonly timeZone: string | undefined;
  readonly metrics: VolumeMetrics;
}

const defaultSpreadMs = 10 * 60_000;
const defaultPort = 9102;

export function defineBackup(command: Command): void {
  addVolumeOptions(command)
    .description(
      'Backs up volumes that are mounted into this container, by a schedule, as a sidecar of the application that uses them. A volume without a snapshot is backed up at once, and so is what came due while nobody was there; what fails is tried again after a minute, two, four, up to half an hour.',
    )
    .option('--schedule <schedule>', 'minute, hour, day, month and weekday, or @hourly, @daily, @weekly (LAGAN_SCHEDULE; default: @daily)')
    .option('--timezone <zone>', 'time zone of schedule and rules, such as Europe/Berlin (default: that of this container)')
    .addOption(
      durationOption('--spread <duration>', 'many sidecars with one schedule do not begin at once, but within this time (default: 10min)'),
    )
    .option('--once', 'back up now, and end')
    .option('--listen <address>', 'answer /healthz, /readyz and /metrics there, as HOST:PORT or :PORT')
    .addOption(listOption('--tag <tag>', 'tag of the snapshots (may be repeated)'))
    .addOption(compressionOption())
    .option('--no-maintain', 'do not maintain the repository afterwards when that is due');
  addKeepOptions(command).action(async (_options: object, self: Command) => run(contextOf(self), self.opts()));
  addExamples(command, [
    ["lagan k8s sidecar backup --volume data=/data --workload Deployment/shop --schedule '30 2 * * *' --keep-daily 14", 'every night'],
    ['lagan k8s sidecar backup --volume data=/data --claim data=data-db-0 --workload StatefulSet/db', 'known again by its claim'],
    ['lagan k8s sidecar backup --volume disk=/dev/disk --workload Deployment/app --once', 'a block device, now'],
  ]);
}

async function run(context: Context, options: SidecarOptions): Promise<void> {
  const { output } = context;
  output.goOnWhenClosed();
  const engine = await context.engine();
  const timeZone = options.timezone === undefined ? undefined : engine.parseTimeZone(options.timezone, '--timezone');
  const policy = hasKeepOptions(options) ? policyOf(engine, options) : undefined;
  const { pod, volumes } = await volumesOf(context, options);
  const { VolumeMetrics, serveProbes } = await loadMetrics();
  const task = { pod, options, policy, timeZone, metrics: new VolumeMetrics() };
  const address = options.listen === undefined ? undefined : parseAddress(options.listen, { defaultPort });
  if (options.once) return backUpOnce(context, volumes, task);
  // A pod is not to lose its users because a backup fails: that is for the metrics to tell.
  const readiness = () => ({ isReady: true });
  const probes = address && (await serveProbes({ ...address, metrics: task.metrics, readiness }));
  if (probes !== undefined) {
    await output.json({ type: 'listening', address: probes.address });
    await output.summary(`listening on ${probes.address}`);
  }
  await backUpBySchedule(context, volumes, task).finally(() => probes?.close());
}

/** Each volume has its own times, and attempts after failures; one at a time. */
async function backUpBySchedule(context: Context, volumes: readonly MountedVolume[], task: Task): Promise<void> {
  const [{ parseSchedule, repeat }, { recordOfMounted }] = await Promise.all([loadSchedule(), loadFronts()]);
  const { pod, options, timeZone, metrics } = task;
  const text = options.schedule ?? (context.io.env.LAGAN_SCHEDULE || '@daily');
  const oneAtATime = pLimit(1);
  const plans = volumes.map((volume) => {
    const spread = { key: JSON.stringify([pod, volume.claim ?? volume.name]), milliseconds: options.spread ?? defaultSpreadMs };
    return { volume, schedule: parseSchedule(text, '--schedule', { timeZone, spread }) };
  });
  const lastTimes = await lastBackups(context, volumes, task);
  const repeated = plans.map(({ volume, schedule }, index) =>
    repeat(() => oneAtATime(async () => ((await failureOf(context, volume, task)) === undefined ? 'done' : 'failed')), {
      schedule,
      lastMs: lastTimes[index]!,
      signal: context.signal,
      onWait: (untilMs, failures) => {
        metrics.dueAt(recordOfMounted(pod, volume).identity, untilMs);
        void tellWait(context, volume.name, { untilMs, failures }).catch(() => undefined);
      },
    }),
  );
  await Promise.all(repeated);
}

/** When each volume began to be backed up last; 1970 if it never was. That the repository opens is seen before anybody waits for a night. */
async function lastBackups(context: Context, volumes: readonly MountedVolume[], { pod, metrics }: Task): Promise<number[]> {
  const { newestSnapshotOf, recordOfMounted } = await loadFronts();
  const { repository } = await openRepository(context, 'write');
  const lastTimes = volumes.map(async (volume) => {
    const record = recordOfMounted(pod, volume);
    const newest = await newestSnapshotOf(repository, record, { onDamage: damageTeller(context), signal: context.signal });
    if (newest === undefined) return 0;
    const timeMs = dateOfTime(newest.snapshot.started).getTime();
    if (newest.snapshot.statistics.errors === 0) metrics.known(record.identity, timeMs);
    return timeMs;
  });
  return Promise.all(lastTimes);
}

/** What fails keeps none of the others from being backed up. */
async function backUpOnce(context: Context, volumes: readonly MountedVolume[], task: Task): Promise<void> {
  const failures: LaganError[] = [];
  for (const volume of volumes) {
    const failure = await failureOf(context, volume, task);
    if (failure !== undefined) failures.push(failure);
  }
  if (failures[0] !== undefined) throw failures[0];
}

/** Backs up a volume; what kept it from that, which has been told. */
async function failureOf(context: Context, volume: MountedVolume, task: Task): Promise<LaganError | undefined> {
  const begunMs = performance.now();
  try {
    await backUp(context, volume, task);
    return undefined;
  } catch (error) {
    if (!isLaganError(error) || context.signal.aborted) throw error;
    const { identity } = (await loadFronts()).recordOfMounted(task.pod, volume);
    task.metrics.ended(identity, { result: 'failure', seconds: (performance.now() - begunMs) / 1000 });
    await warn(context, `volume ${volume.name}`, error);
    return error;
  }
}

async function backUp(context: Context, volume: MountedVolume, task: Task): Promise<void> {
  const { pod, options, metrics } = task;
  const [{ recordOfMounted }, { backUpVolume }] = await Promise.all([loadFronts(), loadVolumes()]);
  const opened = await openRepository(context, 'write');
  const record = recordOfMounted(pod, volume);
  const running = new Running(context, `backing up ${volume.name}`);
  try {
    const { tag: tags = [], compression, workers } = options;
    const common = { tags, ...(compression !== undefined && { compression }), ...(workers !== undefined && { workers }) };
    const result = await backUpVolume(opened.repository, { ...record, ...common, ...running.engineOptions, place: volume.place });
    running.end();
    const { bytes, newBytes, errors } = result.statistics;
    const seconds = running.elapsedMs / 1000;
    metrics.ended(record.identity, { result: errors === 0 ? 'success' : 'partial', seconds, bytes, newBytes });
    if (options.once && errors > 0) context.endWith('partial');
    await reportBackup(context, result, { volume: volume.name, elapsedMs: running.elapsedMs });
  } finally {
    running.end();
  }
  await retain(context, opened, { volume, task });
  if (options.maintain !== false) await maintainWhenDue(context, opened);
}

/** The backup is good, whether old ones can be removed or not. */
async function retain(
  context: Context,
  { repository }: OpenedRepository,
  { volume, task: { pod, policy, timeZone } }: { volume: MountedVolume; task: Task },
): Promise<void> {
  if (policy === undefined) return;
  const [{ recordOfMounted }, { retainVolume }] = await Promise.all([loadFronts(), loadVolumes()]);
  try {
    const now = timeOfDate(new Date());
    const rules = { policy, timeZone, now, onDamage: damageTeller(context), signal: context.signal };
    const removed = await retainVolume(repository, recordOfMounted(pod, volume), rules);
    if (removed.length === 0) return;
    await context.output.json({ type: 'volume-retention', volume: volume.name, removed });
    await context.output.summary(`volume ${volume.name}: removed ${formatCountOf(removed.length, 'snapshot')} that no rule keeps`);
  } catch (error) {
    if (!isLaganError(error) || context.signal.aborted) throw error;
    await warn(context, `volume ${volume.name}: old snapshots stay`, error);
  }
}

async function reportBackup(
  context: Context,
  { snapshotId, parent, statistics, errors }: BackupResult,
  { volume, elapsedMs }: { volume: string; elapsedMs: number },
): Promise<void> {
  const { output } = context;
  await output.json({
    type: 'volume-backup',
    volume,
    snapshot: snapshotId,
    parent,
    statistics,
    errors: errors.map(problemFields),
    elapsedMs: Math.round(elapsedMs),
  });
  const amount = `${formatCountOf(statistics.files, 'file')}, ${formatSize(statistics.bytes)}, of it ${formatSize(statistics.newBytes)} new`;
  await output.summary(`volume ${volume}: snapshot ${shortId(snapshotId ?? '')} saved: ${amount}, in ${formatDuration(elapsedMs)}`);
}

async function tellWait({ output }: Context, volume: string, { untilMs, failures }: { untilMs: number; failures: number }): Promise<void> {
  const until = formatExactTime(timeOfDate(new Date(untilMs)));
  await output.json({ type: 'waiting', volume, until, failures });
  const next = failures === 0 ? 'next backup' : `failed ${failures === 1 ? 'once' : `${failures} times in a row`}, next attempt`;
  await output.summary(`volume ${volume}: ${next}: ${new Date(untilMs).toISOString().slice(0, 19)}Z`);
  await output.flush();
}

async function warn({ output }: Context, what: string, { code, message, hint }: LaganError): Promise<void> {
  await output.warning(`${what}: ${message}${hint === undefined ? '' : ` (${hint})`}`, { code });
}

/** A snapshot of which nothing can be read, of whatever volume, keeps nobody from going on. */
function damageTeller(context: Context): (error: LaganError) => void {
  return (error) => void context.output.warning(error.message, { code: error.code }).catch(() => undefined);
}
