import {
  type BackupProgress,
  type BackupResult,
  backup,
  backupStream,
  type CommonBackupOptions,
  LaganError,
  type Repository,
} from '../../engine/mod.ts';
import { deviceName, readDevice } from './_device.ts';
import { expectWhole } from './_mark.ts';
import { parentOf, sourceOf } from './parent.ts';
import { recordExtension, type VolumeRecord } from './record.ts';
import type { VolumeIdentity, VolumePlace } from './volume.ts';

export interface VolumeBackupOptions
  extends VolumeRecord,
    Pick<CommonBackupOptions, 'tags' | 'compression' | 'workers' | 'onWarning' | 'signal'> {
  readonly place: VolumePlace;
  readonly onProgress?: (progress: BackupProgress) => void;
}

/**
 * Backs up one volume, here and now. The snapshot says which volume it is and what its claim was like, not where it was mounted. Nothing is stored twice; what has the
 * ctime and inode that the snapshot before it has is not read again.
 *
 * Codes: those of `backup`; source-empty if the folder or device is not there; half-restored if a restore into the volume has not come to its end.
 */
export async function backUpVolume(repository: Repository, options: VolumeBackupOptions): Promise<BackupResult> {
  const { place, identity, manifest, ...more } = options;
  const common = {
    ...more,
    host: identity.cluster,
    source: sourceOf(identity),
    description: describe(identity),
    extensions: recordExtension(options),
  };
  try {
    await expectWhole(place);
    if (place.kind === 'device') return await backupStream(repository, { ...common, name: deviceName, stream: readDevice(place.path) });
    return await backup(repository, { ...common, root: place.path, paths: ['/'], parent: parentOf(identity, manifest) });
  } catch (error) {
    throw isAbsent(error) ? absent(place, error) : error;
  }
}

/** For those who look at a list of snapshots. */
function describe({ namespace, claim, workload, volume }: VolumeIdentity): string {
  return claim === null ? `volume ${volume} of ${namespace}/${workload}` : `claim ${namespace}/${claim.name}`;
}

function isAbsent(error: unknown): boolean {
  const { code, errno } = error as { code?: unknown; errno?: unknown };
  return code === 'ENOENT' || errno === 'ENOENT';
}

function absent({ kind, path }: VolumePlace, cause: unknown): LaganError {
  return new LaganError('source-empty', `the ${kind} of the volume, ${path}, is not there`, {
    cause,
    object: path,
    hint: 'its pod may have ended, or its claim may be mounted on another node',
  });
}
