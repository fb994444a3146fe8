/** A process that backs up one version of its source after another until it is killed. */
import { backupWithin } from '../../engine/backup/backup.ts';
import { openStorage } from '../../engine/mod.ts';
import { isLaganError } from '../../repo-format/mod.ts';
import { fill, open } from './_crash-points.ts';
import { say, sayStarted, taskOf } from './_kill-messages.ts';
import { contentsOfVersion } from './_kill-source.ts';

const { repository: place, source, writer, firstVersion } = taskOf(process.argv[2]);
await open(openStorage(place));
sayStarted();
for (let version = firstVersion!; ; version++) {
  fill(source!, contentsOfVersion(writer!, version));
  try {
    const repository = await open(openStorage(place));
    const options = { paths: [source!], host: `writer ${writer}`, workers: 1 };
    const { snapshotId } = await backupWithin(repository, options, { checkpointNewBytes: 200_000, batchFiles: 4, waitingTokens: 8 });
    say({ type: 'acknowledged', id: snapshotId!, version });
  } catch (error) {
    // The collector may have passed it; anything else must not be.
    if (!isLaganError(error, 'superseded'))
      say({ type: 'fault', words: `writer ${writer}: ${error instanceof Error ? error.stack : error}` });
  }
}
