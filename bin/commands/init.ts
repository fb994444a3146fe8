/** `lagan init`: makes a repository. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import { createRepository } from '../shared/create.ts';
import { addExamples, listOption } from '../shared/options.ts';
import { addOtherSecretOptions, openOther } from '../shared/other-repository.ts';

interface InitOptions {
  readonly like?: string;
  readonly recipient?: string[];
}

export function define(command: Command): void {
  command
    .description(
      'Makes a repository at the place of -r. What opens it: the password of --password-file or --password-command, or the key file of --key-file, which is made if it does not exist; otherwise you are asked for a password. The first `lagan backup` does the same by itself if no place is configured.',
    )
    .option(
      '--like <place>',
      'cut files and name chunks as the repository there, so that lagan copy between the two copies blocks as they are; keys and access are its own',
    )
    .addOption(
      listOption(
        '--recipient <[label=]key>',
        'public key, or file with one, of somebody who can open it, too (may be repeated; besides those of the configuration)',
      ),
    )
    .action(async (_options: object, self: Command) => run(contextOf(self), self.opts()));
  addOtherSecretOptions(command, 'like', 'the repository of --like');
  addExamples(command, [
    ['lagan init -r /mnt/disk/backups', 'asks for a password'],
    ['lagan init -r /mnt/disk/backups --key-file ~/disk.key', 'makes the key file'],
    ['lagan init -r s3:https://store/tenant-7 --key-file t7.key --recipient escrow=escrow.pub', 'the operator can open it, too'],
    ['lagan init', 'the repository in your data folder, with a key file'],
    ['lagan init -r /mnt/second --like /mnt/disk/backups', 'a second one to copy to; asks for both passwords'],
  ]);
}

async function run(context: Context, options: InitOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const { like, recipient } = options;
  const openLike = like === undefined ? undefined : () => openOther(context, 'like', { location: like, options, mode: 'read' });
  const created = await createRepository(context, 'must be new', { like: openLike, recipients: recipient });
  await context.output.summary(`repository ${created.repository.id}`);
}
