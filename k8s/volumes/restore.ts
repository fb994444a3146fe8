import { LaganError, type Repository, type RestoreOptions, restore, type SnapshotInfo } from '../../engine/mod.ts';
import { restoreDevice } from './_device.ts';
import { markUnfinished, unfinishedName, unmark } from './_unfinished.ts';
import { isFilled } from './filled.ts';
import { recordOf } from './record.ts';
import type { VolumePlace, VolumeRestoreResult } from './volume.ts';

export interface VolumeRestoreOptions
  extends Pick<RestoreOptions, 'paths' | 'overwrite' | 'delete' | 'verify' | 'workers' | 'onProgress' | 'onWarning' | 'signal'> {
  readonly place: VolumePlace;
}

/**
 * Restores the snapshot of a volume into a volume of the same kind: the content of a folder, and what the folder itself was like; or all bytes of a block device, which must
 * be as large. Owners come back by their numbers: the names of this machine are not those of the containers. Until all is there a folder is marked (unless only some `paths` are restored), and the first
 * MiB of a device is empty: nobody takes a part for the whole.
 *
 * Codes: those of `restore`; usage for a snapshot of another kind of volume; no-space for a device that is too small.
 */
export async function restoreVolume(
  repository: Repository,
  info: SnapshotInfo,
  options: VolumeRestoreOptions,
): Promise<VolumeRestoreResult> {
  const { place, ...more } = options;
  const mode = recordOf(info.snapshot)?.manifest.mode ?? 'Filesystem';
  if ((mode === 'Block') !== (place.kind === 'device'))
    throw new LaganError('usage', `snapshot ${info.id.slice(0, 8)} is of a volume of mode ${mode}, and ${place.path} is a ${place.kind}`, {
      expected: mode === 'Block' ? 'device' : 'folder',
      found: place.kind,
    });
  if (place.kind === 'device') return restoreDevice(repository, info, { ...more, path: place.path });
  const isWhole = more.paths === undefined;
  // What a new file system has of itself does not keep the folder from becoming as it was.
  const overwrite = more.overwrite ?? ((await isFilled(place)) ? 'never' : 'if-changed');
  if (isWhole) await markUnfinished(place.path, info.id);
  const exclude = [`/${unfinishedName}`, ...(more.delete ? ['/lost+found'] : [])];
  const { statistics, errors, durationMs } = await restore(repository, info, {
    ...more,
    overwrite,
    exclude,
    target: place.path,
    numericOwner: true,
  });
  if (isWhole) await unmark(place.path);
  return { bytes: statistics.bytes, files: statistics.files, errors, durationMs };
}
