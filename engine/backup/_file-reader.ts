import { LaganError } from '../../repo-format/mod.ts';
import { closeDescriptor, type Descriptor, FileStatus, mayHaveHoles, nextExtent, openBeneath, statDescriptor } from '../system/mod.ts';
import { readExtras } from './_entry-fields.ts';
import type { FileChunker } from './_file-chunker.ts';
import type { ExpectedFile, FileMetadata, FileOutcome } from './_files.ts';
import { type PackedFiles, unpackFile } from './_packed-files.ts';

/** What befell a file, as the snapshot lists it. */
type ReadFault = NonNullable<FileOutcome['error']>;

/**
 * Opens files as the scan saw them and hands their content to a {@link FileChunker}. Whatever happens to one file (it vanished, is unreadable, became
 * shorter or longer, is something else now) is said in its outcome; only failures of the repository end the backup.
 */
export class FileReader {
  readonly #chunker: FileChunker;
  readonly #status: FileStatus = new FileStatus();

  constructor(chunker: FileChunker) {
    this.#chunker = chunker;
  }

  async readFiles(root: Descriptor, files: PackedFiles): Promise<FileOutcome[]> {
    const outcomes: FileOutcome[] = [];
    const readWhole = (descriptor: Descriptor, size: number) => this.#readWhole(descriptor, size);
    for (let index = 0; index < files.pathEnds.length; index++)
      outcomes.push(await this.#readFile(root, unpackFile(files, index), readWhole));
    await this.#chunker.settle();
    return outcomes;
  }

  /** The chunks of a large file that begin in [from, to). */
  readSegment(root: Descriptor, file: ExpectedFile, { from, to }: { from: number; to: number }): Promise<FileOutcome> {
    return this.#readFile(root, file, async (descriptor) => {
      const present = await this.#chunker.addSegment(descriptor, { start: 0, end: file.size }, { from, to });
      return {
        bytes: Math.max(0, Math.min(present, to) - from),
        fault: present < Math.min(to, file.size) ? shorter(file.size) : present > file.size ? longer(file.size) : undefined,
      };
    });
  }

  async #readFile(
    root: Descriptor,
    file: ExpectedFile,
    read: (descriptor: Descriptor, size: number) => Promise<{ bytes: number; fault: ReadFault | undefined }>,
  ): Promise<FileOutcome> {
    const first = this.#chunker.extentCount;
    let descriptor: Descriptor | undefined;
    try {
      descriptor = ofSource(() => openBeneath(root, file.path, 'file'));
      const opened = descriptor;
      const status = ofSource(() => statDescriptor(opened, this.#status));
      if (status.type !== 'file')
        return failed({ code: 'replaced', message: `was a file when its folder was listed, is a ${status.type} now` });
      const metadata = isSame(status, file) ? undefined : metadataOf(status);
      const extras = ofSource(() => readExtras(opened, status.device));
      const { bytes, fault } = await read(opened, status.size);
      return { extents: this.#chunker.extentCount - first, bytes, metadata, extras, error: fault };
    } catch (error) {
      const fault = faultOf(error);
      if (fault === undefined) throw error;
      return { ...failed(fault), extents: this.#chunker.extentCount - first };
    } finally {
      if (descriptor !== undefined) closeDescriptor(descriptor);
    }
  }

  async #readWhole(descriptor: Descriptor, size: number): Promise<{ bytes: number; fault: ReadFault | undefined }> {
    if (!mayHaveHoles(this.#status)) {
      const present = size === 0 ? 0 : await this.#chunker.addRegion(descriptor, { start: 0, end: size }, { isEnd: true });
      return { bytes: Math.min(present, size), fault: present < size ? shorter(size) : present > size ? longer(size) : undefined };
    }
    return this.#readSparse(descriptor, size);
  }

  async #readSparse(descriptor: Descriptor, size: number): Promise<{ bytes: number; fault: ReadFault | undefined }> {
    const extent = { kind: 'data' as 'data' | 'hole', start: 0, end: 0 };
    let position = 0;
    while (position < size && ofSource(() => nextExtent(descriptor, { offset: position, size }, extent))) {
      const length = extent.end - extent.start;
      if (extent.kind === 'hole') await this.#chunker.addHole(length);
      else {
        const present = await this.#chunker.addRegion(descriptor, { start: extent.start, end: extent.end }, { isEnd: false });
        if (present < length) return { bytes: extent.start + present, fault: shorter(size) };
      }
      position = extent.end;
    }
    return { bytes: position, fault: position < size ? shorter(size) : undefined };
  }
}

function isSame(status: FileStatus, file: ExpectedFile): boolean {
  return (
    status.size === file.size &&
    status.inode === file.inode &&
    status.modifiedSeconds === file.modifiedSeconds &&
    status.modifiedNanoseconds === file.modifiedNanoseconds &&
    status.changedSeconds === file.changedSeconds &&
    status.changedNanoseconds === file.changedNanoseconds
  );
}

function metadataOf(status: FileStatus): FileMetadata {
  return {
    size: status.size,
    mode: status.mode,
    uid: status.uid,
    gid: status.gid,
    inode: status.inode,
    device: status.device,
    linkCount: status.linkCount,
    modified: { seconds: status.modifiedSeconds, nanoseconds: status.modifiedNanoseconds },
    changed: { seconds: status.changedSeconds, nanoseconds: status.changedNanoseconds },
  };
}

/** The system refused something of the file that is being backed up (and not of the repository). */
class SourceError extends Error {
  readonly errno: string;

  constructor(cause: LaganError) {
    super(cause.message, { cause });
    this.errno = cause.errno ?? cause.code;
  }
}

/** Runs what concerns the source only: its failure is the file's, not the backup's. */
function ofSource<Result>(act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    throw error instanceof LaganError ? new SourceError(error) : error;
  }
}

/** The source's failure as the snapshot lists it, or undefined: then the repository failed. */
function faultOf(error: unknown): ReadFault | undefined {
  if (error instanceof SourceError)
    return error.errno === 'ENOENT'
      ? { code: 'vanished', message: 'was there when its folder was listed, is gone now' }
      : { code: error.errno, message: error.message };
  if (error instanceof Error && 'syscall' in error && error.syscall === 'read')
    return { code: String((error as NodeJS.ErrnoException).code), message: error.message };
  return undefined;
}

function failed(error: ReadFault): FileOutcome {
  return { extents: 0, bytes: 0, metadata: undefined, extras: undefined, error };
}

function shorter(size: number): ReadFault {
  return { code: 'shorter', message: `had ${size} bytes when it was opened and became shorter while it was read` };
}

function longer(size: number): ReadFault {
  return { code: 'longer', message: `had ${size} bytes when it was opened and grew while it was read; what it had is stored` };
}
