/** A process that does one deed of an owner after another until it is killed. */
import { setTimeout } from 'node:timers/promises';
import { Random } from '../simulation/random.ts';
import { Caretaker } from './_caretaker.ts';
import { say, sayError, sayStarted, taskOf } from './_kill-messages.ts';
import { openPatiently } from './_kill-open.ts';

const task = taskOf(process.argv[2]);
const { deeds, seed } = task.care!;
const caretaker = new Caretaker(task, { say, random: new Random(seed, 'caretaker') });
await openPatiently(task.repository);
sayStarted();
for (let turn = 0; ; turn++) {
  const deed = deeds[turn % deeds.length]!;
  try {
    await caretaker.do(deed);
  } catch (error) {
    sayError(`caretaker, ${deed}`, error, say);
  }
  await setTimeout(20);
}
