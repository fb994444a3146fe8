/** `lagan k8s sidecar`: beside an application, or before it starts, in a container of its pod that has the pod's volumes. Needs no API server. */
import type { Command } from 'commander';
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
import { dateOfTime, formatDuration, formatExactTime, formatTime, timeOfDate } from '../../shared/times.ts';
import { maintainWhenDue } from '../../shared/upkeep.ts';
import { defineSidecarRestore } from './sidecar-restore.ts';
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

const defaultSpreadMs = 10 * 60_000;
const defaultPort = 9102;
export function defineSidecar(command: Command): void {
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
    ["lagan k8s sidecar --volume data=/data --workload Deployment/shop --schedule '30 2 * * *' --keep-daily 14", 'every night'],
    ['lagan k8s sidecar --volume data=/data --claim data=data-db-0 --workload StatefulSet/db', 'known again by its claim'],
    ['lagan k8s sidecar --volume disk=/dev/disk --workload Deployment/app --once', 'a block device, now'],
  ]);
  defineSidecarRestore(command.command('restore').summary('restore volumes that are empty, before the application starts'));
}

async function run(context: Context, options: SidecarOptions): Promise<void> {
  const { output, signal, io } = context;
  output.goOnWhenClosed();
  const engine = await context.engine();
  const { parseSchedule, repeat } = await loadSchedule();
  const timeZone = options.timezone === undefined ? undefined : engine.parseTimeZone(options.timezone, '--timezone');
  const policy = hasKeepOptions(options) ? policyOf(engine, options) : undefined;
  const { pod, volumes } = await volumesOf(context, options);
  const metrics = new (await loadMetrics()).VolumeMetrics();
  const task = { pod, volumes, options, policy, timeZone, metrics };
  const address = options.listen === undefined ? undefined : parseAddress(options.listen, { defaultPort });
  if (options.once) return backUpOnce(context, task);
  const schedule = parseSchedule(options.schedule ?? (io.env.LAGAN_SCHEDULE || '@daily'), '--schedule', {
    timeZone,
    spread: {
      key: JSON.stringify([pod, volumes.map(({ claim, name }) => claim ?? name)]),
      milliseconds: options.spread ?? defaultSpreadMs,
    },
  });
  const lastMs = await lastBackupMs(context, task);
  const onWait = (untilMs: number, failures: number) => {
    metrics.dueAt(untilMs);
    void tellWait(context, untilMs, failures).catch(() => undefined);
  };
  // A pod is not to lose its users because a backup fails: that is for the metrics to tell.
  const probes = address && (await (await loadMetrics()).serveProbes({ ...address, metrics, readiness: () => ({ isReady: true }) }));
  if (probes !== undefined) {
    await output.json({ type: 'listening', address: probes.address });
    await output.summary(`listening on ${probes.address}`);
  }
  await repeat(async () => ((await backUpAll(context, task)).length === 0 ? 'done' : 'failed'), {
    schedule,
    lastMs,
    signal,
    onWait,
  }).finally(() => probes?.close());
}

interface Task {
  readonly pod: SidecarPod;
  readonly volumes: readonly MountedVolume[];
  readonly options: SidecarOptions;
  readonly policy: RetentionPolicy | undefined;
  readonly timeZone: string | undefined;
  readonly metrics: VolumeMetrics;
}

/** When the volume began to be backed up whose last backup is the oldest; 1970 if one never was. That the repository opens is seen before anybody waits for a night. */
async function lastBackupMs(context: Context, { pod, volumes, metrics }: Task): Promise<number> {
  const { newestSnapshotOf, recordOfMounted } = await loadFronts();
  const { repository } = await openRepository(context, 'write');
  const { signal } = context;
  const times = volumes.map(async (volume) => {
    const record = recordOfMounted(pod, volume);
    const newest = await newestSnapshotOf(repository, record, { signal });
    if (newest === undefined) return 0;
    const timeMs = dateOfTime(newest.snapshot.started).getTime();
    metrics.known(record.identity, timeMs);
    return timeMs;
  });
  return Math.min(...(await Promise.all(times)));
}

