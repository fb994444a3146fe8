import { listSnapshots, originOf, type Repository } from '../../engine/repository/mod.ts';
import { forget } from '../simulation/engine-calls.ts';
import type { Say } from './_kill-messages.ts';

const kept = 6;

/** Forgets all snapshots but the newest, and says which. */
export async function forgetOld(repository: Repository, say: Say): Promise<void> {
  const old = (await listSnapshots(repository)).slice(0, -kept);
  if (old.length === 0) return;
  const ids = old.map(({ id }) => id);
  const origins = old.flatMap(({ snapshot }) => originOf(snapshot) ?? []);
  say({ type: 'forgetting', ids, origins });
  await forget(repository, ids);
}
