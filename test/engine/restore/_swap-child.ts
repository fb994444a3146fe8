/**
 * Swaps folders for symbolic links and back, one after another as fast as it can, until it is killed. Arguments: the folder that they are in, how
 * many (`folder0`, `folder1`, …), where the links lead, and a folder for what is aside.
 */
import { renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

const [parent, count, elsewhere, aside] = process.argv.slice(2) as [string, string, string, string];

for (let round = 0; ; round++) {
  const name = `folder${round % Number(count)}`;
  for (let time = 0; time < 20; time++) {
    // The restore may get in between: then a step fails, and the next round finds what is there.
    attempt(() => renameSync(join(parent, name), join(aside, name)));
    attempt(() => symlinkSync(elsewhere, join(parent, name)));
    attempt(() => unlinkSync(join(parent, name)));
    attempt(() => renameSync(join(aside, name), join(parent, name)));
  }
}

function attempt(step: () => void): void {
  try {
    step();
  } catch {}
}
