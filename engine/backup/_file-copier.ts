import { type FileEntry, LaganError } from '../../repo-format/mod.ts';
import { movedChunks } from '../index/mod.ts';
import { type OpenedFile, openFile } from '../look/mod.ts';
import { PackReader } from '../packs/mod.ts';
import type { Repository } from '../repository/mod.ts';
import { TreeReader } from '../trees/mod.ts';
import { stretchesOfContent } from './_content-stretches.ts';
import type { ExtentRecords } from './_extent-records.ts';
import type { FileOutcome } from './_files.ts';
import type { StreamChunker } from './_stream-chunker.ts';

const noBytes = new Uint8Array(0);

/** A part of a stretch between two holes. With the `last` one it ends. */
export interface FilePiece {
  readonly file: FileEntry;
  readonly start: number;
  readonly end: number;
  readonly last: boolean;
}

/** Reads files of a repository and has them cut and named anew. */
export class FileCopier {
  readonly #source: Repository;
  readonly #trees: TreeReader;
  readonly #stream: StreamChunker;
  readonly #extents: ExtentRecords;
  readonly #isStopping: () => boolean;

  constructor(parts: { source: Repository; stream: StreamChunker; extents: ExtentRecords; isStopping: () => boolean }) {
    const { storage, keys } = parts.source;
    this.#source = parts.source;
    this.#trees = new TreeReader(new PackReader({ storage, keys, moved: movedChunks(parts.source) }));
    this.#stream = parts.stream;
    this.#extents = parts.extents;
    this.#isStopping = parts.isStopping;
  }

  /** Whole files. Codes: those of reading a file of a snapshot. */
  async copyFiles(files: readonly FileEntry[]): Promise<FileOutcome[]> {
    const outcomes: FileOutcome[] = [];
    for (const file of files) outcomes.push(await this.#copyFile(file));
    return outcomes;
  }

  /** A piece of a large file: all of them come here, one after another. */
  async copyPiece({ file, start, end, last }: FilePiece): Promise<FileOutcome> {
    const first = this.#extents.count;
    await this.#copyBytes(openFile(this.#source, file), { start, end, last });
    return outcomeOf(this.#extents.count - first, end - start);
  }

  async #copyFile(file: FileEntry): Promise<FileOutcome> {
    const first = this.#extents.count;
    const opened = openFile(this.#source, file);
    let bytes = 0;
    for await (const { kind, start, end } of stretchesOfContent(this.#trees, file.content)) {
      if (kind === 'hole') this.#extents.addEmpty('hole', end - start, first);
      else await this.#copyBytes(opened, { start, end, last: true });
      bytes = end;
    }
    return outcomeOf(this.#extents.count - first, bytes);
  }

  async #copyBytes(opened: OpenedFile, { start, end, last }: Omit<FilePiece, 'file'>): Promise<void> {
    let copied = 0;
    for await (const piece of opened.stream({ start, end })) {
      if (this.#isStopping()) throw new LaganError('interrupted', 'the copy has ended');
      await this.#stream.add(piece, { last: false });
      copied += piece.length;
    }
    if (copied !== end - start) throw new RangeError(`the content gave ${copied} bytes of ${end - start}`);
    if (last) await this.#stream.add(noBytes, { last: true });
  }
}

function outcomeOf(extents: number, bytes: number): FileOutcome {
  return { start: 0, extents, bytes, metadata: undefined, extras: undefined, error: undefined };
}
