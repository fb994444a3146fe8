/** A process that forgets old snapshots and collects until it is killed. */
import { setTimeout } from 'node:timers/promises';
import { openStorage } from '../../engine/mod.ts';
import { listSnapshots } from '../../engine/repository/mod.ts';
import { collect, forget } from '../simulation/engine-calls.ts';
import { open } from './_crash-points.ts';
import { say, sayStarted, taskOf } from './_kill-messages.ts';

const kept = 6;
const { repository: place } = taskOf(process.argv[2]);
await open(openStorage(place));
sayStarted();
for (;;) {
  try {
    const repository = await open(openStorage(place));
    const old = (await listSnapshots(repository)).slice(0, -kept).map(({ id }) => id);
    if (old.length > 0) {
      say({ type: 'forgetting', ids: old });
      await forget(repository, old);
    }
    const { collections } = await collect(repository);
    say({ type: 'collected', collections });
  } catch (error) {
    say({ type: 'fault', words: `collector: ${error instanceof Error ? error.stack : error}` });
  }
  await setTimeout(20);
}
