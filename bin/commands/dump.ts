/** `lagan dump`: prints a snapshot as a tar archive. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { Entry, SnapshotInfo, WalkedEntry } from '../shared/engine.ts';
import { pathFields } from '../shared/json.ts';
import { addExamples, addFilterOptions } from '../shared/options.ts';
import { type OpenedRepository, openRepository } from '../shared/repository.ts';
import { Running } from '../shared/running.ts';
import { type Sink, withSink } from '../shared/sink.ts';
import { formatCountOf, formatSize } from '../shared/sizes.ts';
import { type FilterOptions, filterOf, findSnapshot, parseSnapshotReference, pathInSnapshot } from '../shared/snapshots.ts';
import { TarWriter } from '../shared/tar.ts';
import { formatDuration } from '../shared/times.ts';

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
    const dump = new Dump(context, opened, { info, sink, top });
    try {
      await dump.addAll(start);
      return { type: 'summary', snapshot: info.id, ...pathFields(start), ...dump.fields };
    } finally {
      dump.finish();
    }
  });
}

class Dump {
  readonly #context: Context;
  readonly #opened: OpenedRepository;
  readonly #info: SnapshotInfo;
  readonly #tar: TarWriter;
  readonly #top: Uint8Array;
  readonly #running: Running;
  #entries = 0;
  #sockets = 0;

  constructor(context: Context, opened: OpenedRepository, parts: { info: SnapshotInfo; sink: Sink; top: Uint8Array }) {
    this.#context = context;
    this.#opened = opened;
    this.#info = parts.info;
    this.#tar = new TarWriter((bytes) => parts.sink.write(bytes));
    this.#top = parts.top;
    this.#running = new Running(context, 'writing the archive');
  }

  get fields(): object {
    return { entries: this.#entries, skippedSockets: this.#sockets, sizeBytes: this.#tar.sizeBytes };
  }

  async addAll(start: Uint8Array): Promise<void> {
    const { engine, repository } = this.#opened;
    const { signal } = this.#context;
    const first = start.length > 1 ? await engine.lookup(repository, this.#info, start, { signal }) : undefined;
    if (first) await this.#add({ path: start, entry: first.entry });
    if (!first || first.entry.type === 'directory') {
      for await (const walked of engine.walkSnapshot(repository, this.#info, { path: start, recursive: true, signal }))
        await this.#add(walked);
    }
    await this.#tar.end();
  }

  finish(): void {
    this.#running.end();
    if (this.#sockets > 0)
      this.#running.warn({
        code: 'unsupported',
        message: `${formatCountOf(this.#sockets, 'socket')} left out: a tar archive cannot hold them`,
      });
    this.#context.output.detail(
      `${formatCountOf(this.#entries, 'entry', 'entries')}, ${formatSize(this.#tar.sizeBytes)} in ${formatDuration(this.#running.elapsedMs)}`,
    );
  }

  async #add({ path, entry }: WalkedEntry): Promise<void> {
    if (entry.type === 'socket') {
      this.#sockets++;
      return;
    }
    const missing = await this.#tar.add({ path: this.#nameOf(path), entry, ...this.#contentOf(entry) });
    this.#entries++;
    this.#running.engineOptions.onProgress({ phase: 'dump', filesDone: this.#entries, bytesDone: this.#tar.sizeBytes, currentPath: path });
    if (missing === 0 && entry.extensions.readError === undefined) return;
    this.#running.warn({
      code: 'partial',
      message: 'the file was not read completely when it was backed up; what is missing is zeros',
      path,
    });
    this.#context.endWith('partial');
  }

  #contentOf(entry: Entry): { content?: AsyncIterable<Uint8Array> } {
    const { engine, repository } = this.#opened;
    return entry.type === 'file' && entry.size > 0
      ? { content: engine.openFile(repository, entry, { signal: this.#context.signal }).stream() }
      : {};
  }

  /** The path below the top of the archive; the top itself is `.`. */
  #nameOf(path: Uint8Array): Uint8Array {
    const below = path.subarray(this.#top.length === 1 ? 1 : this.#top.length + 1);
    return below.length > 0 ? below : Buffer.from('.');
  }
}
