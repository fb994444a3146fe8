/** What `lagan dump` and `lagan export` share: which part of which snapshot is written, and where to. */
import type { Command } from 'commander';
import { SnapshotArchive, type SnapshotArchiveForm } from './archive.ts';
import { type Context, contextOf } from './context.ts';
import type { SnapshotInfo } from './engine.ts';
import { pathFields } from './json.ts';
import { addFilterOptions } from './options.ts';
import { openRepository, warnOfRollback } from './repository.ts';
import { withSink } from './sink.ts';
import { type FilterOptions, filterOf, findSnapshot, parseSnapshotReference, pathInSnapshot } from './snapshots.ts';

/** The part of a snapshot that is asked for. */
export interface ArchivedPart {
  readonly repositoryId: string;
  readonly info: SnapshotInfo;
  /** What stands after the colon: `/` if nothing does. */
  readonly folder: Uint8Array;
  /** The folder or file that is written. */
  readonly start: Uint8Array;
}

/** The archive of a part; `comment` is text about the whole of it. */
export type ArchiveForm = (part: ArchivedPart) => SnapshotArchiveForm & { readonly comment?: string };

interface ArchiveOptions extends FilterOptions {
  readonly output?: string;
}

/** Arguments and options of a command that writes a part of a snapshot as an archive. */
export function defineArchive(command: Command, form: ArchiveForm): Command {
  return addFilterOptions(command)
    .argument('<snapshot>', 'latest, an id …, or one of these with :PATH')
    .argument('[path]', 'only this folder or file')
    .option('-o, --output <file>', 'write to this new file instead of standard output')
    .action(async (snapshot: string, path: string | undefined, _options: object, self: Command) =>
      run(contextOf(self), { snapshot, path, form }, self.opts()),
    );
}

async function run(
  context: Context,
  { snapshot, path, form }: { snapshot: string; path: string | undefined; form: ArchiveForm },
  options: ArchiveOptions,
): Promise<void> {
  await withSink(context, { path: options.output, content: 'binary' }, async (sink) => {
    const reference = parseSnapshotReference(snapshot);
    const opened = await openRepository(context, 'read');
    const [info] = await Promise.all([
      findSnapshot(opened, reference, { filter: filterOf(options, context), signal: context.signal }),
      warnOfRollback(context, opened),
    ]);
    const folder = pathInSnapshot(reference.path ?? '/');
    const start = pathInSnapshot(`${reference.path ?? ''}/${path ?? ''}`);
    const { comment, ...rest } = form({ repositoryId: opened.repository.id, info, folder, start });
    const archive = new SnapshotArchive(context, opened, { info, sink, ...rest });
    try {
      if (comment !== undefined) await archive.comment(comment);
      await archive.addAll(start);
      return { type: 'summary', snapshot: info.id, ...pathFields(start), ...archive.fields };
    } finally {
      archive.finish();
    }
  });
}
