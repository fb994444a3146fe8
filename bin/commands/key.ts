/** `lagan key`: what opens the repository. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import { keyFileSecret, slotSecret } from '../shared/create.ts';
import type { Engine, KeySlotInfo, NewSlot } from '../shared/engine.ts';
import { usageError } from '../shared/errors.ts';
import { addExamples } from '../shared/options.ts';
import { type OpenedRepository, openRepository, sourceOfSecret } from '../shared/repository.ts';
import { askNewPassword, readSecret, type SecretOptions, type SecretSource, sourceOfOptions } from '../shared/secrets.ts';
import { shortId } from '../shared/snapshots.ts';
import { formatTable } from '../shared/table.ts';
import { formatExactTime, formatTime } from '../shared/times.ts';

interface NewKeyOptions {
  readonly newKeyFile?: string;
  readonly newPasswordFile?: string;
  readonly newPasswordCommand?: string;
  readonly recipient?: string;
  readonly label?: string;
  readonly metadataOnly?: boolean;
}

const newNames = { passwordFile: '--new-password-file', passwordCommand: '--new-password-command', keyFile: '--new-key-file' };

export function define(command: Command): void {
  command.description('A repository opens with any of its keys: passwords, key files and recovery keys. Each has a slot.');
  defineList(command);
  defineAdd(command);
  defineRemove(command);
  defineChange(command);
  defineRecovery(command);
}

function defineList(key: Command): void {
  const command = key.command('list').summary('list the keys').description('Lists the keys. The one in use now is marked.');
  command.action(async (_options: object, self: Command) => list(contextOf(self)));
  addExamples(command, [['lagan key list', 'which keys open the repository']]);
}

function defineAdd(key: Command): void {
  const command = key.command('add').summary('add a key').description('Adds a key. Without an option a new password is asked for.');
  addNewKeyOptions(command).action(async (_options: object, self: Command) => add(contextOf(self), self.opts()));
  addExamples(command, [
    ['lagan key add --label laptop', 'asks for a new password'],
    ['lagan key add --new-key-file ~/backup.key', 'makes the key file if it does not exist'],
    ['lagan key add --recipient lagan-recipient-1...', 'a key that only the owner of the identity can use'],
    ['lagan key add --new-key-file monitor.key --metadata-only', 'opens lists and names, not contents'],
  ]);
}

function defineRemove(key: Command): void {
  const command = key.command('remove').summary('remove a key').description('Removes a key. The last one that opens everything stays.');
  command
    .argument('<key>', 'id, its beginning, or label, as key list prints them')
    .option('-n, --dry-run', 'only say what would be done')
    .action(async (id: string, _options: object, self: Command) => remove(contextOf(self), id, self.opts()));
  addExamples(command, [
    [
      'lagan key remove 7c01',
      'what was stored stays; copies of the key that were made before can still open copies of the repository made before',
    ],
  ]);
}

function defineChange(key: Command): void {
  const command = key
    .command('change')
    .summary('replace a key')
    .description('Adds a new key and removes the old one: by default the key in use now.');
  command.argument('[key]', 'the key to replace');
  addNewKeyOptions(command).action(async (id: string | undefined, _options: object, self: Command) =>
    change(contextOf(self), id, self.opts()),
  );
  addExamples(command, [['lagan key change', 'a new password instead of the one used now']]);
}

function defineRecovery(key: Command): void {
  const command = key
    .command('recovery')
    .summary('print a recovery key')
    .description(
      'Prints a line of text that opens the repository, to be kept on paper or elsewhere: the text of the key file in use; or, if a password is in use, that of a new key. Saved in a file it is given with --key-file.',
    );
  command.action(async (_options: object, self: Command) => recovery(contextOf(self)));
  addExamples(command, [
    ['lagan key recovery', 'print it, write it down'],
    ['lagan key recovery > /media/usb/lagan.key', 'or keep it on another medium'],
  ]);
}

function addNewKeyOptions(command: Command): Command {
  return command
    .option('--new-key-file <file>', 'a key file, made if it does not exist')
    .option('--new-password-file <file>', 'file that holds the new password')
    .option('--new-password-command <command>', 'command that prints the new password')
    .option('--recipient <text>', 'public key (lagan-recipient-1 …), or the file that holds it')
    .option('--label <text>', 'what the key is called in the list')
    .option('--metadata-only', 'opens names and lists, not the contents of files');
}

async function list(context: Context): Promise<void> {
  const { engine, repository } = await openRepository(context, 'metadata');
  const keys = await engine.listKeys(repository, { signal: context.signal });
  const { output } = context;
  await output.json({ type: 'keys', keys: keys.map(keyFields) });
  const columns = [
    { heading: '' },
    { heading: 'ID' },
    { heading: 'Kind' },
    { heading: 'Opens' },
    { heading: 'Created' },
    { heading: 'Label' },
  ];
  const rows = keys.map((key) => [
    key.isCurrent ? '*' : '',
    shortId(key.id),
    key.kind,
    key.grants,
    key.damaged === undefined ? formatTime(key.created) : 'damaged',
    output.name(key.label),
  ]);
  for (const line of formatTable(columns, rows)) await output.line(line);
}

async function add(context: Context, options: NewKeyOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const { engine, repository } = await openRepository(context, 'write');
  const slot = await newSlot(context, engine, options);
  const key = await engine.addKey(repository, { ...slot, signal: context.signal });
  await tell(context, 'added', key);
}

async function remove(context: Context, id: string, options: { dryRun?: boolean }): Promise<void> {
  context.output.goOnWhenClosed();
  const { engine, repository } = await openRepository(context, options.dryRun ? 'metadata' : 'write');
  if (!options.dryRun) return tell(context, 'removed', await engine.removeKey(repository, id, { signal: context.signal }));
  const keys = (await engine.listKeys(repository, { signal: context.signal })).filter(
    (key) => key.id.startsWith(id.toLowerCase()) || key.label === id,
  );
  const [key, ...others] = keys;
  if (!key || others.length > 0) throw usageError(`${id} names ${keys.length} keys`, 'lagan key list shows their ids and labels');
  await tell(context, 'dry-run', key);
}

async function change(context: Context, id: string | undefined, options: NewKeyOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const { engine, repository } = await openRepository(context, 'write');
  const slot = await newSlot(context, engine, options);
  const key = await engine.changeKey(repository, { id, slot, signal: context.signal });
  await tell(context, 'changed', key);
}

/** The recovery key is data and goes to standard output; what it is goes to standard error. */
async function recovery(context: Context): Promise<void> {
  const opened = await openRepository(context, 'write');
  const source = await sourceOfSecret(context, opened.place);
  const { text, key } =
    source?.kind === 'key-file'
      ? { text: await keyTextOf(context, opened, source), key: undefined }
      : await newRecoveryKey(context, opened);
  const { output } = context;
  output.note(
    key ? `added the key ${shortId(key.id)}, ${key.label}; this is its text:` : `this is the text of ${(source as { path: string }).path}:`,
  );
  await output.json({ type: 'recovery-key', text: text.trim(), added: key ? keyFields(key) : null });
  await output.line(text.trim());
  output.note('Whoever has it can open the repository. To use it save it in a file: --key-file FILE');
}

