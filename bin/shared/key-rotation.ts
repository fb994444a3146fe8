/** `lagan key rotate`, `rewrite`, `retire` and `revoke`: other keys for what is written from now on, then for all, and what to do after a theft. */
import type { Command } from 'commander';
import { type Context, contextOf } from './context.ts';
import type { ChangedKeys, OldEpochUse, RevocationPlan, RewriteEpochsResult, Secret } from './engine.ts';
import { usageError } from './errors.ts';
import { describeKey, keyFields } from './keys.ts';
import { addExamples, listOption, sizeOption } from './options.ts';
import { type OpenedRepository, openRepository } from './repository.ts';
import { Running } from './running.ts';
import { readSecret } from './secrets.ts';
import { formatCountOf, formatSize } from './sizes.ts';
import { formatDuration } from './times.ts';

interface RewriteOptions {
  readonly dryRun?: boolean;
  readonly maxRepack?: number;
}

interface RevokeOptions {
  readonly keepKeyFile?: string[];
  readonly keepPasswordFile?: string[];
  readonly dropOthers?: boolean;
  readonly dryRun?: boolean;
}

const keyringsStay =
  'the store did not let us delete the keyrings before: who has an old key can still open those, and so what was stored until now';

export function defineRotation(key: Command): void {
  defineRotate(key);
  defineRewrite(key);
  defineRetire(key);
  defineRevoke(key);
}

function defineRotate(key: Command): void {
  const command = key
    .command('rotate')
    .summary('seal new data with a new master key')
    .description(
      'Makes a new master key, with which everything is sealed that is written from now on. Passwords and key files stay the same. Backups that run end with the old one. What was stored before stays as it is, unless --rewrite is given.',
    );
  command
    .option('--rewrite', 'then seal all that was stored before anew, as lagan key rewrite does')
    .addOption(maxRepackOption())
    .action(async (_options: object, self: Command) => rotate(contextOf(self), self.opts()));
  addExamples(command, [
    ['lagan key rotate', 'from now on; what is stored stays as it is'],
    ['lagan key rotate --rewrite', 'and then all that is stored'],
  ]);
}

function defineRewrite(key: Command): void {
  const command = key
    .command('rewrite')
    .summary('seal everything with the newest master key')
    .description(
      'Copies everything that is sealed with an old master key and seals it with the newest; what it replaces is deleted. Backups and restores may run meanwhile. It may be interrupted at any time: the next one goes on from there.',
    );
  command
    .option('-n, --dry-run', 'only say what is sealed with old keys')
    .addOption(maxRepackOption())
    .action(async (_options: object, self: Command) => rewrite(contextOf(self), self.opts()));
  addExamples(command, [['lagan key rewrite', 'after lagan key rotate; as often as it takes']]);
}

function defineRetire(key: Command): void {
  const command = key
    .command('retire')
    .summary('forget the old master keys')
    .description(
      'Makes sure that nothing is sealed with an old master key, as lagan key rewrite does, and takes the old ones out of the keyring. Who steals a key afterwards cannot open copies of what was stored before.',
    );
  command
    .option('-n, --dry-run', 'only say what is sealed with old keys')
    .addOption(maxRepackOption())
    .action(async (_options: object, self: Command) => retire(contextOf(self), self.opts()));
  addExamples(command, [['lagan key retire', 'when all is rewritten']]);
}

function defineRevoke(key: Command): void {
  const command = key
    .command('revoke')
    .summary('lock out a key that was stolen')
    .description(
      'Removes keys so that who has them, and copies of what the store had, cannot open what is written from now on: all other keys are made anew, and there is a new master key. That needs the secret of each key that stays: that of the key in use is known, keys of recipients need none, others are given with --keep-key-file and --keep-password-file. What was stored before stays readable to him until lagan key rewrite.',
    );
  command
    .argument('<key...>', 'ids, their beginnings, or labels, as key list prints them')
    .addOption(listOption('--keep-key-file <file>', 'key file or recovery key that stays (may be repeated)'))
    .addOption(listOption('--keep-password-file <file>', 'file with a password that stays (may be repeated)'))
    .option('--drop-others', 'remove the keys whose secrets are not given, too')
    .option('-n, --dry-run', 'only say what would be done')
    .action(async (names: string[], _options: object, self: Command) => revoke(contextOf(self), names, self.opts()));
  addExamples(command, [
    ['lagan key revoke laptop --dry-run', 'which keys would stay'],
    ['lagan key revoke laptop --keep-key-file /media/usb/recovery.key', 'the laptop was stolen'],
  ]);
}

