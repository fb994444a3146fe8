/**
 * Volumes that are mounted into this container, beside an application or before it starts. No API server is asked: what a volume is called is told on the command line.
 */
import fs from 'node:fs/promises';
import { LaganError, listSnapshots, type Repository, type SnapshotInfo } from '../../engine/mod.ts';
import {
  isFilled,
  restoreVolume,
  snapshotsOf,
  unfinishedRestore,
  type VolumePlace,
  type VolumeRecord,
  type VolumeRestoreOptions,
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

/** The newest of a volume, begun at `beforeMs` (since 1970) at the latest; undefined if there is none. */
export async function newestSnapshotOf(
  repository: Repository,
  { identity, manifest }: VolumeRecord,
  {
    beforeMs = Number.POSITIVE_INFINITY,
    signal,
  }: { readonly beforeMs?: number | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<SnapshotInfo | undefined> {
  const snapshots = (await listSnapshots(repository, { signal })).filter(({ deleted }) => !deleted);
  return snapshotsOf(identity, manifest, snapshots).findLast(({ snapshot }) => snapshot.started.seconds * 1000 <= beforeMs);
}

export type RestoredVolume =
  | { readonly outcome: 'restored'; readonly info: SnapshotInfo; readonly result: VolumeRestoreResult }
  /** There is data: it stays as it is. */
  | { readonly outcome: 'filled' }
  /** Nothing has been backed up yet. */
  | { readonly outcome: 'no-snapshot' };

export interface RestoreIfEmptyOptions extends Omit<VolumeRestoreOptions, 'place' | 'paths' | 'overwrite' | 'delete'> {
  /** Ms since 1970: a snapshot that was begun then at the latest. */
  readonly beforeMs?: number | undefined;
}

/**
 * Restores the newest snapshot into a volume that holds nothing, or only what a restore has left that did not come to its end: that one goes on. An application
 * that has begun to use its volume never loses anything by it.
 */
export async function restoreIfEmpty(
  repository: Repository,
  pod: SidecarPod,
  volume: MountedVolume,
  options: RestoreIfEmptyOptions,
): Promise<RestoredVolume> {
  const { beforeMs, ...more } = options;
  const { place } = volume;
  const begun = place.kind === 'folder' ? await unfinishedRestore(place.path) : null;
  if (begun === null && (await isFilled(place))) return { outcome: 'filled' };
  const info = await newestSnapshotOf(repository, recordOfMounted(pod, volume), { beforeMs, signal: more.signal });
  if (info === undefined) return { outcome: 'no-snapshot' };
  // What another snapshot has left there would stay beside this one's.
  const isOther = begun !== null && begun !== info.id;
  const result = await restoreVolume(repository, info, { ...more, place, overwrite: 'if-changed', delete: isOther });
  return { outcome: 'restored', info, result };
}
