/**
 * Volumes that are mounted into this container, beside an application or before it starts. No API server is asked: what a volume is called is told on the command line.
 */
import fs from 'node:fs/promises';
import { LaganError, listSnapshots, type Repository, type SnapshotInfo } from '../../engine/mod.ts';
import {
  type EmptyVolumeRestoreOptions,
  halfRestored,
  isFilled,
  readMark,
  restoreEmptyVolume,
  snapshotsOf,
  type VolumePlace,
  type VolumeRecord,
  type VolumeRestoreResult,
} from '../volumes/mod.ts';

/** The pod that this container is a part of. */
export interface SidecarPod {
  readonly cluster: string;
  readonly namespace: string;
  /** `StatefulSet/db` */
  readonly workload: string;
}

export interface MountedVolume {
  /** As in the pod. */
  readonly name: string;
  readonly place: VolumePlace;
  /** The name of its claim, if it has one. */
  readonly claim: string | null;
}

/** A volume that is mounted at `path`, or is a device there. Code: source-empty if nothing is; unsupported if it is neither. */
export async function mountedVolume(name: string, path: string, claim: string | null): Promise<MountedVolume> {
  const status = await fs.stat(path).catch((cause: NodeJS.ErrnoException) => {
    const hint = `add a volumeMount (or volumeDevice) for ${name} to this container`;
    throw new LaganError('source-empty', `volume ${name}: there is nothing at ${path}`, { cause, object: path, hint });
  });
  if (status.isDirectory()) return { name, claim, place: { kind: 'folder', path } };
  if (status.isBlockDevice()) return { name, claim, place: { kind: 'device', path } };
  throw new LaganError('unsupported', `volume ${name}: ${path} is neither a folder nor a block device`, { object: path });
}

/** What its snapshots say of it. */
export function recordOfMounted(pod: SidecarPod, { name, place, claim }: MountedVolume): VolumeRecord {
  const identity = { ...pod, volume: name, claim: claim === null ? null : { uid: null, name: claim } };
  return { identity, manifest: { mode: place.kind === 'device' ? 'Block' : 'Filesystem' } };
}

export interface NewestOptions {
  /** Ms since 1970: a snapshot that was begun then at the latest. */
  readonly beforeMs?: number | undefined;
  /** Told of snapshots of which nothing can be read: one of them may be newer. */
  readonly onDamage: (error: LaganError) => void;
  readonly signal?: AbortSignal | undefined;
}

/** The newest of a volume; undefined if there is none. */
export async function newestSnapshotOf(
  repository: Repository,
  { identity, manifest }: VolumeRecord,
  { beforeMs = Number.POSITIVE_INFINITY, onDamage, signal }: NewestOptions,
): Promise<SnapshotInfo | undefined> {
  const snapshots = await listSnapshots(repository, { onDamage, signal });
  return snapshotsOf(identity, manifest, snapshots).findLast(({ snapshot }) => snapshot.started.seconds * 1000 <= beforeMs);
}

export type RestoredVolume =
  | { readonly outcome: 'restored'; readonly info: SnapshotInfo; readonly result: VolumeRestoreResult }
  /** There is data: it stays as it is. */
  | { readonly outcome: 'filled' }
  /** Nothing has been backed up yet. */
  | { readonly outcome: 'no-snapshot' };

export interface RestoreIfEmptyOptions extends Omit<EmptyVolumeRestoreOptions, 'place'>, NewestOptions {}

/**
 * Restores the newest snapshot into a volume that holds nothing, or a part of what somebody was restoring. Code: half-restored, if there is a part of something and no
 * snapshot to go on with; and those of `restoreEmptyVolume`.
 */
export async function restoreIfEmpty(
  repository: Repository,
  pod: SidecarPod,
  { place, ...volume }: MountedVolume,
  { beforeMs, onDamage, ...options }: RestoreIfEmptyOptions,
): Promise<RestoredVolume> {
  const mark = await readMark(place);
  if (mark === null && (await isFilled(place, options.signal))) return { outcome: 'filled' };
  const record = recordOfMounted(pod, { place, ...volume });
  const info = await newestSnapshotOf(repository, record, { beforeMs, onDamage, signal: options.signal });
  if (info === undefined && mark !== null) throw halfRestored(place, mark);
  if (info === undefined) return { outcome: 'no-snapshot' };
  const result = await restoreEmptyVolume(repository, info, { ...options, place });
  return result === undefined ? { outcome: 'filled' } : { outcome: 'restored', info, result };
}
