/** Restores in a process of its own, to be killed or to be an ordinary user's. Argument: JSON of {repository, options}; prints the result as JSON. */
import { openRepository, openStorage, type RestoreOptions, resolveSnapshot, restore } from '../../../engine/mod.ts';
import { secret } from './_helpers.ts';

const { repository, options } = JSON.parse(process.argv[2]!) as { repository: string; options: RestoreOptions };
const opened = await openRepository(openStorage(repository), { secret, mode: 'read' });
const { statistics, errors, notRestored } = await restore(opened, await resolveSnapshot(opened, 'latest'), options);
process.stdout.write(
  JSON.stringify({
    statistics,
    errors: errors.map(({ code }) => code),
    notRestored: notRestored.map(({ kind, count, reason }) => ({ kind, count, reason })),
  }),
);
