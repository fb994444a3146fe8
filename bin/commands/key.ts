/** `lagan key`: what opens the repository. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import { keyFileSecret, slotSecret } from '../shared/create.ts';
import type { Engine, KeySlotInfo, NewSlot, Secret } from '../shared/engine.ts';
import { usageError } from '../shared/errors.ts';
import { defineRotation } from '../shared/key-rotation.ts';
import { describeKey, keyFields } from '../shared/keys.ts';
import { addExamples } from '../shared/options.ts';
import { recipientSlot } from '../shared/recipients.ts';
import { qrLines, type RecoveryKey, type SheetFields, wordLines, writeSheet } from '../shared/recovery-sheet.ts';
import { type OpenedRepository, openRepository, sourceOfSecret } from '../shared/repository.ts';
import { askNewPassword, readSecret, type SecretOptions, type SecretSource, sourceOfOptions } from '../shared/secrets.ts';
import { shortId } from '../shared/snapshots.ts';
import { formatTable } from '../shared/table.ts';
import { formatTime } from '../shared/times.ts';

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
  defineIdentity(command);
  defineRotation(command);
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
      'what was stored stays; who has a copy of the key and of its slot can still open the repository: see lagan key revoke',
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
      'Prints what opens the repository, to be kept on paper or elsewhere: the key file in use; or, if a password is in use, a new key. It is a line of text; on a terminal also 24 words and a QR code, any of which is enough. It is typed where a password is asked for, or saved in a file that is given with --key-file.',
    );
  command
    .option('--words', 'only the words')
    .option('--qr', 'only the QR code')
    .option('--page <file>', 'write a page that can be printed: HTML, with text, words and code')
    .option('--new', 'a key of its own, also if a key file is in use, so that it can be removed by itself')
    .option('--label <text>', 'what a new key is called in the list')
    .action(async (_options: object, self: Command) => recovery(contextOf(self), self.opts()));
  addExamples(command, [
    ['lagan key recovery', 'print it, write it down'],
    ['lagan key recovery --page recovery.html', 'print the page, then delete the file'],
    ['lagan key recovery > /media/usb/lagan.key', 'or keep it on another medium'],
  ]);
}

function defineIdentity(key: Command): void {
  const command = key
    .command('identity')
    .summary('make an identity')
    .description(
      'Makes a file with a private key and prints its public key. Who has the public key can add a key slot with it (key add --recipient, init --recipient); only the file opens that. So the file can stay off all machines that make backups. No repository is needed.',
    );
  command
    .argument('<file>', 'where the private key goes')
    .action(async (file: string, _options: object, self: Command) => identity(contextOf(self), file));
  addExamples(command, [['lagan key identity /media/usb/escrow.key > escrow.pub', 'the one is locked away, the other handed out']]);
}

function addNewKeyOptions(command: Command): Command {
  return command
    .option('--new-key-file <file>', 'a key file, made if it does not exist')
    .option('--new-password-file <file>', 'file that holds the new password')
    .option('--new-password-command <command>', 'command that prints the new password')
    .option('--recipient <[label=]key>', 'public key (lagan-recipient-1 …), or the file that holds it')
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
    key.standing === 'stale' ? `${output.name(key.label)} (opens nothing any more)` : output.name(key.label),
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

interface RecoveryOptions {
  readonly words?: boolean;
  readonly qr?: boolean;
  readonly page?: string;
  readonly new?: boolean;
  readonly label?: string;
}

/** The recovery key is data and goes to standard output; what it is goes to standard error. */
async function recovery(context: Context, options: RecoveryOptions): Promise<void> {
  if (options.words && options.qr) throw usageError('--words and --qr contradict each other');
  const page = options.page === undefined ? undefined : context.resolve(options.page);
  if (page !== undefined && existsSync(page)) throw usageError(`${page} is there already`, 'give --page another name');
  const opened = await openRepository(context, 'write');
  const source = await sourceOfSecret(context, opened.place);
  const isInUse = source?.kind === 'key-file' && !options.new;
  const { secret, key } = isInUse
    ? { secret: await keyFileInUse(context, source), key: undefined }
    : await newRecoveryKey(context, opened, options);
  const { output } = context;
  output.note(
    key ? `added the key ${shortId(key.id)}, ${key.label}; this is its text:` : `this is the text of ${(source as { path: string }).path}:`,
  );
  const text = opened.engine.keyText(secret);
  const words = secret.kind === 'key-file' ? await opened.engine.keyWords(secret) : undefined;
  if (options.words && words === undefined) throw usageError('an identity has no words', 'without --words its text is printed');
  await output.json({ type: 'recovery-key', text, words: words ?? null, page: page ?? null, added: key ? keyFields(key) : null });
  if (page !== undefined) await writeSheet(page, { text, words }, sheetFields(opened, key?.label ?? 'key file in use'));
  await printRecovery(context, { text, words }, options);
  output.note('Whoever has it can open the repository. It is typed where a password is asked for, or saved in a file: --key-file FILE');
  if (page !== undefined) output.note(`${page} has it, too: print it, then delete it`);
}

