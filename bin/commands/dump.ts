/** `lagan dump`: prints a snapshot as a tar archive. */
import type { Command } from 'commander';
import { SnapshotArchive } from '../shared/archive.ts';
import { type Context, contextOf } from '../shared/context.ts';
import { pathFields } from '../shared/json.ts';
import { addExamples, addFilterOptions } from '../shared/options.ts';
import { openRepository } from '../shared/repository.ts';
import { withSink } from '../shared/sink.ts';
import { type FilterOptions, filterOf, findSnapshot, parseSnapshotReference, pathInSnapshot } from '../shared/snapshots.ts';

interface DumpOptions extends FilterOptions {
  readonly output?: string;
}

export function define(command: Command): void {
  addFilterOptions(command)
    .description(
      'Prints a snapshot, or a folder of it, as a tar archive (POSIX pax, with times to the nanosecond, hard links, devices and extended attributes). Paths in the archive are those of the snapshot without the first slash; after a colon, PATH is where the archive begins.',
    )
    .argument('<snapshot>', 'latest, an id …, or one of these with :PATH')
    .argument('[path]', 'only this folder or file')
    .option('-o, --output <file>', 'write to this new file instead of standard output')
    .action(async (snapshot: string, path: string | undefined, _options: object, self: Command) =>
      run(contextOf(self), { snapshot, path }, self.opts()),
    );
  addExamples(command, [
    ['lagan dump latest | ssh host tar x --xattrs --xattrs-include=* -C /restore', 'restore on another machine'],
    ['lagan dump latest:/srv/data -o data.tar', 'a folder, from its own top'],
    ['lagan dump latest /etc | zstd > etc.tar.zst', 'compressed'],
  ]);
}

async function run(context: Context, operands: { snapshot: string; path: string | undefined }, options: DumpOptions): Promise<void> {
  await withSink(context, { path: options.output, content: 'binary' }, async (sink) => {
    const reference = parseSnapshotReference(operands.snapshot);
    const opened = await openRepository(context, 'read');
    const info = await findSnapshot(opened, reference, { filter: filterOf(options, context), signal: context.signal });
    const top = pathInSnapshot(reference.path ?? '/');
    const start = pathInSnapshot(`${reference.path ?? ''}/${operands.path ?? ''}`);
    const archive = new SnapshotArchive(context, opened, { info, sink, top, detail: 'plain' });
    try {
      await archive.addAll(start);
      return { type: 'summary', snapshot: info.id, ...pathFields(start), ...archive.fields };
    } finally {
      archive.finish();
    }
  });
}
