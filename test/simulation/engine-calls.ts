/** The engine as the actors of a simulation call it. */
import path from 'node:path';
import type { BackupLimits } from '../../engine/backup/_limits.ts';
import { backupWithin } from '../../engine/backup/backup.ts';
import { openFile, walkSnapshot } from '../../engine/look/mod.ts';
import { type MaintainResult, maintain } from '../../engine/maintain/mod.ts';
import { listSnapshots, type Repository } from '../../engine/repository/mod.ts';
import { forgetSnapshots } from '../../engine/retention/mod.ts';
import { LaganError, type SnapshotId } from '../../repo-format/mod.ts';
import type { Random } from './random.ts';

/** Small tables: a simulation makes thousands of sessions. */
const fewRows = { chunkTableRows: 4096 } as const;

export async function backUp(
  repository: Repository,
  { folder, host, limits, random }: { folder: string; host: string; limits: Partial<BackupLimits>; random: Random },
): Promise<SnapshotId> {
  const { snapshotId, errors } = await backupWithin(
    repository,
    { paths: [folder], host, workers: random.integer(1, 2), force: random.chance(0.2), compression: 'none' },
    { ...fewRows, ...limits },
  );
  if (errors.length > 0) throw new Error(`files could not be read: ${errors[0]!.message}`);
  return snapshotId!;
}

export function collect(repository: Repository): Promise<MaintainResult> {
  return maintain(repository, { maxUnused: 0 });
}

export async function forget(repository: Repository, snapshots: readonly SnapshotId[]): Promise<void> {
  const now = { seconds: Math.floor(Date.now() / 1000), nanoseconds: 0 };
  await forgetSnapshots(repository, snapshots, { now, reason: 'simulation' });
}

/** All files of a snapshot, as someone reads them who browses it. */
export async function readSnapshot(
  repository: Repository,
  { id, folder }: { id: SnapshotId; folder: string },
): Promise<Map<string, Uint8Array>> {
  const info = (await listSnapshots(repository)).find((candidate) => candidate.id === id);
  if (info === undefined) throw new LaganError('snapshot-not-found', `snapshot ${id} is not listed`);
  const contents = new Map<string, Uint8Array>();
  for await (const { path: place, entry } of walkSnapshot(repository, info, { path: Buffer.from(folder) })) {
    if (entry.type !== 'file') continue;
    const pieces: Uint8Array[] = [];
    for await (const piece of openFile(repository, entry).stream()) pieces.push(Buffer.from(piece));
    contents.set(path.relative(folder, Buffer.from(place).toString()), Buffer.concat(pieces));
  }
  return contents;
}
