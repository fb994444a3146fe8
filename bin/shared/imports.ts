/** Snapshots that were made of other backups: which are there, and what is told of them. */
import type { Context } from './context.ts';
import type { BackupResult, ImportedFrom, Snapshot } from './engine.ts';
import { pathFields } from './json.ts';
import type { OpenedRepository } from './repository.ts';
import { formatCountOf, formatSize } from './sizes.ts';
import { shortId } from './snapshots.ts';
import { textOfBytes } from './text.ts';
import { formatExactTime, formatTime, type Time } from './times.ts';

/** What is kept of any backup that a snapshot is made of. */
export type BackupFacts = Pick<Snapshot, 'started' | 'ended' | 'host' | 'user' | 'paths' | 'tags' | 'description'>;

/** Equal for the same backup of the same repository. */
export function keyOfImport({ program, repository, snapshot }: ImportedFrom): string {
  return JSON.stringify([program, repository, snapshot]);
}

/** Of all backups that snapshots were made of. Those whose snapshots were removed are not among them. */
export async function importedKeys(context: Context, { engine, repository }: OpenedRepository): Promise<Set<string>> {
  const onDamage = (error: Error) => void context.output.warning(error.message).catch(() => {});
  const snapshots = await engine.listSnapshots(repository, { onDamage, signal: context.signal });
  return new Set(
    snapshots.flatMap(({ snapshot }) => {
      const from = engine.importedFrom(snapshot);
      return from === null ? [] : [keyOfImport(from)];
    }),
  );
}

export interface Told {
  readonly from: ImportedFrom | undefined;
  readonly started: Time;
  readonly host: string;
  readonly paths: readonly Uint8Array[];
  readonly outcome: 'imported' | 'present' | 'dry-run' | 'failed';
  readonly result: BackupResult | undefined;
}

const words = { imported: 'imported as', present: 'imported before', 'dry-run': 'would be imported', failed: 'failed' };

/** Tells of one backup. */
export async function tellImport({ output }: Context, { from, started, host, paths, outcome, result }: Told): Promise<void> {
  const snapshot = result?.snapshotId ?? null;
  await output.json({
    type: 'import',
    outcome,
    from: from ?? null,
    time: formatExactTime(started),
    host,
    paths: paths.map((path) => pathFields(path)),
    snapshot,
    ...(result && { statistics: result.statistics }),
  });
  const what = output.name(
    `${from ? `${shortId(from.snapshot)} ` : ''}of ${formatTime(started)}, ${paths.map(textOfBytes).join(' ')} on ${host}`,
  );
  const amount = result ? `: ${formatCountOf(result.statistics.files, 'file')}, ${formatSize(result.statistics.bytes)}` : '';
  const line = `${what}: ${words[outcome]}${snapshot === null ? '' : ` ${shortId(snapshot)}`}${amount}`;
  if (outcome === 'present') output.detail(line);
  else await output.summary(line);
}
