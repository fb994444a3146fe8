import { setImmediate } from 'node:timers/promises';
import type { Entry, FileEntry, NodeReference, PackId } from '../../repo-format/mod.ts';
import { PathPatterns } from '../patterns/mod.ts';
import {
  type Descriptor,
  type DirectoryScan,
  DirectoryStack,
  type EntryType,
  errnoName,
  errnoOf,
  FileStatus,
  scanDirectory,
  tryStat,
} from '../system/mod.ts';
import type { TreeReader } from '../trees/mod.ts';
import { entryFields, expectedFile, isSameStatus, isSameTime, otherEntry, readExtras, readExtrasAt } from './_entry-fields.ts';
import type { FileDispatcher } from './_file-dispatcher.ts';
import { GivenNames } from './_given-names.ts';
import { backupLimits } from './_limits.ts';
import { needsLeaf, PreviousDirectory } from './_previous-directory.ts';
import type { SourceNode } from './_source-paths.ts';
import type { TokenQueue } from './_token-queue.ts';
import type { StoredContent, Token } from './_tokens.ts';
import { type ExcludeRules, isTaggedAsCache } from './excludes.ts';

/** Something that could not be backed up, or not as it should. */
export interface ScanFault {
  /** Relative to `/`. */
  readonly path: Uint8Array;
  readonly code: string;
  readonly message: string;
}

export interface ScanOptions {
  readonly root: Descriptor;
  readonly sources: SourceNode;
  /** Root nodes of the snapshots to compare with, the one to prefer first. */
  readonly previous: readonly (NodeReference | null)[];
  readonly reader: TreeReader;
  readonly dispatcher: FileDispatcher;
  readonly queue: TokenQueue<Token>;
  readonly excludes: ExcludeRules;
  readonly oneFileSystem: boolean;
  readonly ignoreCtime: boolean;
  readonly ignoreInode: boolean;
  readonly isAlive: (pack: PackId) => boolean;
  /** The folder of the repository: never part of a backup. */
  readonly repositoryFolder: { readonly device: number; readonly inode: number | bigint } | undefined;
  readonly onFault: (fault: ScanFault) => void;
  readonly onNote: (note: ScanFault) => void;
  readonly onEntry: (path: Uint8Array, name: Uint8Array, status: FileStatus) => void;
  readonly signal: AbortSignal | undefined;
}

/** Where the names of a folder come from: all that are there, or only those that lead to the sources. */
type Names = Pick<DirectoryScan, 'next' | 'copyName' | 'status' | 'errno' | 'close' | 'rebind'>;

interface Frame {
  readonly names: Names;
  readonly previous: readonly PreviousDirectory[];
  /** Path of the folder relative to `/`, with a trailing `/` unless empty. */
  readonly folder: Uint8Array;
  /** Set for folders above the sources. */
  readonly children: Map<string, SourceNode> | undefined;
  /** Device of the source that this folder belongs to. */
  readonly device: number;
}

/** A file with several names: its content is stored once. */
interface LinkedFile {
  readonly stored: Promise<StoredContent>;
  namesLeft: number;
}

/**
 * Walks the sources depth first, compares with the parent snapshot, has new content stored, and puts a token for each entry into the queue. Memory does not grow with
 * the number of files: one frame for each level, and what the queue allows to wait.
 */
export class Scanner {
  readonly #options: ScanOptions;
  readonly #stack: DirectoryStack;
  readonly #excludes: PathPatterns;
  readonly #frames: Frame[] = [];
  readonly #linked = new Map<string, LinkedFile>();
  #sliceEnd = performance.now() + backupLimits.scanSliceMs;

  constructor(options: ScanOptions) {
    this.#options = options;
    this.#stack = new DirectoryStack(options.root);
    this.#excludes = new PathPatterns(options.excludes.patterns);
  }

