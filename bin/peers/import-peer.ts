/** Imports the snapshots of a peer's repository, the oldest first. */

import type { Context } from '../shared/context.ts';
import type { BackupResult, ImportedFrom } from '../shared/engine.ts';
import { isLaganError, LaganError, usageError } from '../shared/errors.ts';
import { importedKeys, keyOfImport, tellImport } from '../shared/imports.ts';
import { type OpenedRepository, openRepository } from '../shared/repository.ts';
import { Running } from '../shared/running.ts';
import { formatCountOf } from '../shared/sizes.ts';
import type { FilterOptions } from '../shared/snapshots.ts';
import { shortId } from '../shared/snapshots.ts';
import { bytesOfText } from '../shared/text.ts';
import { compareTimes } from '../shared/times.ts';
import type { Peer, PeerCommands, PeerSnapshot } from './peer.ts';
import { commandsOf } from './run-peer.ts';
import { expectSpace, neutralFoldersAbove, withScratch } from './scratch.ts';

export interface PeerImportOptions extends FilterOptions {
  readonly from?: string;
  readonly latest?: number;
  readonly again?: boolean;
  readonly scratchDir?: string;
  /** Only false says anything. */
  readonly spaceCheck?: boolean;
  readonly dryRun?: boolean;
}

/** Of the snapshots that were named, those that a peer has; all if none was. */
export type Chosen = (snapshots: readonly PeerSnapshot[]) => readonly PeerSnapshot[];

/** By ids, their beginnings, or names. Codes: snapshot-not-found, ambiguous, usage. */
export function chosenSnapshots(texts: readonly string[]): Chosen {
  for (const text of texts) if (text === '') throw usageError('an empty text names no snapshot');
  if (texts.length === 0) return (snapshots) => snapshots;
  return (snapshots) => {
    const found = texts.map((text) => chosenSnapshot(snapshots, text));
    return snapshots.filter((snapshot) => found.includes(snapshot));
  };
}

function chosenSnapshot(snapshots: readonly PeerSnapshot[], text: string): PeerSnapshot {
  const named = snapshots.find(({ id, name }) => id === text || name === text);
  if (named !== undefined) return named;
  const [found, ...others] = text.length < 4 ? [] : snapshots.filter(({ id }) => id.startsWith(text.toLowerCase()));
  if (found === undefined)
    throw new LaganError('snapshot-not-found', `there is no snapshot ${text} to import`, { found: text, hint: '--dry-run lists them' });
  if (others.length > 0) throw new LaganError('ambiguous', `${text} fits ${others.length + 1} snapshots`, { hint: 'give more digits' });
  return found;
}

/** Of a snapshot of which the peer could not restore all. */
const incompleteTag = 'incomplete';

export async function importFromPeer(context: Context, peer: Peer, options: PeerImportOptions & { chosen: Chosen }): Promise<void> {
  context.output.goOnWhenClosed();
  const opened = await openRepository(context, options.dryRun ? 'read' : 'write');
  const commands = commandsOf(context, peer, options.from);
  const { id, snapshots } = await peer.repository(commands);
  const chosen = latestOf(
    options.chosen(snapshots).filter((snapshot) => fits(snapshot, options)),
    options.latest,
  );
  const present = options.again ? new Set<string>() : await importedKeys(context, opened);
  const counts = { imported: 0, present: 0, failed: 0 };
  const dryRun = options.dryRun ?? false;
  for (const snapshot of chosen.toSorted((a, b) => compareTimes(a.started, b.started))) {
    const from = { program: peer.name, repository: id, snapshot: snapshot.id };
    const known = present.has(keyOfImport(from));
    const outcome = known ? 'present' : dryRun ? 'dry-run' : 'imported';
    try {
      const result = outcome === 'imported' ? await importOne({ context, opened, peer, commands }, snapshot, { from, options }) : undefined;
      await tellImport(context, { from, ...snapshot, outcome, result });
      counts[known ? 'present' : 'imported']++;
    } catch (error) {
      // Another snapshot may be whole, but without space, store or patience it is no use to go on.
      if (!isLaganError(error, 'io') && !isLaganError(error, 'source-empty')) throw error;
      counts.failed++;
      await context.output.warning(`snapshot ${shortId(snapshot.id)} of ${peer.name} is not imported: ${error.message}`, {
        code: error.code,
      });
      await tellImport(context, { from, ...snapshot, outcome: 'failed', result: undefined });
      context.endWith('partial');
    }
  }
  await summarize(context, peer, { dryRun, counts });
}