async function keyTextOf(context: Context, { engine }: OpenedRepository, source: SecretSource): Promise<string> {
  const secret = await readSecret(context, source);
  if (secret.kind === 'password') throw new TypeError('a key file holds no password');
  return engine.keyText(secret);
}

async function newRecoveryKey(context: Context, { engine, repository }: OpenedRepository): Promise<{ text: string; key: KeySlotInfo }> {
  const secret = engine.newKeyFileSecret();
  const key = await engine.addKey(repository, { secret, label: 'recovery key', signal: context.signal });
  return { text: engine.keyText(secret), key };
}

async function newSlot(context: Context, engine: Engine, options: NewKeyOptions): Promise<NewSlot> {
  const { secret, label } = await newSecret(context, engine, options);
  return { secret, label: options.label ?? label, grants: options.metadataOnly ? 'metadata' : 'full' };
}

async function newSecret(context: Context, engine: Engine, options: NewKeyOptions): Promise<Pick<NewSlot, 'secret' | 'label'>> {
  const source = sourceOfOptions(newSecretOptions(options), (path) => context.resolve(path), newNames);
  if (source && options.recipient) throw usageError(`${source.origin} and --recipient contradict each other`);
  if (options.recipient) {
    const publicKey = engine.parseRecipient(await recipientText(context, options.recipient));
    return { secret: { kind: 'recipient', publicKey }, label: 'recipient' };
  }
  if (source?.kind === 'key-file') {
    const { secret } = await keyFileSecret(context, engine, source.path);
    return { secret: slotSecret(engine, secret), label: 'key file' };
  }
  return { secret: slotSecret(engine, source ? await readSecret(context, source) : await askNewPassword(context)), label: 'password' };
}

function newSecretOptions({ newKeyFile, newPasswordFile, newPasswordCommand }: NewKeyOptions): SecretOptions {
  return {
    ...(newKeyFile && { keyFile: newKeyFile }),
    ...(newPasswordFile && { passwordFile: newPasswordFile }),
    ...(newPasswordCommand && { passwordCommand: newPasswordCommand }),
  };
}

async function recipientText(context: Context, recipient: string): Promise<string> {
  const path = context.resolve(recipient);
  return existsSync(path) ? readFile(path, 'utf8') : recipient;
}

async function tell({ output }: Context, outcome: 'added' | 'removed' | 'changed' | 'dry-run', key: KeySlotInfo): Promise<void> {
  await output.json({ type: 'key', outcome, key: keyFields(key) });
  const words = { added: 'added', removed: 'removed', changed: 'changed: now there is', 'dry-run': 'would remove' };
  await output.summary(
    `${words[outcome]} ${shortId(key.id)}, ${output.name(key.label)} (${key.kind}, opens ${key.grants === 'full' ? 'everything' : 'metadata'})`,
  );
}

function keyFields({ id, label, kind, grants, created, isCurrent, damaged }: KeySlotInfo): object {
  return { id, label, kind, grants, created: formatExactTime(created), isCurrent, ...(damaged !== undefined && { damaged }) };
}
