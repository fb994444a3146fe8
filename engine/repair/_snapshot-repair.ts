/** Makes repaired copies of snapshots, as a writer does: a session for each, its packs, its index table, its commit. */
import type { NodeReference, Snapshot, SnapshotId, Time } from '../../repo-format/mod.ts';
import { BackupSession, isPassed, type StoredTree } from '../backup/mod.ts';
import { Breather } from '../look/mod.ts';
import { commitSnapshot, madeOf, originOf, type Repository, type SnapshotInfo } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { repairLimits } from './_limits.ts';
import { type TreeDamage, TreeRepair } from './_tree-repair.ts';
import type { RepairedSnapshot } from './result.ts';

/** A copy on which it remains to be said whether the original is marked. */
export type SnapshotCopy = Omit<RepairedSnapshot, 'isMarked'>;

export interface SnapshotRepairOptions extends CallOptions {
  readonly damage: TreeDamage;
  /** Other snapshots: one of them may be the copy that an earlier repair has made. */
  readonly others: readonly SnapshotInfo[];
}

/** Undefined if all that the snapshot needs can be read where it says. Begins anew when the collector passes the session meanwhile. Codes: those of the storage. */
export async function repairSnapshot(
  repository: Repository,
  original: SnapshotInfo,
  options: SnapshotRepairOptions,
): Promise<SnapshotCopy | undefined> {
  const { damage, signal } = options;
  const excluded = damage.packs;
  for (let attempt = 1; ; attempt++) {
    const session = await BackupSession.begin(repository, { workers: 1, compression: 'auto', dryRun: false, excluded, signal });
    try {
      return await repairIn(repository, original, { session, options });
    } catch (error) {
      if (attempt === repairLimits.attempts || !(await isPassed(repository, session, { error, signal }))) throw error;
    } finally {
      await session.end();
    }
  }
}

async function repairIn(
  repository: Repository,
  original: SnapshotInfo,
  { session, options: { damage, others, signal } }: { session: BackupSession; options: SnapshotRepairOptions },
): Promise<SnapshotCopy | undefined> {
  const breather = new Breather(signal);
  const trees = new TreeRepair(session, { damage, breathe: () => breather.breathe() });
  const tree = await trees.copy(original.snapshot.tree!);
  const { losses, lossCount, lostBytes } = trees;
  if (!trees.isHurt) return undefined;
  const found = { original, losses, lossCount, lostBytes };
  if (tree === null) return { ...found, outcome: 'lost', copy: null };
  const known = others.find(({ snapshot }) => originOf(snapshot) === original.id && isSameNode(snapshot.tree, tree));
  if (known !== undefined) return { ...found, outcome: 'known', copy: known.id };
  const stored = await session.finish(tree, trees.packs);
  const snapshot = copyOf(original, { session, stored, trees });
  await commitSnapshot(repository, { session: session.session, snapshot, signal });
  return { ...found, outcome: 'copied', copy: session.session.id as SnapshotId };
}

function copyOf(
  info: SnapshotInfo,
  { session, stored, trees }: { session: BackupSession; stored: StoredTree; trees: TreeRepair },
): Snapshot {
  const { started, statistics, errors } = info.snapshot;
  const lost = trees.losses.map(({ path, message }) => ({ path, code: 'chunk-missing', message }));
  return {
    ...madeOf(info, session.session),
    ...stored,
    started: nextTime(started),
    statistics: { ...statistics, ...trees.counts, errors: statistics.errors + trees.lossCount },
    errors: [...lost, ...errors].slice(0, repairLimits.listedLosses),
  };
}

/** A nanosecond later: so the copy is newer than its original, for whoever asks for the latest snapshot and for the next backup. */
function nextTime({ seconds, nanoseconds }: Time): Time {
  return nanoseconds === 999_999_999 ? { seconds: seconds + 1, nanoseconds: 0 } : { seconds, nanoseconds: nanoseconds + 1 };
}

function isSameNode(left: NodeReference | null, right: NodeReference): boolean {
  return left !== null && Buffer.compare(left.name, right.name) === 0;
}
