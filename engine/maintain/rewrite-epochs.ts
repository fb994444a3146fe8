/**
 * Everything sealed with the newest master secret, and the end of the older ones. Packs are repacked, a few in each collection; index tables, catalogue and lists come anew
 * with it, and what they replace is deleted as after every collection. So it may be killed at any point, beside backups, and run again.
 *
 * Whoever knows only old secrets cannot read a root that is sealed with the newest. A collection that began with such a root fences them out: no commit of theirs can
 * stand after it, so nothing that is needed is sealed with an old secret later. That is why a retirement makes a collection of its own before it looks.
 */
import { LaganError, type ObjectName } from '../../repo-format/mod.ts';
import { uncachedStorage } from '../cache/mod.ts';
import { type ChangedKeys, dropOldEpochs, type Repository, resealOwnersObjects } from '../repository/mod.ts';
import { maintainLimits } from './_limits.ts';
import { type OldObject, SealedEpochs } from './_sealed-epochs.ts';
import { maintainSealing } from './maintain.ts';
import type { MaintainOptions } from './options.ts';

export type RewriteEpochsOptions = Pick<MaintainOptions, 'maxRepackBytes' | 'collector' | 'onProgress' | 'onDamage' | 'signal'>;

/** What is sealed with an older epoch than the newest. */
export interface OldEpochUse {
  /** The newest epoch. */
  readonly epoch: number;
  readonly objects: number;
  /** How many of each type of object. */
  readonly byType: Readonly<Partial<Record<ObjectName['type'], number>>>;
  /** Some of their names. */
  readonly examples: readonly string[];
}

export interface RewriteEpochsResult {
  readonly collections: number;
  readonly repackedPacks: number;
  readonly repackedBytes: number;
  /** What could not be sealed anew: an unfinished backup needs it, or it is damaged. */
  readonly remaining: OldEpochUse;
  readonly durationMs: number;
}

/** What there is to do. Codes: those of the storage. */
export async function oldEpochUse(repository: Repository, { signal }: Pick<MaintainOptions, 'signal'> = {}): Promise<OldEpochUse> {
  const uncached = withoutCache(repository);
  return summaryOf(uncached, await new SealedEpochs(uncached).oldObjects({ signal }));
}

/** Seals everything with the newest epoch. At least one collection is made. Codes: no-key, and those of `maintain`. */
export async function rewriteEpochs(repository: Repository, options: RewriteEpochsOptions = {}): Promise<RewriteEpochsResult> {
  const startedAt = performance.now();
  const uncached = withoutCache(repository);
  const { signal } = options;
  if (repository.keys.grants !== 'full') throw new LaganError('no-key', 'whoever seals anew must be able to read all of the repository');
  await resealOwnersObjects(uncached, { signal });
  const epochs = new SealedEpochs(uncached);
  const sums = { collections: 0, repackedPacks: 0, repackedBytes: 0 };
  let old = await epochs.oldObjects({ signal });
  for (let idle = 0; ; ) {
    const before = old;
    const result = await maintainSealing(uncached, options, epochs);
    sums.collections += result.collections;
    sums.repackedPacks += result.repackedPacks;
    sums.repackedBytes += result.repackedBytes;
    old = await epochs.oldObjects({ signal });
    // What a collection replaced is deleted with the roots that refer to it, some collections later. An unfinished backup is given up after too many.
    idle = result.repackedPacks > 0 || differs(old, before) ? 0 : idle + 1;
    const isWaiting = old.some(({ type }) => type === 'checkpoint');
    if (old.length === 0 || idle === (isWaiting ? 1 : maintainLimits.idleCollections)) break;
  }
  return { ...sums, remaining: summaryOf(uncached, old), durationMs: performance.now() - startedAt };
}

/**
 * Seals everything with the newest epoch, makes sure of it, and takes the master secrets of the older ones out of the keyring.
 *
 * Codes: usage (`found`: what is still sealed with older ones), unavailable (the keys were rotated again meanwhile), and those of {@link rewriteEpochs}.
 */
export async function retireEpochs(
  repository: Repository,
  options: RewriteEpochsOptions = {},
): Promise<ChangedKeys & { readonly rewritten: RewriteEpochsResult }> {
  const rewritten = await rewriteEpochs(repository, options);
  if (rewritten.remaining.objects > 0) throw stillUsed(rewritten.remaining);
  return { ...(await dropOldEpochs(repository, { signal: options.signal })), rewritten };
}

function differs(left: readonly OldObject[], right: readonly OldObject[]): boolean {
  const names = new Set(right.map(({ name }) => name));
  return left.length !== right.length || left.some(({ name }) => !names.has(name));
}

function withoutCache(repository: Repository): Repository {
  return { ...repository, storage: uncachedStorage(repository.storage) };
}

function summaryOf({ keys }: Repository, old: readonly OldObject[]): OldEpochUse {
  const byType: Partial<Record<ObjectName['type'], number>> = {};
  for (const { type } of old) byType[type] = (byType[type] ?? 0) + 1;
  const examples = old.slice(0, maintainLimits.namedObjects).map(({ name }) => name);
  return { epoch: keys.newestEpoch, objects: old.length, byType, examples };
}

function stillUsed({ objects, byType, examples }: OldEpochUse): LaganError {
  const counts = Object.entries(byType).map(([type, count]) => `${type}: ${count}`);
  const { resealedBytes } = maintainLimits;
  const unfinished = byType.checkpoint === undefined ? '' : 'run the backups that were interrupted to their end; ';
  const snapshots =
    byType.snapshot === undefined
      ? ''
      : `snapshots are sealed anew as long as all of them together have less than ${resealedBytes >> 20} MiB: forget those that nobody needs, or copy them into a new repository (lagan copy); `;
  return new LaganError('usage', `${objects} objects are still sealed with older keys (${counts.join(', ')}), so those must stay`, {
    object: examples[0],
    found: byType,
    hint: `${unfinished}${snapshots}lagan check tells what is damaged`,
  });
}
