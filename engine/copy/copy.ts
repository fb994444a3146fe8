import { LaganError } from '../../repo-format/mod.ts';
import { isDamage } from '../packs/mod.ts';
import { holdSnapshots, listSnapshots, type Repository, type SnapshotInfo } from '../repository/mod.ts';
import { type CopyParts, copySnapshot } from './_copy-snapshot.ts';
import { areAlike } from './_family.ts';
import { KnownCopies } from './_known-copies.ts';
import { ProgressReporter } from './_progress.ts';
import type { CopiedSnapshot, CopyOptions, CopyResult } from './options.ts';

const nothingNew = { newBytes: 0, newChunks: 0, storedBytes: 0, hold: undefined, error: undefined };

/**
 * Copies snapshots into another repository, which has keys of its own: times, host, tags, paths, description and everything that entries hold stay as they are. Where both name
 * chunks and cut files alike (see `CreateOptions.like`), blocks are sealed again as they were compressed; otherwise files are cut and named anew. Each byte is verified by its
 * chunk's name before.
 *
 * What the target has already is not copied again, so a call after an error or an interruption goes on. A snapshot that is damaged is `failed`, and the others are copied.
 * Codes: usage (source and target are the same repository), no-key (a key grants metadata only), interrupted, and those of both stores.
 */
export async function copySnapshots(source: Repository, target: Repository, options: CopyOptions): Promise<CopyResult> {
  expectDifferent(source, target);
  const { signal } = options;
  const listing = { signal, onDamage: () => undefined };
  const [sourceSnapshots, targetSnapshots] = await Promise.all([listSnapshots(source, listing), listSnapshots(target, listing)]);
  const known = new KnownCopies({ source, target, sourceSnapshots, targetSnapshots });
  const method = areAlike(source, target) ? 'blocks' : 'files';
  const progress = new ProgressReporter(options.onProgress);
  const parts: CopyParts = { source, target, method, known, progress, options };
  const snapshots: CopiedSnapshot[] = [];
  try {
    for (const info of options.snapshots) {
      const copied = await copyOne(parts, info);
      snapshots.push(copied);
      await options.onSnapshot?.(copied);
    }
    return { snapshots, method };
  } finally {
    progress.end();
  }
}

async function copyOne(parts: CopyParts, info: SnapshotInfo): Promise<CopiedSnapshot> {
  const { known, options } = parts;
  const present = known.find(info);
  if (present !== undefined) {
    const hold = options.dryRun ? undefined : await keepHold(parts, info, present);
    return { ...nothingNew, source: info, outcome: 'present', snapshotId: present.id, hold };
  }
  if (options.dryRun) return { ...nothingNew, source: info, outcome: 'dry-run', snapshotId: null };
  try {
    const { info: copy, ...counts } = await copySnapshot(parts, info);
    known.add(info, copy);
    const hold = await keepHold(parts, info, copy);
    return { source: info, outcome: 'copied', snapshotId: copy.id, ...counts, hold, error: undefined };
  } catch (error) {
    if (!isDamage(error)) throw error;
    return { ...nothingNew, source: info, outcome: 'failed', snapshotId: null, error };
  }
}

/** Holds the copy of a snapshot that is held, as long as that, unless the copy is held. */
async function keepHold({ target, options }: CopyParts, { heldUntil }: SnapshotInfo, copy: SnapshotInfo): Promise<CopiedSnapshot['hold']> {
  const { keepHolds = true, signal } = options;
  if (!keepHolds || heldUntil === undefined || copy.heldUntil !== undefined) return undefined;
  const fates = await holdSnapshots(target, [copy.id], { until: heldUntil, reason: 'its original is held', signal });
  return { until: heldUntil, fate: fates.get(copy.id)! };
}

function expectDifferent(source: Repository, target: Repository): void {
  if (source.id !== target.id) return;
  const message =
    source.storage.location === target.storage.location
      ? `source and target are the same repository, ${source.storage.location}`
      : `${target.storage.location} is the same repository as ${source.storage.location}: a mirror of it, or a copy of its files`;
  throw new LaganError('usage', message, {
    found: target.id,
    hint: 'lagan mirror brings a mirror up to date; lagan copy needs another repository',
  });
}