function maxRepackOption() {
  return sizeOption('--max-repack <size>', 'how much is copied in one step at most (default: 8GiB)');
}

async function rotate(context: Context, options: RewriteOptions & { rewrite?: boolean }): Promise<void> {
  context.output.goOnWhenClosed();
  const opened = await openRepository(context, 'write');
  const changed = await opened.engine.rotateMasterKey(opened.repository, { signal: context.signal });
  await tellEpoch(context, 'rotated', changed);
  await context.output.summary(`what is written from now on is sealed with master key ${changed.epoch}`);
  if (options.rewrite) return rewriteOpened(context, { ...opened, repository: changed.repository }, options);
  context.output.note(
    'What was stored before stays sealed with the old keys: lagan key rewrite seals it anew. Names of chunks and the places where files are cut stay as they are.',
  );
}

async function rewrite(context: Context, options: RewriteOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const opened = await openRepository(context, options.dryRun ? 'metadata' : 'write');
  return options.dryRun ? tellUse(context, opened) : rewriteOpened(context, opened, options);
}

async function rewriteOpened(context: Context, { engine, repository }: OpenedRepository, { maxRepack }: RewriteOptions): Promise<void> {
  const running = new Running(context, 'sealing');
  try {
    const result = await engine.rewriteEpochs(repository, engineOptions(running, maxRepack));
    running.end();
    await tellRewritten(context, result);
    if (result.remaining.objects > 0) await tellRemaining(context, result.remaining);
    else await context.output.summary('nothing is sealed with older keys any more: lagan key retire forgets them');
  } finally {
    running.end();
  }
}

async function retire(context: Context, options: RewriteOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const opened = await openRepository(context, options.dryRun ? 'metadata' : 'write');
  if (options.dryRun) return tellUse(context, opened);
  const running = new Running(context, 'sealing');
  try {
    const { rewritten, ...changed } = await opened.engine.retireEpochs(opened.repository, engineOptions(running, options.maxRepack));
    running.end();
    await tellRewritten(context, rewritten);
    await tellEpoch(context, 'retired', changed);
    await context.output.summary(`the keyring has master key ${changed.epoch} only`);
  } finally {
    running.end();
  }
}

async function revoke(context: Context, names: string[], options: RevokeOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const opened = await openRepository(context, 'write');
  const { engine, repository } = opened;
  const secrets = [...opened.secrets, ...(await keptSecrets(context, options))];
  const request = { slots: names, secrets, signal: context.signal };
  const plan = await engine.planRevocation(repository, request);
  if (options.dryRun) return tellRevocation(context, 'dry-run', plan);
  if (plan.lost.length > 0 && !options.dropOthers) throw wouldLose(context, plan);
  const { plan: done, ...changed } = await engine.revokeKeys(repository, request);
  await tellRevocation(context, 'revoked', done, changed);
}

function engineOptions(running: Running, maxRepackBytes: number | undefined) {
  const { signal, onProgress } = running.engineOptions;
  const onDamage = ({ code, message }: { code: string; message: string }) => running.warn({ code, message });
  return { maxRepackBytes, onProgress, onDamage, signal };
}

async function keptSecrets(context: Context, { keepKeyFile = [], keepPasswordFile = [] }: RevokeOptions): Promise<Secret[]> {
  const secrets: Secret[] = [];
  for (const file of keepKeyFile)
    secrets.push(await readSecret(context, { kind: 'key-file', path: context.resolve(file), origin: '--keep-key-file' }));
  for (const file of keepPasswordFile)
    secrets.push(await readSecret(context, { kind: 'password-file', path: context.resolve(file), origin: '--keep-password-file' }));
  return secrets;
}

function wouldLose({ output }: Context, { lost }: RevocationPlan): Error {
  const keys = lost.map(({ key }) => describeKey(output, key)).join('; ');
  return usageError(
    `${formatCountOf(lost.length, 'other key')} would be lost: ${keys}`,
    'give their secrets with --keep-key-file or --keep-password-file; or remove them, too, with --drop-others, and give their owners new ones with lagan key add',
  );
}

