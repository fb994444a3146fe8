/** `lagan undelete`: brings back snapshots that were removed, as long as no collection has acted. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { SnapshotInfo } from '../shared/engine.ts';
import { usageError } from '../shared/errors.ts';
import { reportFates } from '../shared/fates.ts';
import { snapshotFields } from '../shared/json.ts';
import { addExamples } from '../shared/options.ts';
import { openRepository } from '../shared/repository.ts';
import { describeSnapshot, parseSnapshotReference, shortId } from '../shared/snapshots.ts';

interface UndeleteOptions {
  readonly dryRun?: boolean;
}

export function define(command: Command): void {
  command
    .description(
      'Brings back snapshots that lagan forget or lagan rewrite has removed, as long as lagan maintain has not collected them. Without a snapshot: lists those that can be brought back.',
    )
    .argument('[snapshots...]', 'ids, or their beginnings')
    .option('-n, --dry-run', 'only say what would be done')
    .action(async (snapshots: string[], _options: object, self: Command) => run(contextOf(self), snapshots, self.opts()));
  addExamples(command, [
    ['lagan undelete', 'what can be brought back'],
    ['lagan undelete 3f2a91c0', 'bring it back'],
  ]);
}

async function run(context: Context, texts: string[], options: UndeleteOptions): Promise<void> {
  const references = texts.map(parseSnapshotReference);
  if (references.some(({ snapshot }) => snapshot.startsWith('latest'))) throw usageError('latest is never removed', 'give the ids');
  if (references.length === 0) return list(context);
  context.output.goOnWhenClosed();
  const { engine, repository } = await openRepository(context, options.dryRun ? 'metadata' : 'write');
  const { signal } = context;
  const infos: SnapshotInfo[] = [];
  for (const { snapshot } of references) infos.push(await engine.resolveSnapshot(repository, snapshot, { includeDeleted: true, signal }));
  const ids = infos.map(({ id }) => id);
  if (options.dryRun) {
    await context.output.json({ type: 'undeleted', outcome: 'dry-run', snapshots: ids.map((id) => ({ id })) });
    for (const info of infos) await context.output.summary(`dry run: ${describeSnapshot(info)} would be brought back`);
    return;
  }
  const fates = await engine.unmarkSnapshots(repository, ids, { signal });
  await reportFates(context, fates);
  const wasThere = new Set(infos.filter((info) => !info.deleted).map(({ id }) => id));
  for (const id of fates.keys()) await context.output.summary(`${shortId(id)} ${wasThere.has(id) ? 'was not removed' : 'is back'}`);
  await context.output.json({ type: 'undeleted', outcome: 'undeleted', snapshots: [...fates].map(([id, fate]) => ({ id, fate })) });
}

async function list(context: Context): Promise<void> {
  const { engine, repository } = await openRepository(context, 'metadata');
  const onDamage = (error: Error) => void context.output.warning(error.message).catch(() => {});
  const all = await engine.listSnapshots(repository, { includeDeleted: true, onDamage, signal: context.signal });
  const deleted = all.filter((info) => info.deleted);
  await context.output.json({ type: 'deleted', snapshots: deleted.map(snapshotFields) });
  for (const info of deleted) await context.output.line(context.output.name(describeSnapshot(info)));
  if (deleted.length === 0) context.output.note('no snapshots to bring back');
}
