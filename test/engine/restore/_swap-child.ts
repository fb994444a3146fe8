/** Swaps a folder for a symbolic link and back until it is killed. Arguments: the folder, and where the link leads. */
import { renameSync, symlinkSync, unlinkSync } from 'node:fs';

const [folder, elsewhere] = process.argv.slice(2) as [string, string];
for (;;) {
  try {
    renameSync(folder, `${folder}.aside`);
    symlinkSync(elsewhere, folder);
    unlinkSync(folder);
    renameSync(`${folder}.aside`, folder);
  } catch {
    // The restore got in between: the folder is there again, or will be.
    try {
      unlinkSync(folder);
    } catch {}
    try {
      renameSync(`${folder}.aside`, folder);
    } catch {}
  }
}