async function tellEpoch({ output }: Context, outcome: 'rotated' | 'retired', changed: Omit<ChangedKeys, 'repository'>): Promise<void> {
  const { epoch, epochs, oldKeyringsDeleted } = changed;
  await output.json({ type: 'key-epoch', outcome, epoch, epochs, oldKeyringsDeleted });
  if (!oldKeyringsDeleted) await output.warning(keyringsStay, { code: 'forbidden' });
}

async function tellUse(context: Context, { engine, repository }: OpenedRepository): Promise<void> {
  const use = await engine.oldEpochUse(repository, { signal: context.signal });
  const { output } = context;
  await output.json({ type: 'key-rewrite', outcome: 'dry-run', epoch: use.epoch, remaining: remainingFields(use) });
  await output.summary(
    use.objects === 0
      ? `everything is sealed with master key ${use.epoch}`
      : `${formatCountOf(use.objects, 'object')} sealed with older keys than master key ${use.epoch}: ${countsOf(use)}`,
  );
}

async function tellRewritten({ output }: Context, result: RewriteEpochsResult): Promise<void> {
  const { remaining, collections, repackedPacks, repackedBytes, durationMs } = result;
  await output.json({
    type: 'key-rewrite',
    outcome: 'rewritten',
    epoch: remaining.epoch,
    collections,
    repackedPacks,
    repackedBytes,
    remaining: remainingFields(remaining),
    elapsedMs: Math.round(durationMs),
  });
  await output.summary(
    `sealed ${formatSize(repackedBytes)} in ${formatCountOf(repackedPacks, 'pack')} with master key ${remaining.epoch}, in ${formatDuration(durationMs)}`,
  );
}

async function tellRemaining({ output }: Context, use: OldEpochUse): Promise<void> {
  const why =
    use.byType.checkpoint === undefined
      ? 'lagan check tells what is damaged'
      : 'run the backups that were interrupted to their end, then run it again';
  await output.warning(`${formatCountOf(use.objects, 'object')} stay sealed with older keys: ${countsOf(use)}; ${why}`);
}

function remainingFields({ objects, byType, examples }: OldEpochUse): object {
  return { objects, byType, examples };
}

function countsOf({ byType }: OldEpochUse): string {
  return Object.entries(byType)
    .map(([type, count]) => `${type} ${count}`)
    .join(', ');
}

async function tellRevocation(
  context: Context,
  outcome: 'revoked' | 'dry-run',
  { revoked, kept, lost, stale }: RevocationPlan,
  changed?: Omit<ChangedKeys, 'repository'>,
): Promise<void> {
  const { output } = context;
  await output.json({
    type: 'key-revocation',
    outcome,
    revoked: revoked.map(keyFields),
    kept: kept.map(keyFields),
    lost: lost.map(({ key, reason }) => ({ key: keyFields(key), reason })),
    stale: stale.map(keyFields),
    epoch: changed?.epoch ?? null,
    oldKeyringsDeleted: changed?.oldKeyringsDeleted ?? null,
  });
  const isDry = changed === undefined;
  for (const key of revoked) await output.summary(`${isDry ? 'would revoke' : 'revoked'} ${describeKey(output, key)}`);
  for (const key of kept) await output.summary(`${isDry ? 'would keep' : 'kept'} ${describeKey(output, key)}`);
  for (const { key, reason } of lost) {
    const why = reason === 'secret' ? 'its secret was not given' : 'it cannot be told who made it';
    await output.summary(`${isDry ? 'would lose' : 'removed'} ${describeKey(output, key)}: ${why}`);
  }
  for (const key of stale)
    await output.summary(`${isDry ? 'would remove' : 'removed'} ${describeKey(output, key)}: it opens nothing any more`);
  if (changed === undefined) return;
  if (!changed.oldKeyringsDeleted) await output.warning(keyringsStay, { code: 'forbidden' });
  output.note(
    `What is written from now on is sealed with master key ${changed.epoch}, which the revoked keys do not open. What was stored before they still open, as far as their holder can read it in the store or has copies.`,
  );
  output.note('Next: change the credentials for the store that he may have; lagan key rewrite; lagan key retire.');
}
