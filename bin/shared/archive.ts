/** A snapshot as a tar archive. */
import type { Context } from './context.ts';
import type { Entry, OpenedFile, SnapshotInfo, WalkedEntry } from './engine.ts';
import type { OpenedRepository } from './repository.ts';
import { Running } from './running.ts';
import type { Sink } from './sink.ts';
import { formatCountOf, formatSize } from './sizes.ts';
import { type TarEntry, TarWriter } from './tar.ts';
import type { DataRange } from './tar-header.ts';
import { formatDuration } from './times.ts';

export interface SnapshotArchiveForm {
  /** The folder of the snapshot that the archive's paths begin below. */
  readonly top: Uint8Array;
  /** What `dump` prints, or all that the snapshot has. */
  readonly detail: 'plain' | 'all';
}

export interface ArchiveParts extends SnapshotArchiveForm {
  readonly info: SnapshotInfo;
  readonly sink: Sink;
}

/** Writes a snapshot, or a part of it, into a sink. */
export class SnapshotArchive {
  readonly #context: Context;
  readonly #opened: OpenedRepository;
  readonly #info: SnapshotInfo;
  readonly #tar: TarWriter;
  readonly #top: Uint8Array;
  readonly #detail: 'plain' | 'all';
  readonly #running: Running;
  #entries = 0;
  #sockets = 0;

  constructor(context: Context, opened: OpenedRepository, parts: ArchiveParts) {
    this.#context = context;
    this.#opened = opened;
    this.#info = parts.info;
    this.#tar = new TarWriter((bytes) => parts.sink.write(bytes), parts);
    this.#top = parts.top;
    this.#detail = parts.detail;
    this.#running = new Running(context, 'writing the archive');
  }

  get fields(): object {
    return { entries: this.#entries, skippedSockets: this.#sockets, sizeBytes: this.#tar.sizeBytes };
  }

  /** Text about the whole archive, before the first entry. */
  comment(text: string): Promise<void> {
    return this.#tar.comment(text);
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
    if (entry.type === 'socket' && this.#detail === 'plain') {
      this.#sockets++;
      return;
    }
    const missing = await this.#tar.add({ path: this.#nameOf(path), entry, ...(await this.#contentOf(entry)) });
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

  /** With all details, holes stay holes, and what could not be read is told from zeros. */
  async #contentOf(entry: Entry): Promise<Pick<TarEntry, 'content' | 'data' | 'knownBytes'>> {
    if (entry.type !== 'file' || entry.size === 0) return {};
    const file = this.#opened.engine.openFile(this.#opened.repository, entry, { signal: this.#context.signal });
    if (this.#detail === 'plain') return { content: file.stream() };
    const data: DataRange[] = [];
    let knownBytes = 0;
    for await (const { kind, start, end } of file.stretches()) {
      if (kind === 'data') data.push({ start, end });
      knownBytes = end;
    }
    const known = file.readError === undefined ? {} : { knownBytes };
    const isWhole = data.length === 1 && data[0]!.start === 0 && data[0]!.end === entry.size;
    return isWhole ? { content: file.stream(), ...known } : { content: contentOf(file, data), data, ...known };
  }

  /** The path below the top of the archive; the top itself is `.`. */
  #nameOf(path: Uint8Array): Uint8Array {
    const below = path.subarray(this.#top.length === 1 ? 1 : this.#top.length + 1);
    return below.length > 0 ? below : Buffer.from('.');
  }
}

async function* contentOf(file: OpenedFile, data: readonly DataRange[]): AsyncGenerator<Uint8Array> {
  for (const range of data) yield* file.stream(range);
}