async function backUpOnce(context: Context, task: Task): Promise<void> {
  const [first] = await backUpAll(context, task);
  if (first !== undefined) throw first;
}

/** Backs up one volume after another; what fails keeps none of the others from it. Returns what has failed. */
async function backUpAll(context: Context, task: Task): Promise<LaganError[]> {
  const failures: LaganError[] = [];
  const attempt = async (what: string, action: () => Promise<void>) => {
    try {
      await action();
    } catch (error) {
      if (!isLaganError(error) || context.signal.aborted) throw error;
      failures.push(error);
      const hint = error.hint === undefined ? '' : ` (${error.hint})`;
      await context.output.warning(`${what}: ${error.message}${hint}`, { code: error.code });
    }
  };
  await attempt('the repository', async () => {
    const opened = await openRepository(context, 'write').catch(async (error: unknown) => {
      const { recordOfMounted } = await loadFronts();
      for (const volume of task.volumes) task.metrics.ended(recordOfMounted(task.pod, volume).identity, { result: 'failure', seconds: 0 });
      throw error;
    });
    for (const volume of task.volumes) await attempt(`volume ${volume.name}`, () => backUpOne(context, opened, { task, volume }));
    if (task.options.maintain !== false) await maintainWhenDue(context, opened);
  });
  return failures;
}

async function backUpOne(
  context: Context,
  { repository }: OpenedRepository,
  { task: { pod, options, policy, timeZone, metrics }, volume }: { task: Task; volume: MountedVolume },
): Promise<void> {
  const [{ recordOfMounted }, { backUpVolume, retainVolume }] = await Promise.all([loadFronts(), loadVolumes()]);
  const record = recordOfMounted(pod, volume);
  const running = new Running(context, `backing up ${volume.name}`);
  try {
    const { tag: tags = [], compression, workers } = options;
    const common = { tags, ...(compression !== undefined && { compression }), ...(workers !== undefined && { workers }) };
    const backup = backUpVolume(repository, { ...record, ...common, ...running.engineOptions, place: volume.place });
    const result = await backup.catch((error: unknown) => {
      metrics.ended(record.identity, { result: 'failure', seconds: running.elapsedMs / 1000 });
      throw error;
    });
    running.end();
    const { bytes, newBytes, errors } = result.statistics;
    const seconds = running.elapsedMs / 1000;
    metrics.ended(record.identity, { result: errors === 0 ? 'success' : 'partial', seconds, bytes, newBytes });
    const { signal } = context;
    const removed = policy && (await retainVolume(repository, record, { policy, timeZone, now: timeOfDate(new Date()), signal }));
    if (options.once && errors > 0) context.endWith('partial');
    await reportBackup(context, result, { volume: volume.name, removed: removed?.length ?? 0, elapsedMs: running.elapsedMs });
  } finally {
    running.end();
  }
}

async function reportBackup(
  context: Context,
  { snapshotId, parent, statistics, errors }: BackupResult,
  { volume, removed, elapsedMs }: { volume: string; removed: number; elapsedMs: number },
): Promise<void> {
  const { output } = context;
  await output.json({
    type: 'volume-backup',
    volume,
    snapshot: snapshotId,
    parent,
    removed,
    statistics,
    errors: errors.map(problemFields),
    elapsedMs: Math.round(elapsedMs),
  });
  const amount = `${formatCountOf(statistics.files, 'file')}, ${formatSize(statistics.bytes)}, of it ${formatSize(statistics.newBytes)} new`;
  await output.summary(`volume ${volume}: snapshot ${shortId(snapshotId ?? '')} saved: ${amount}, in ${formatDuration(elapsedMs)}`);
  if (removed > 0) await output.summary(`volume ${volume}: removed ${formatCountOf(removed, 'snapshot')} that no rule keeps`);
}

async function tellWait({ output }: Context, untilMs: number, failures: number): Promise<void> {
  const until = timeOfDate(new Date(untilMs));
  await output.json({ type: 'waiting', until: formatExactTime(until), failures });
  await output.summary(
    failures === 0 ? `next backup: ${formatTime(until)}` : `failed ${failures} times in a row, next attempt: ${formatTime(until)}`,
  );
  await output.flush();
}
