/** Makes a snapshot of a tar archive. */
import type { ReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import type { Context } from './context.ts';
import type { BackupResult, GivenEntry, ImportedLabels } from './engine.ts';
import { systemError } from './errors.ts';
import { type ExportedSnapshot, readArchiveComment } from './exported.ts';
import { importedKeys, keyOfImport, tellImport } from './imports.ts';
import { type OpenedRepository, openRepository } from './repository.ts';
import { Running } from './running.ts';
import { pathInSnapshot } from './snapshots.ts';
import { readTar, type TarWarning } from './tar-reader.ts';
import { type Time, timeOfDate } from './times.ts';

export interface TarImportOptions {
  readonly host?: string;
  readonly time?: Time;
  readonly tag?: string[];
  readonly description?: string;
  readonly asPath?: string;
  readonly again?: boolean;
  readonly dryRun?: boolean;
}

/** An archive whose first entry has been looked at: what stands in front of it is known. */
interface BegunArchive {
  readonly exported: ExportedSnapshot | undefined;
  /** All entries, the first one too. A second time only if the archive is a file. */
  entries(): AsyncIterable<GivenEntry>;
  readonly isRepeatable: boolean;
}

/** `archive`: a file, or `-`. Codes: malformed, source-empty, io, and those of a backup. */
export async function importTar(context: Context, archive: string, options: TarImportOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const opened = await openRepository(context, options.dryRun ? 'read' : 'write');
  const running = new Running(context, 'importing');
  try {
    const begun = await begin(context, archive, (warning) => running.warn(warning));
    const labels = labelsOf(begun.exported, options);
    const from = labels.imported.from;
    const isPresent = from !== undefined && !options.again && (await importedKeys(context, opened)).has(keyOfImport(from));
    if (isPresent) for await (const _ of begun.entries());
    const result = isPresent ? undefined : await backUp(opened, { begun, labels, running, options });
    running.end();
    await tell(context, { labels, result, isPresent, dryRun: options.dryRun ?? false });
  } finally {
    running.end();
  }
}

interface Labels {
  readonly host: string;
  readonly paths: readonly Uint8Array[];
  readonly tags: readonly string[];
  readonly description: string;
  readonly imported: ImportedLabels;
}

/** Options count before what the archive says. */
function labelsOf(exported: ExportedSnapshot | undefined, { host, time, tag = [], description, asPath }: TarImportOptions): Labels {
  const now = timeOfDate(new Date());
  return {
    host: host ?? exported?.host ?? hostname(),
    paths: asPath !== undefined || exported === undefined ? [pathInSnapshot(asPath ?? '/')] : exported.paths,
    tags: [...new Set([...(exported?.tags ?? []), ...tag])],
    description: description ?? exported?.description ?? '',
    imported: {
      from: exported?.from,
      started: time ?? exported?.started ?? now,
      ended: time ?? exported?.ended ?? now,
      user: exported?.user ?? userInfo().username,
    },
  };
}

function backUp(
  { engine, repository }: OpenedRepository,
  { begun, labels, running, options }: { begun: BegunArchive; labels: Labels; running: Running; options: TarImportOptions },
): Promise<BackupResult> {
  const above = pathInSnapshot(options.asPath ?? '/');
  return engine.backupEntries(repository, {
    ...labels,
    ...running.engineOptions,
    dryRun: options.dryRun ?? false,
    isRepeatable: begun.isRepeatable,
    entries: () => (above.length === 1 ? begun.entries() : below(above, begun.entries())),
  });
}

async function* below(above: Uint8Array, entries: AsyncIterable<GivenEntry>): AsyncGenerator<GivenEntry> {
  const place = (path: Uint8Array) => Buffer.concat([above, Buffer.from('/'), path]);
  for await (const { path, what } of entries) yield { path: place(path), what: 'linkTo' in what ? { linkTo: place(what.linkTo) } : what };
}

async function begin(context: Context, archive: string, onWarning: (warning: TarWarning) => void): Promise<BegunArchive> {
  let exported: ExportedSnapshot | undefined;
  const onComment = (comment: string) => {
    exported = readArchiveComment(comment) ?? exported;
  };
  const read = (bytes: AsyncIterable<Uint8Array>) => readTar(bytes, { onWarning, onComment });
  if (archive !== '-') {
    const path = context.resolve(archive);
    const first = read(await fileStream(path));
    await first.next();
    await first.return(undefined);
    const fromFile = async function* () {
      yield* read(await fileStream(path));
    };
    return { exported, entries: fromFile, isRepeatable: true };
  }
  const entries = read(context.io.stdin as AsyncIterable<Uint8Array>);
  const first = await entries.next();
  const all = async function* (): AsyncGenerator<GivenEntry> {
    if (first.done) return;
    yield first.value;
    yield* entries;
  };
  return { exported, entries: all, isRepeatable: false };
}

async function fileStream(path: string): Promise<ReadStream> {
  try {
    const file = await open(path);
    return file.createReadStream({ highWaterMark: 1024 * 1024 });
  } catch (error) {
    throw systemError('read', path, error);
  }
}

async function tell(
  context: Context,
  { labels, result, isPresent, dryRun }: { labels: Labels; result: BackupResult | undefined; isPresent: boolean; dryRun: boolean },
): Promise<void> {
  const { host, paths, imported } = labels;
  const outcome = isPresent ? 'present' : dryRun ? 'dry-run' : 'imported';
  await tellImport(context, { from: imported.from, started: imported.started, host, paths, outcome, result });
  const counts = { imported: isPresent ? 0 : 1, present: isPresent ? 1 : 0, failed: 0 };
  await context.output.json({ type: 'summary', outcome: dryRun ? 'dry-run' : 'imported', ...counts });
  if (isPresent) await context.output.summary('the archive was imported before; --again imports it once more');
  if ((result?.statistics.errors ?? 0) > 0) context.endWith('partial');
}
