/** `lagan export`: a snapshot as a tar archive that `lagan import tar` makes the same snapshot of. */
import type { Command } from 'commander';
import { SnapshotArchive } from '../shared/archive.ts';
import { type Context, contextOf } from '../shared/context.ts';
import { archiveComment } from '../shared/exported.ts';
import { pathFields } from '../shared/json.ts';
import { addExamples, addFilterOptions } from '../shared/options.ts';
import { openRepository } from '../shared/repository.ts';
import { withSink } from '../shared/sink.ts';
import { type FilterOptions, filterOf, findSnapshot, parseSnapshotReference, pathInSnapshot } from '../shared/snapshots.ts';
import { bytesOfText } from '../shared/text.ts';

interface ExportOptions extends FilterOptions {
  readonly output?: string;
}

export function define(command: Command): void {
  addFilterOptions(command)
    .description(
      'Writes a snapshot as a tar archive with all that it has: host, user, times, tags and description, and of the files also holes, flags, project ids and sockets. lagan import tar makes an equal snapshot of it, in any repository. Any tar program can read it; what is beyond tar it passes over.',
    )
    .argument('<snapshot>', 'latest, an id …, or one of these with :PATH')
    .argument('[path]', 'only this folder or file')
    .option('-o, --output <file>', 'write to this new file instead of standard output')
    .action(async (snapshot: string, path: string | undefined, _options: object, self: Command) =>
      run(contextOf(self), { snapshot, path }, self.opts()),
    );
  addExamples(command, [
    ['lagan export latest -o web1.tar', 'a whole snapshot'],
    ['lagan export latest | lagan import tar - -r /mnt/other', 'into another repository'],
    ['lagan export latest /etc | zstd > etc.tar.zst', 'a folder, compressed'],
  ]);
}

async function run(context: Context, operands: { snapshot: string; path: string | undefined }, options: ExportOptions): Promise<void> {
  await withSink(context, { path: options.output, content: 'binary' }, async (sink) => {
    const reference = parseSnapshotReference(operands.snapshot);
    const opened = await openRepository(context, 'read');
    const info = await findSnapshot(opened, reference, { filter: filterOf(options, context), signal: context.signal });
    const start = pathInSnapshot(`${reference.path ?? ''}/${operands.path ?? ''}`);
    const archive = new SnapshotArchive(context, opened, { info, sink, top: bytesOfText('/'), detail: 'all' });
    try {
      await archive.comment(archiveComment(opened.repository.id, info, start));
      await archive.addAll(start);
      return { type: 'summary', snapshot: info.id, ...pathFields(start), ...archive.fields };
    } finally {
      archive.finish();
    }
  });
}
