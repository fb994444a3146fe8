/** A process that backs up one version of its source after another until it is killed. */
import { backupWithin } from '../../engine/backup/backup.ts';
import { isLaganError } from '../../repo-format/mod.ts';
import { fill } from './_crash-points.ts';
import { say, sayError, sayStarted, taskOf } from './_kill-messages.ts';
import { openPatiently } from './_kill-open.ts';
import { contentsOfVersion } from './_kill-source.ts';

const { repository: place, source, writer, firstVersion } = taskOf(process.argv[2]);
await openPatiently(place);
sayStarted();
for (let version = firstVersion!; ; version++) {
  fill(source!, contentsOfVersion(writer!, version));
  try {
    const repository = await openPatiently(place);
    const options = { paths: [source!], host: `writer ${writer}`, workers: 1 };
    const { snapshotId } = await backupWithin(repository, options, { checkpointNewBytes: 200_000, batchFiles: 4, waitingTokens: 8 });
    say({ type: 'acknowledged', id: snapshotId!, version });
  } catch (error) {
    // The collector may have passed it; anything else must not be.
    if (!isLaganError(error, 'superseded')) sayError(`writer ${writer}`, error, say);
  }
}
