/** `lagan k8s sidecar restore`: as an init container, before the application starts. */
import { hostname } from 'node:os';
import type { Command } from 'commander';
import type { MountedVolume, RestoredVolume, SidecarPod } from '../../../k8s/fronts/mod.ts';
import { type Context, contextOf } from '../../shared/context.ts';
import { LaganError } from '../../shared/errors.ts';
import { problemFields } from '../../shared/json.ts';
import { notRestoredFields, notRestoredText } from '../../shared/not-restored.ts';
import { addExamples, timeOption } from '../../shared/options.ts';
import { type OpenedRepository, openRepository, warnOfRollback } from '../../shared/repository.ts';
import { Running } from '../../shared/running.ts';
import { formatCountOf, formatSize } from '../../shared/sizes.ts';
import { shortId } from '../../shared/snapshots.ts';
import { dateOfTime, formatDuration, formatTime, type Time } from '../../shared/times.ts';
import { addVolumeOptions, type VolumeOptions, volumesOf } from './sidecar-volumes.ts';

interface RestoreOptions extends VolumeOptions {
  readonly at?: Time;
  readonly mustExist?: boolean;
  readonly verify?: boolean;
  readonly acceptErrors?: boolean;
}

export function defineRestore(command: Command): void {
  addVolumeOptions(command)
    .description(
      'Restores the newest snapshot into each volume that is empty, as an init container of the application that uses it. What holds data stays as it is; a restore that was interrupted goes on. Ends well if nothing was ever backed up.',
    )
    .addOption(timeOption('--at <time>', 'restore the newest snapshot that was begun by then'))
    .option('--must-exist', 'end with an error if a volume is empty and has no snapshot')
    .option('--verify', 'read everything again afterwards and compare')
    .option('--accept-errors', 'what is damaged in the snapshot is given up: otherwise the volume counts as half restored')
    .action(async (_options: object, self: Command) => run(contextOf(self), self.opts()));
  addExamples(command, [
    ['lagan k8s sidecar restore --volume data=/data --workload Deployment/shop', 'the newest state, if there is none here'],
    ["lagan k8s sidecar restore --volume data=/data --workload Deployment/shop --at '2026-05-01 12:00'", 'that of then'],
  ]);
}

async function run(context: Context, options: RestoreOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const { pod, volumes } = await volumesOf(context, options);
  const opened = await openRepository(context, 'read');
  await warnOfRollback(context, opened);
  for (const volume of volumes) await restoreOne(context, opened, { pod, volume, options });
}

async function restoreOne(
  context: Context,
  { repository }: OpenedRepository,
  { pod, volume, options }: { pod: SidecarPod; volume: MountedVolume; options: RestoreOptions },
): Promise<void> {
  const { restoreIfEmpty } = await import('../../../k8s/fronts/mod.ts');
  const { workers, verify = false, acceptErrors = false, at, mustExist } = options;
  const { output, io } = context;
  const running = new Running(context, `restoring ${volume.name}`);
  try {
    const restored = await restoreIfEmpty(repository, pod, volume, {
      ...running.engineOptions,
      ...(workers !== undefined && { workers }),
      beforeMs: at && dateOfTime(at).getTime(),
      verify,
      acceptErrors,
      // Pods with the network of their node all have its name.
      owner: io.env.POD_NAME || hostname(),
      onDamage: ({ code, message }) => void output.warning(`${message}: it may be newer`, { code }).catch(() => {}),
      onWait: (owner) => output.note(`volume ${volume.name}: ${owner || 'somebody'} restores into it, or did: waiting`),
    });
    running.end();
    if (restored.outcome === 'no-snapshot' && mustExist) throw noSnapshot(volume.name, at);
    await report(context, restored, { volume: volume.name, elapsedMs: running.elapsedMs, acceptErrors });
  } finally {
    running.end();
  }
}

function noSnapshot(volume: string, at: Time | undefined): LaganError {
  const then = at === undefined ? '' : ` of ${formatTime(at)} or before`;
  return new LaganError('snapshot-not-found', `volume ${volume}: there is no snapshot${then}`, {
    hint: 'lagan snapshots lists those of all volumes; --claim, --workload, --namespace and --cluster say which are of this one',
  });
}

async function report(
  context: Context,
  restored: RestoredVolume,
  { volume, elapsedMs, acceptErrors }: { volume: string; elapsedMs: number; acceptErrors: boolean },
): Promise<void> {
  const { output } = context;
  const { outcome } = restored;
  if (outcome !== 'restored') {
    await output.json({ type: 'volume-restore', volume, outcome });
    const words = { filled: 'holds data, which stays as it is', 'no-snapshot': 'is empty, and nothing of it was backed up yet' };
    return output.summary(`volume ${volume} ${words[outcome]}`);
  }
  const { info, result } = restored;
  const { bytes, files, errors, errorCount, notRestored } = result;
  await output.json({
    type: 'volume-restore',
    volume,
    outcome,
    snapshot: info.id,
    files,
    bytes,
    errors: errors.map(problemFields),
    notRestored: notRestored.map(notRestoredFields),
    elapsedMs: Math.round(elapsedMs),
  });
  const amount = `${formatCountOf(files, 'file')}, ${formatSize(bytes)}`;
  await output.summary(
    `volume ${volume}: restored snapshot ${shortId(info.id)} of ${formatTime(info.snapshot.started)}: ${amount}, in ${formatDuration(elapsedMs)}`,
  );
  for (const loss of notRestored) await output.summary(notRestoredText(loss));
  if (errorCount === 0) return;
  const next = acceptErrors ? 'they are given up' : 'the volume counts as half restored (--accept-errors gives them up)';
  await output.warning(`volume ${volume}: ${formatCountOf(errorCount, 'entry', 'entries')} could not be restored completely: ${next}`, {
    code: 'partial',
  });
  context.endWith('partial');
}
