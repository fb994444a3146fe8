/** `lagan init`: makes a repository. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import { createRepository } from '../shared/create.ts';
import { addExamples } from '../shared/options.ts';

export function define(command: Command): void {
  command
    .description(
      'Makes a repository at the place of -r. What opens it: the password of --password-file or --password-command, or the key file of --key-file, which is made if it does not exist; otherwise you are asked for a password. The first `lagan backup` does the same by itself if no place is configured.',
    )
    .action(async (_options: object, self: Command) => run(contextOf(self)));
  addExamples(command, [
    ['lagan init -r /mnt/disk/backups', 'asks for a password'],
    ['lagan init -r /mnt/disk/backups --key-file ~/disk.key', 'makes the key file'],
    ['lagan init', 'the repository in your data folder, with a key file'],
  ]);
}

async function run(context: Context): Promise<void> {
  context.output.goOnWhenClosed();
  const created = await createRepository(context, 'must be new');
  await context.output.summary(`repository ${created.repository.id}`);
}