/** Without a terminal the text alone, so that what is redirected into a file is a key file. */
async function printRecovery({ output }: Context, { text, words }: RecoveryKey, options: RecoveryOptions): Promise<void> {
  const isAll = output.isTerminal && !options.words && !options.qr;
  if (!options.words && !options.qr) await output.line(text);
  if (isAll && words !== undefined) for (const line of ['', ...wordLines(words), '']) await output.line(line);
  if (options.words) await output.line(words!.join(' '));
  if (isAll || options.qr) for (const line of await qrLines(text, { coloured: output.isTerminal })) await output.line(line);
}

function sheetFields({ repository, storage }: OpenedRepository, label: string): SheetFields {
  return { repositoryId: repository.id, location: storage.location, label, date: new Date().toISOString().slice(0, 10) };
}

async function keyFileInUse(context: Context, source: SecretSource): Promise<Exclude<Secret, { kind: 'password' }>> {
  const secret = await readSecret(context, source);
  if (secret.kind === 'password') throw new TypeError('a key file holds no password');
  return secret;
}

async function newRecoveryKey(
  context: Context,
  { engine, repository }: OpenedRepository,
  { label = 'recovery key' }: RecoveryOptions,
): Promise<{ secret: Exclude<Secret, { kind: 'password' }>; key: KeySlotInfo }> {
  const secret = engine.newKeyFileSecret();
  return { secret, key: await engine.addKey(repository, { secret, label, signal: context.signal }) };
}

async function identity(context: Context, file: string): Promise<void> {
  const engine = await context.engine();
  const { privateKey, publicKey } = engine.newIdentity();
  const path = context.resolve(file);
  await engine.writeKeyFile(path, { kind: 'identity', privateKey });
  const { output } = context;
  const recipient = engine.recipientText(publicKey);
  await output.json({ type: 'identity', file: path, recipient });
  await output.line(recipient);
  output.note(`The private key is in ${path}: keep it off the machines that make backups. What is printed above may be known to all.`);
}

async function newSlot(context: Context, engine: Engine, options: NewKeyOptions): Promise<NewSlot> {
  const { secret, label } = await newSecret(context, engine, options);
  return { secret, label: options.label ?? label, grants: options.metadataOnly ? 'metadata' : 'full' };
}

async function newSecret(context: Context, engine: Engine, options: NewKeyOptions): Promise<Pick<NewSlot, 'secret' | 'label'>> {
  const source = sourceOfOptions(newSecretOptions(options), (path) => context.resolve(path), newNames);
  if (source && options.recipient) throw usageError(`${source.origin} and --recipient contradict each other`);
  if (options.recipient) return recipientSlot(context, engine, options.recipient);
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

async function tell({ output }: Context, outcome: 'added' | 'removed' | 'changed' | 'dry-run', key: KeySlotInfo): Promise<void> {
  await output.json({ type: 'key', outcome, key: keyFields(key) });
  const words = { added: 'added', removed: 'removed', changed: 'changed: now there is', 'dry-run': 'would remove' };
  await output.summary(`${words[outcome]} ${describeKey(output, key)}`);
}
