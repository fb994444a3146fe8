import { hostname } from 'node:os';
import { LaganError, type Repository, type RestoreOptions, restore, type SnapshotInfo } from '../../engine/mod.ts';
import { type ClaimTimes, claimVolume, type VolumeClaim } from './_claim.ts';
import { restoreDevice } from './_device.ts';
import { markName, nextMarkName } from './_mark.ts';
import { recordOf } from './record.ts';
import type { VolumePlace, VolumeRestoreResult } from './volume.ts';

export interface VolumeRestoreOptions
  extends Pick<RestoreOptions, 'paths' | 'overwrite' | 'delete' | 'verify' | 'workers' | 'onProgress' | 'onWarning' | 'signal'> {
  readonly place: VolumePlace;
}

export interface EmptyVolumeRestoreOptions extends Omit<VolumeRestoreOptions, 'paths' | 'overwrite' | 'delete'> {
  /** What could not be restored is given up: otherwise the volume stays marked as half restored. */
  readonly acceptErrors?: boolean | undefined;
  /** Who does it; the same when it begins again. Default: the name of this machine, which is that of the pod. */
  readonly owner?: string | undefined;
  /** Told if somebody else restores into it, or did: they are waited for. */
  readonly onWait?: ((owner: string) => void) | undefined;
  readonly times?: ClaimTimes | undefined;
}

/**
 * Restores the snapshot of a volume into a volume of the same kind, over what is there as `overwrite` says: the content of a folder, and what the folder itself was like; or all bytes of a block
 * device, which must be as large. Owners come back by their numbers: the names of this machine are not those of the containers.
 *
 * Codes: those of `restore`; usage for a snapshot of another kind of volume; no-space for a device that is too small.
 */
export async function restoreVolume(
  repository: Repository,
  info: SnapshotInfo,
  options: VolumeRestoreOptions,
): Promise<VolumeRestoreResult> {
  expectKind(info, options.place);
  return restoreInto(repository, info, { ...options, claim: undefined });
}

/**
 * The same into a volume that holds nothing, or a part of a snapshot that was being restored when somebody died. Until all is there the volume is marked: it is not backed up, nor taken for whole.
 * Several who do it at once wait for each other. Undefined if there is data in it that nobody is restoring.
 *
 * Codes: also half-restored, if somebody else has taken over.
 */
export async function restoreEmptyVolume(
  repository: Repository,
  info: SnapshotInfo,
  options: EmptyVolumeRestoreOptions,
): Promise<VolumeRestoreResult | undefined> {
  const { acceptErrors = false, owner = hostname(), onWait, times, ...more } = options;
  const { place, signal } = more;
  expectKind(info, place);
  const claim = await claimVolume(place, { snapshot: info.id, owner, onWait, times, signal });
  if (claim === 'filled') return undefined;
  // What another snapshot has left there would stay beside this one's.
  const isOther = claim.before !== null && claim.before.snapshot !== info.id;
  const signals = [claim.lost, ...(signal === undefined ? [] : [signal])];
  try {
    const settings = { ...more, overwrite: 'if-changed', delete: isOther, signal: AbortSignal.any(signals), claim } as const;
    const result = await restoreInto(repository, info, settings);
    if (place.kind === 'folder' && (acceptErrors || result.errorCount === 0)) await claim.finish();
    return result;
  } catch (error) {
    throw claim.lost.aborted ? claim.takenOver() : error;
  } finally {
    await claim.leave();
  }
}

async function restoreInto(
  repository: Repository,
  info: SnapshotInfo,
  { claim, place, ...options }: VolumeRestoreOptions & { readonly claim: VolumeClaim | undefined },
): Promise<VolumeRestoreResult> {
  if (place.kind === 'device') return restoreDevice(repository, info, { ...options, place, claim });
  const exclude = [`/${markName}`, `/${nextMarkName}`, ...(options.delete ? ['/lost+found', '/.snapshot'] : [])];
  const target = { exclude, target: place.path, numericOwner: true };
  const { statistics, errors, notRestored, durationMs } = await restore(repository, info, { ...options, ...target });
  return { bytes: statistics.bytes, files: statistics.files, errors, errorCount: statistics.errors, notRestored, durationMs };
}

function expectKind({ id, snapshot }: SnapshotInfo, place: VolumePlace): void {
  const mode = recordOf(snapshot)?.manifest.mode ?? 'Filesystem';
  if ((mode === 'Block') === (place.kind === 'device')) return;
  throw new LaganError('usage', `snapshot ${id.slice(0, 8)} is of a volume of mode ${mode}, and ${place.path} is a ${place.kind}`, {
    expected: mode === 'Block' ? 'device' : 'folder',
    found: place.kind,
  });
}