interface ImportParts {
  readonly context: Context;
  readonly opened: OpenedRepository;
  readonly peer: Peer;
  readonly commands: PeerCommands;
}

async function importOne(
  { context, opened, peer, commands }: ImportParts,
  snapshot: PeerSnapshot,
  { from, options }: { from: ImportedFrom; options: PeerImportOptions },
): Promise<BackupResult> {
  const scratch = options.scratchDir!;
  if (options.spaceCheck !== false) await expectSpace(scratch, snapshot.sizeBytes ?? (await peer.sizeOf(commands, snapshot)) ?? 0);
  return withScratch(scratch, async (folder) => {
    context.output.detail(`restoring snapshot ${shortId(snapshot.id)} of ${peer.name} into ${folder}`);
    const warnings = await peer.restore(commands, snapshot, folder);
    for (const warning of warnings) await context.output.warning(`${peer.name}: ${warning}`, { code: 'partial' });
    if (warnings.length > 0) context.endWith('partial');
    if (!peer.keepsFoldersAbove) await neutralFoldersAbove(folder, snapshot.paths);
    const tags = [...snapshot.tags, ...(warnings.length > 0 ? [incompleteTag] : [])];
    const result = await backUp(context, opened, { folder, snapshot: { ...snapshot, tags }, from });
    if (result.errors.length > 0) context.endWith('partial');
    await pin(context, opened, { peer, snapshot, result });
    return result;
  });
}

async function backUp(
  context: Context,
  { engine, repository }: OpenedRepository,
  { folder, snapshot, from }: { folder: string; snapshot: PeerSnapshot; from: ImportedFrom },
): Promise<BackupResult> {
  const { host, user, paths, tags, description, started, ended } = snapshot;
  const running = new Running(context, 'importing');
  try {
    return await engine.backup(repository, {
      ...running.engineOptions,
      root: folder,
      paths,
      host,
      tags: [...new Set(tags)],
      description,
      parent: 'none',
      imported: { from, started, ended, user },
    });
  } finally {
    running.end();
  }
}

/** What the peer was told to keep is kept here, too. */
async function pin(
  { signal }: Context,
  { engine, repository }: OpenedRepository,
  { peer, snapshot, result }: { peer: Peer; snapshot: PeerSnapshot; result: BackupResult },
): Promise<void> {
  if (snapshot.pins.length === 0 || result.snapshotId === null) return;
  const reason = `pinned in ${peer.name}: ${snapshot.pins.join(', ')}`;
  await engine.holdSnapshots(repository, [result.snapshotId], { until: null, reason, signal });
}

function fits({ host, paths, tags }: PeerSnapshot, filter: FilterOptions): boolean {
  if (filter.host !== undefined && host !== filter.host) return false;
  const hasPath = (path: string) => paths.some((one) => Buffer.compare(one, bytesOfText(path)) === 0);
  return (filter.path ?? []).every(hasPath) && (filter.tag ?? []).every((tag) => tags.includes(tag));
}

/** The latest of each host and list of paths. */
function latestOf(snapshots: readonly PeerSnapshot[], count: number | undefined): readonly PeerSnapshot[] {
  if (count === undefined) return snapshots;
  const groups = Map.groupBy(snapshots, ({ host, paths }) =>
    JSON.stringify([host, ...paths.map((path) => Buffer.from(path).toString('latin1')).sort()]),
  );
  return [...groups.values()].flatMap((group) => group.toSorted((a, b) => compareTimes(a.started, b.started)).slice(-count));
}

async function summarize(
  { output }: Context,
  peer: Peer,
  { dryRun, counts }: { dryRun: boolean; counts: { imported: number; present: number; failed: number } },
): Promise<void> {
  const { imported, present, failed } = counts;
  await output.json({ type: 'summary', outcome: dryRun ? 'dry-run' : 'imported', ...counts });
  const parts = [
    `${formatCountOf(imported, 'snapshot')} ${dryRun ? 'would be imported' : 'imported'} from ${peer.name}`,
    ...(present > 0 ? [`${present} imported before`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
  ];
  await output.summary(parts.join(', '));
}