  async run(): Promise<void> {
    const { sources, previous, reader } = this.#options;
    try {
      this.#frames.push(
        this.#frameOf({
          source: sources,
          folder: new Uint8Array(0),
          device: 0,
          previous: previous.map((node) => new PreviousDirectory(reader, node)),
        }),
      );
      while (this.#frames.length > 0) {
        const frame = this.#frames.at(-1)!;
        if (frame.names.next()) await this.#visit(frame);
        else await this.#leave(frame);
        if (performance.now() > this.#sliceEnd) await this.#breathe();
      }
      await this.#options.dispatcher.sendBatch();
    } finally {
      for (const { names } of this.#frames) names.close();
      this.#stack.close();
    }
  }

  async #breathe(): Promise<void> {
    await setImmediate();
    this.#options.signal?.throwIfAborted();
    this.#sliceEnd = performance.now() + backupLimits.scanSliceMs;
  }

  #frameOf({
    source,
    folder,
    device,
    previous,
  }: {
    source: SourceNode | undefined;
    folder: Uint8Array;
    device: number;
    previous: readonly PreviousDirectory[];
  }): Frame {
    const above = source !== undefined && !source.isSource;
    const names = above ? new GivenNames(this.#stack.current, [...source.children.keys()]) : scanDirectory(this.#stack.current);
    return { names, folder, previous, device, children: above ? source.children : undefined };
  }

  async #visit(frame: Frame): Promise<void> {
    const { names, folder, children } = frame;
    const name = names.copyName();
    const source = children?.get(Buffer.from(name).toString('latin1'));
    const status = names.status;
    if (names.errno !== 0) {
      this.#fault(folder, name, names.errno);
      return;
    }
    const isFolder = status.type === 'directory';
    if (source === undefined && this.#isExcluded(frame, name, isFolder)) return;
    const found = this.#options.previous.length === 0 ? undefined : await this.#seek(frame, name);
    this.#options.onEntry(folder, name, status);
    if (isFolder) await this.#visitFolder(frame, { name, source, found: found ?? [] });
    else if (status.type === 'file') await this.#visitFile(frame, { name, found: found ?? [] });
    else await this.#visitOther(frame, { name, type: status.type, found: found ?? [] });
  }

  #isExcluded({ folder, names: { status } }: Frame, name: Uint8Array, isFolder: boolean): boolean {
    const { excludes, repositoryFolder } = this.#options;
    if (
      isFolder &&
      repositoryFolder !== undefined &&
      status.inode === repositoryFolder.inode &&
      status.device === repositoryFolder.device
    ) {
      this.#options.onNote({ path: join(folder, name), code: 'repository', message: 'is the repository itself and is left out' });
      return true;
    }
    if (excludes.excludeLargerThanBytes !== undefined && status.type === 'file' && status.size > excludes.excludeLargerThanBytes)
      return true;
    return this.#excludes.match(folder, name, isFolder);
  }

  /** The entries of that name in the snapshots to compare with. */
  async #seek({ previous }: Frame, name: Uint8Array): Promise<(Entry | undefined)[]> {
    const found: (Entry | undefined)[] = [];
    for (const directory of previous) {
      const entry = directory.trySeek(name);
      found.push(entry === needsLeaf ? await directory.seek(name) : entry);
    }
    return found;
  }

  async #visitFolder(
    frame: Frame,
    { name, source, found }: { name: Uint8Array; source: SourceNode | undefined; found: (Entry | undefined)[] },
  ): Promise<void> {
    const { status } = frame.names;
    const path = join(frame.folder, name);
    const before = found.map((entry) => (entry?.type === 'directory' ? entry : undefined));
    const unchanged = before.find((entry) => entry !== undefined && isSameStatus(entry, status));
    const descriptor = this.#stack.tryEnter(name);
    if (descriptor < 0) {
      const fields = unchanged ?? entryFields(status, name, undefined);
      this.#options.onFault({ path, code: errnoName(-descriptor), message: `the folder could not be opened: ${errnoName(-descriptor)}` });
      await this.#push({ type: 'enter', fields, previous: undefined, previousNode: undefined, above: false });
      await this.#push({ type: 'leave', sameNames: false });
      return;
    }
    const fields = unchanged ?? entryFields(status, name, readExtras(descriptor, status.device));
    const device = frame.device === 0 || frame.children !== undefined ? status.device : frame.device;
    await this.#push({
      type: 'enter',
      fields,
      previous: unchanged !== undefined && unchanged === before[0] ? unchanged : undefined,
      previousNode: before[0]?.node,
      above: source !== undefined && !source.isSource,
    });
    if (this.#isLeftEmpty(descriptor, status, { device, isSource: frame.children !== undefined })) {
      this.#stack.leave();
      await this.#push({ type: 'leave', sameNames: false });
      return;
    }
    const previous = before.map((entry) => new PreviousDirectory(this.#options.reader, entry?.node ?? null));
    try {
      this.#frames.push(this.#frameOf({ source, folder: join(path, slash), device, previous }));
    } catch (error) {
      this.#stack.leave();
      this.#options.onFault({
        path,
        code: (error as { errno?: string }).errno ?? 'io',
        message: `the folder could not be listed: ${(error as Error).message}`,
      });
      await this.#push({ type: 'leave', sameNames: false });
    }
  }

  /** Folders that are stored without their content: other file systems, marked ones, caches. */
  #isLeftEmpty(descriptor: Descriptor, status: FileStatus, { device, isSource }: { device: number; isSource: boolean }): boolean {
    const { oneFileSystem, excludes } = this.#options;
    if (oneFileSystem && !isSource && status.device !== device) return true;
    const probe = new FileStatus();
    if (excludes.excludeIfPresent?.some((marker) => tryStat(descriptor, Buffer.from(marker), probe) === 0)) return true;
    return excludes.excludeCaches === true && isTaggedAsCache(descriptor);
  }

  async #leave(frame: Frame): Promise<void> {
    this.#frames.pop();
    frame.names.close();
    if (this.#frames.length === 0) {
      this.#options.queue.end();
      return;
    }
    const sameNames = frame.previous.length > 0 && (await frame.previous[0]!.allMet());
    const parent = this.#stack.leave();
    this.#frames.at(-1)!.names.rebind(parent);
    await this.#push({ type: 'leave', sameNames });
  }

  async #visitFile(
    { folder, names: { status } }: Frame,
    { name, found }: { name: Uint8Array; found: (Entry | undefined)[] },
  ): Promise<void> {
    const before = found.find((entry): entry is FileEntry => entry?.type === 'file' && this.#hasSameContent(entry, status));
    if (before !== undefined && isSameStatus(before, status))
      return this.#push({ type: 'entry', entry: before, unchanged: before === found[0] });
    if (before !== undefined) {
      const extras = readExtrasAt(this.#stack.current, name, status.device);
      return this.#push({
        type: 'entry',
        entry: { ...entryFields(status, name, extras), type: 'file', size: before.size, content: before.content },
        unchanged: false,
      });
    }
    const path = join(folder, name);
    const previous = found.find((entry): entry is FileEntry => entry?.type === 'file');
    const { stored } = await this.#store(path, status);
    return this.#push({ type: 'file', fields: entryFields(status, name, undefined), size: status.size, stored, path, previous });
  }

  /** Has the content stored, once for all names of the file. */
  async #store(path: Uint8Array, status: FileStatus): Promise<{ stored: Promise<StoredContent> }> {
    const key = status.linkCount > 1 ? `${status.device}:${status.inode}` : undefined;
    const linked = key === undefined ? undefined : this.#linked.get(key);
    if (linked !== undefined) {
      if (--linked.namesLeft === 0) this.#linked.delete(key!);
      return linked;
    }
    const file = await this.#options.dispatcher.store(this.#options.root, expectedFile(path, status), {
      sparse: status.blocks * 512 < status.size,
    });
    if (key !== undefined) this.#linked.set(key, { ...file, namesLeft: status.linkCount - 1 });
    return file;
  }

  #hasSameContent(entry: FileEntry, status: FileStatus): boolean {
    const { ignoreCtime, ignoreInode } = this.#options;
    return (
      entry.size === status.size &&
      entry.mtime.nanoseconds === status.modifiedNanoseconds &&
      entry.mtime.seconds === status.modifiedSeconds &&
      (ignoreCtime || isSameTime(entry.ctime, status.changedSeconds, status.changedNanoseconds)) &&
      (ignoreInode || entry.inode === status.inode) &&
      entry.extensions.readError === undefined &&
      this.#isContentAlive(entry)
    );
  }

  #isContentAlive({ content }: FileEntry): boolean {
    const { isAlive } = this.#options;
    if (content.form === 'node') return isAlive(content.node.pack) && content.packs.every(isAlive);
    return content.form === 'none' || content.extents.every((extent) => extent.kind !== 'data' || isAlive(extent.pack));
  }

  async #visitOther(
    { folder, names: { status } }: Frame,
    { name, type, found }: { name: Uint8Array; type: EntryType; found: (Entry | undefined)[] },
  ): Promise<void> {
    const before = found.find((entry) => entry?.type === type && isSameStatus(entry, status));
    if (before !== undefined) return this.#push({ type: 'entry', entry: before, unchanged: before === found[0] });
    const parent = this.#stack.current;
    try {
      const fields = entryFields(status, name, readExtrasAt(parent, name, status.device));
      return this.#push({ type: 'entry', entry: otherEntry(fields, { type, status, parent }), unchanged: false });
    } catch (error) {
      this.#options.onFault({
        path: join(folder, name),
        code: (error as { errno?: string }).errno ?? 'io',
        message: (error as Error).message,
      });
    }
  }

  async #push(token: Token): Promise<void> {
    const waiting = this.#options.queue.push(token);
    if (waiting === undefined) return;
    await this.#options.dispatcher.sendBatch();
    await waiting;
  }

  #fault(folder: Uint8Array, name: Uint8Array, errno: number): void {
    const code = errno === errnoOf.ENOENT ? 'vanished' : errnoName(errno);
    const message = errno === errnoOf.ENOENT ? 'is not there (any more)' : `could not be looked at: ${errnoName(errno)}`;
    this.#options.onFault({ path: join(folder, name), code, message });
  }
}

const slash = Uint8Array.of(0x2f);

function join(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const path = new Uint8Array(head.length + tail.length);
  path.set(head);
  path.set(tail, head.length);
  return path;
}
