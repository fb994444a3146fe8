/** What happened to the users of other programs cannot happen here; `test/simulation/mistakes.test.ts` takes each protection away and sees that its incident finds that. */
import t from 'tap';
import { scratchFolder } from './_crash-points.ts';
import { incidents } from './_incidents.ts';
import { longestMs } from './_moments.ts';

// On a busy machine.
t.setTimeout(longestMs);

for (const [name, { words, faults }] of Object.entries(incidents)) {
  t.test(`${name}: ${words}`, async (t) => {
    t.same(await faults(scratchFolder(t)), []);
  });
}
