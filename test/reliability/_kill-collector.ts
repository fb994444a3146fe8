/** A process that forgets old snapshots and collects until it is killed. */
import { setTimeout } from 'node:timers/promises';
import { collect } from '../simulation/engine-calls.ts';
import { forgetOld } from './_kill-forget.ts';
import { say, sayError, sayStarted, taskOf } from './_kill-messages.ts';
import { openPatiently } from './_kill-open.ts';

const { repository: place } = taskOf(process.argv[2]);
await openPatiently(place);
sayStarted();
for (;;) {
  try {
    const repository = await openPatiently(place);
    await forgetOld(repository, say);
    const { collections } = await collect(repository);
    say({ type: 'collected', collections });
  } catch (error) {
    sayError('collector', error, say);
  }
  await setTimeout(20);
}
