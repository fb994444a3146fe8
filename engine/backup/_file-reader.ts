import { closeDescriptor, type Descriptor, FileStatus } from '../system/mod.ts';
import type { FileChunker, Region } from './_file-chunker.ts';
import type { ExpectedFile, FileOutcome, ReadFault } from './_files.ts';
import { extrasAfterReading, type OpenedFile, openExpected } from './_opened-file.ts';
import { type PackedFiles, unpackFile } from './_packed-files.ts';
import { SourceError } from './_source-errors.ts';
import { type PackedStretches, stretchesOf, unpackStretches } from './_stretches.ts';

/** What was read of a file: so many bytes, and why no more. */
interface ReadContent {
  readonly bytes: number;
  readonly fault: ReadFault | undefined;
}

/**
 * Opens files as the scan saw them and hands their content to a {@link FileChunker}. Whatever happens to one file (it vanished, is unreadable, became
 * shorter, grew, is something else now) is said in its outcome; only failures of the repository end the backup. A file that grows is stored as long as it
 * was when it was opened.
 */
export class FileReader {
  readonly #chunker: FileChunker;
  readonly #status: FileStatus = new FileStatus();

  constructor(chunker: FileChunker) {
    this.#chunker = chunker;
  }

  async readFiles(root: Descriptor, files: PackedFiles): Promise<FileOutcome[]> {
    const outcomes: FileOutcome[] = [];
    for (let index = 0; index < files.pathEnds.length; index++) outcomes.push(await this.#readFile(root, unpackFile(files, index)));
    await this.#chunker.settle();
    return outcomes;
  }

  /** The chunks of a region of an opened file that begin in [from, to) of it. */
  async readSegment(descriptor: Descriptor, region: Region, { from, to }: { from: number; to: number }): Promise<FileOutcome> {
    const outcome = await this.#outcomeOf(async () => ({
      bytes: await this.#chunker.addSegment(descriptor, region, { from, to }),
      fault: undefined,
    }));
    return { ...outcome, start: region.start + this.#chunker.segmentStart };
  }

  /** Whole stretches of data of an opened file, and the holes between them. */
  async readStretches(descriptor: Descriptor, packed: PackedStretches): Promise<FileOutcome> {
    const outcome = await this.#outcomeOf(async () => {
      let bytes = 0;
      for (const { kind, start, end } of unpackStretches(packed)) {
        if (kind === 'hole') await this.#chunker.addHole(end - start);
        else if ((await this.#chunker.addRegion(descriptor, { start, end })) < end - start) break;
        bytes += end - start;
      }
      await this.#chunker.settle();
      return { bytes, fault: undefined };
    });
    return { ...outcome, start: packed[1]! };
  }

  async #readFile(root: Descriptor, file: ExpectedFile): Promise<FileOutcome> {
    let opened: OpenedFile | undefined;
    try {
      return await this.#outcomeOf(
        async () => {
          opened = openExpected(root, file, this.#status);
          const content = await this.#readContent(opened);
          opened = { ...opened, extras: extrasAfterReading(opened, this.#status) };
          return content;
        },
        () => opened,
      );
    } finally {
      if (opened !== undefined) closeDescriptor(opened.descriptor);
    }
  }

  async #outcomeOf(read: () => Promise<ReadContent>, opened: () => OpenedFile | undefined = () => undefined): Promise<FileOutcome> {
    const first = this.#chunker.extentCount;
    const outcome = ({ bytes, fault }: ReadContent): FileOutcome => {
      const { metadata, extras } = opened() ?? {};
      return { start: 0, extents: this.#chunker.extentCount - first, bytes, metadata, extras, error: fault };
    };
    try {
      return outcome(await read());
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      return outcome({ bytes: 0, fault: error.fault });
    }
  }

  async #readContent({ descriptor, size, mayHaveHoles }: OpenedFile): Promise<ReadContent> {
    if (mayHaveHoles) return this.#readSparse(descriptor, size);
    const present = size === 0 ? 0 : await this.#chunker.addRegion(descriptor, { start: 0, end: size });
    return { bytes: present, fault: present < size ? shorter(size) : undefined };
  }

  async #readSparse(descriptor: Descriptor, size: number): Promise<ReadContent> {
    for (const { kind, start, end } of stretchesOf(descriptor, size)) {
      if (kind === 'hole') await this.#chunker.addHole(end - start);
      else {
        const present = await this.#chunker.addRegion(descriptor, { start, end });
        if (present < end - start) return { bytes: start + present, fault: shorter(size) };
      }
    }
    return { bytes: size, fault: undefined };
  }
}

export function shorter(size: number): ReadFault {
  return { code: 'shorter', message: `had ${size} bytes when it was opened and became shorter while it was read` };
}
