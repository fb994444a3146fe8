import { setImmediate } from 'node:timers/promises';
import {
  type Content,
  type DirectoryEntry,
  type Entry,
  type FileEntry,
  type LaganError,
  limits,
  type NodeReference,
  type PackId,
} from '../../repo-format/mod.ts';
import { isDamage } from '../packs/mod.ts';
import { PathPatterns } from '../patterns/mod.ts';
import {
  closeDescriptor,
  type Descriptor,
  type DirectoryScan,
  DirectoryStack,
  type EntryType,
  errnoName,
  errnoOf,
  FileStatus,
  type NameRange,
  scanDirectory,
  statDescriptor,
  tryOpenFile,
  tryStat,
} from '../system/mod.ts';
import type { TreeReader } from '../trees/mod.ts';
import { entryFields, expectedFile, isSameStatus, isSameTime, otherEntry, readExtras, readExtrasAt } from './_entry-fields.ts';
import type { FileDispatcher, FileUnderWay } from './_file-dispatcher.ts';
import type { ExpectedFile, FileExtras, ReadFault } from './_files.ts';
import { GivenNames } from './_given-names.ts';
import { type BackupLimits, backupLimits } from './_limits.ts';
import { needsLeaf, PreviousDirectory } from './_previous-directory.ts';
import { errnoNameOf, faultOf, replaced } from './_source-errors.ts';
import type { SourceNode } from './_source-paths.ts';
import type { TokenQueue } from './_token-queue.ts';
import type { EntryFields, StoredContent, Token } from './_tokens.ts';
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
  /** Told what `/` itself is like, if all of it is backed up. Its name is empty. */
  readonly onTop: (fields: EntryFields) => void;
  readonly onNote: (note: ScanFault) => void;
  readonly onEntry: (folder: Uint8Array, name: Uint8Array) => void;
  /** Called now and then: throws once the backup is to end. */
  readonly throwIfInterrupted: () => void;
  readonly limits: BackupLimits;
}

/** Where the names of a folder come from: all that are there, or only those that lead to the sources. */
type Names = Pick<DirectoryScan, 'next' | 'copyName' | 'status' | 'errno' | 'close' | 'rebind' | keyof NameRange>;

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
  readonly #mayExcludeFiles: boolean;
  readonly #frames: Frame[] = [];
  readonly #linked = new Map<string, LinkedFile>();
  #sliceEnd = performance.now() + backupLimits.scanSliceMs;

  constructor(options: ScanOptions) {
    this.#options = options;
    this.#stack = new DirectoryStack(options.root);
    this.#excludes = new PathPatterns(options.excludes.patterns);
    this.#mayExcludeFiles = !this.#excludes.isEmpty || options.excludes.excludeLargerThanBytes !== undefined;
  }

  async run(): Promise<void> {
    const { sources, previous } = this.#options;
    try {
      const folder = new Uint8Array(0);
      const status = statDescriptor(this.#options.root);
      const { device } = status;
      if (sources.isSource) this.#options.onTop(entryFields(status, folder, this.#told(slash, readExtras(this.#options.root, device))));
      this.#frames.push(
        this.#frameOf({ source: sources, folder, device, previous: previous.map((node) => this.#previousOf(node, folder)) }),
      );
      while (this.#frames.length > 0) {
        const frame = this.#frames.at(-1)!;
        const waiting = frame.names.next() ? this.#visit(frame) : this.#leave(frame);
        if (waiting !== undefined) await waiting;
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
    this.#options.throwIfInterrupted();
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

  /** Nothing is awaited or copied for what most entries of most backups are: a file that is as the parent snapshot has it. */
  #visit(frame: Frame): Promise<void> | undefined {
    const { names, previous, folder } = frame;
    const { status } = names;
    if (names.errno !== 0 || status.type !== 'file' || previous.length !== 1 || frame.children !== undefined) return this.#visitAny(frame);
    if (this.#mayExcludeFiles && this.#isExcluded(frame, names.copyName(), false)) return undefined;
    const entry = previous[0]!.trySeek(names);
    if (entry === needsLeaf) return this.#visitAny(frame);
    if (entry?.type !== 'file' || !this.#isAsItWas(entry, status)) return this.#visitAny(frame, [entry]);
    this.#options.onEntry(folder, entry.name);
    return this.#push({ type: 'entry', entry, unchanged: true });
  }

  /** `met`: the entries of that name in the snapshots to compare with, if they were looked for already. */
  async #visitAny(frame: Frame, met?: (Entry | undefined)[]): Promise<void> {
    const { names, folder, children } = frame;
    const name = names.copyName();
    const source = children?.get(Buffer.from(name).toString('latin1'));
    const status = names.status;
    if (names.errno !== 0) {
      this.#fault(folder, name, names.errno);
      return;
    }
    const isFolder = status.type === 'directory';
    if (!isFolder && source?.isSource === false) {
      const message = 'is no folder any more, or never was one, so that what was to be backed up below it could not be found';
      return this.#options.onFault({ path: join(folder, name), code: 'ENOTDIR', message });
    }
    if (isFolder && this.#isRepository(folder, name, status)) return;
    if (source === undefined && this.#isExcluded(frame, name, isFolder)) return;
    const found = met ?? (await this.#seek(frame));
    this.#options.onEntry(folder, name);
    if (isFolder) await this.#visitFolder(frame, { name, source, found });
    else if (status.type === 'file') await this.#visitFile(frame, { name, found });
    else await this.#visitOther(frame, { name, type: status.type, found });
  }

  #isRepository(folder: Uint8Array, name: Uint8Array, { device, inode }: FileStatus): boolean {
    const { repositoryFolder } = this.#options;
    if (repositoryFolder === undefined || inode !== repositoryFolder.inode || device !== repositoryFolder.device) return false;
    this.#options.onNote({ path: join(folder, name), code: 'repository', message: 'is the repository itself and is left out' });
    return true;
  }

  #isExcluded({ folder, names: { status } }: Frame, name: Uint8Array, isFolder: boolean): boolean {
    const { excludes } = this.#options;
    if (excludes.excludeLargerThanBytes !== undefined && status.type === 'file' && status.size > excludes.excludeLargerThanBytes)
      return true;
    return this.#excludes.match(folder, name, isFolder);
  }

  /** The entries of the current name in the snapshots to compare with. */
  async #seek({ previous, names }: Frame): Promise<(Entry | undefined)[]> {
    const found: (Entry | undefined)[] = [];
    for (const directory of previous) {
      const entry = directory.trySeek(names);
      found.push(entry === needsLeaf ? await directory.seek(names) : entry);
    }
    return found;
  }

  #previousOf(node: NodeReference | null, folder: Uint8Array): PreviousDirectory {
    const onDamage = ({ code, message }: LaganError) =>
      this.#options.onNote({
        path: folder,
        code,
        message: `the parent snapshot cannot be read here, so that all of it is read again: ${message}`,
      });
    return new PreviousDirectory(this.#options.reader, node, onDamage);
  }

  async #visitFolder(
    frame: Frame,
    { name, source, found }: { name: Uint8Array; source: SourceNode | undefined; found: (Entry | undefined)[] },
  ): Promise<void> {
    const { status } = frame.names;
    const path = join(frame.folder, name);
    const before = found.map((entry) => (entry?.type === 'directory' ? entry : undefined));
    const unchanged = before.find((entry) => entry !== undefined && isSameStatus(entry, status));
    if (this.#frames.length >= limits.folderDepth || path.length >= limits.pathSizeBytes) return this.#addTooDeep(path, frame, name);
    const descriptor = this.#stack.tryEnter(name);
    if (descriptor < 0) return this.#addUnreadable(path, { name, status, errno: -descriptor });
    const fields = unchanged ?? entryFields(status, name, this.#told(path, readExtras(descriptor, status.device)));
    const above = source !== undefined && !source.isSource;
    const entered = {
      type: 'enter',
      fields,
      previous: unchanged !== undefined && unchanged === before[0] ? unchanged : undefined,
      previousNode: before[0]?.node,
      above,
    } as const;
    const device = frame.children !== undefined ? status.device : frame.device;
    if (!above && this.#isLeftEmpty(descriptor, status, { device })) {
      this.#stack.leave();
      await this.#push(entered);
      await this.#push({ type: 'leave', previousPacks: undefined });
      return;
    }
    await this.#enter(entered, { source, path, device, before });
  }

  async #enter(
    token: Extract<Token, { type: 'enter' }>,
    {
      source,
      path,
      device,
      before,
    }: { source: SourceNode | undefined; path: Uint8Array; device: number; before: (DirectoryEntry | undefined)[] },
  ): Promise<void> {
    const folder = join(path, slash);
    try {
      const previous = before.map((entry) => this.#previousOf(entry?.node ?? null, folder));
      this.#frames.push(this.#frameOf({ source, folder, device, previous }));
    } catch (error) {
      this.#stack.leave();
      const fault = { code: errnoNameOf(error) ?? 'io', message: `the folder could not be listed: ${(error as Error).message}` };
      await this.#addEmptyFolder(path, token.fields, fault);
      return;
    }
    await this.#push(token);
  }

  /** A folder that could not be opened: gone, something else now, or what is known of it from outside. */
  async #addUnreadable(path: Uint8Array, { name, status, errno }: { name: Uint8Array; status: FileStatus; errno: number }): Promise<void> {
    const fault = faultOf(errnoName(errno), `the folder could not be opened: ${errnoName(errno)}`);
    if (isGone(fault)) this.#options.onFault({ path, ...fault });
    else
      await this.#addEmptyFolder(
        path,
        entryFields(status, name, this.#told(path, readExtrasAt(this.#stack.current, name, status.device))),
        fault,
      );
  }

  /** No reader goes down there. */
  #addTooDeep(path: Uint8Array, { names: { status } }: Frame, name: Uint8Array): Promise<void> {
    const message = `a snapshot has at most ${limits.folderDepth} folders in each other, and paths of ${limits.pathSizeBytes} bytes`;
    const extras = this.#told(path, readExtrasAt(this.#stack.current, name, status.device));
    return this.#addEmptyFolder(path, entryFields(status, name, extras), { code: 'limit-exceeded', message });
  }

  /** The fault is kept in the entry, so that a restore does not take the folder for an empty one, nor the next backup for an unchanged one. */
  async #addEmptyFolder(path: Uint8Array, fields: EntryFields, fault: ReadFault): Promise<void> {
    this.#options.onFault({ path, ...fault });
    const extensions = { ...fields.extensions, readError: fault };
    await this.#push({ type: 'enter', fields: { ...fields, extensions }, previous: undefined, previousNode: undefined, above: false });
    await this.#push({ type: 'leave', previousPacks: undefined });
  }

  /** Folders that are stored without their content: other file systems, marked ones, caches. */
  #isLeftEmpty(descriptor: Descriptor, status: FileStatus, { device }: { device: number }): boolean {
    const { oneFileSystem, excludes } = this.#options;
    if (oneFileSystem && status.device !== device) return true;
    const probe = new FileStatus();
    if (excludes.excludeIfPresent?.some((marker) => tryStat(descriptor, Buffer.from(marker), probe) === 0)) return true;
    return excludes.excludeCaches === true && isTaggedAsCache(descriptor);
  }

  async #leave(frame: Frame): Promise<void> {
    this.#frames.pop();
    frame.names.close();
    const parent = this.#frames.at(-1);
    if (parent === undefined) {
      this.#options.queue.end();
      return;
    }
    const previous = frame.previous[0];
    const isSame = previous !== undefined && (await previous.allMet()) && previous.packs.every(this.#options.isAlive);
    this.#goUp(parent);
    await this.#push({ type: 'leave', previousPacks: isSame ? previous.packs : undefined });
  }

  /** Goes on in the parent folder. Far up it must be opened again: if another one is in its place by now, the rest of it is missing. */
  #goUp(parent: Frame): void {
    try {
      parent.names.rebind(this.#stack.leave());
    } catch (error) {
      parent.names.close();
      const path = parent.folder.subarray(0, -1);
      this.#options.onFault({
        path,
        code: errnoNameOf(error) ?? 'io',
        message: `was moved or replaced while it was read, the rest of it is missing: ${(error as Error).message}`,
      });
    }
  }

  async #visitFile(
    { folder, names: { status } }: Frame,
    { name, found }: { name: Uint8Array; found: (Entry | undefined)[] },
  ): Promise<void> {
    for (const entry of found) {
      if (entry?.type !== 'file' || !this.#looksTheSame(entry, status)) continue;
      const known = this.#goodContent(entry);
      const content = known instanceof Promise ? await known : known;
      if (content !== undefined) return this.#addKnown(folder, { entry, content, status, unchanged: entry === found[0] });
    }
    const path = join(folder, name);
    const { stored, given } = this.#store(path, status);
    const previous = found.find((entry): entry is FileEntry => entry?.type === 'file');
    await this.#push({ type: 'file', fields: entryFields(status, name, undefined), size: status.size, stored, path, previous });
    if (given !== undefined) await given;
  }

  /** A file whose content the repository has; if anything else of it changed, that is asked anew. */
  async #addKnown(
    folder: Uint8Array,
    { entry, content, status, unchanged }: { entry: FileEntry; content: Content; status: FileStatus; unchanged: boolean },
  ): Promise<void> {
    if (isSameStatus(entry, status))
      return this.#push({ type: 'entry', entry: content === entry.content ? entry : { ...entry, content }, unchanged });
    const { name, size } = entry;
    const extras = this.#told(join(folder, name), this.#extrasOfFile(name, status));
    return this.#push({ type: 'entry', entry: { ...entryFields(status, name, extras), type: 'file', size, content }, unchanged: false });
  }

  /** Has the content stored, once for all names of the file as long as it is remembered. */
  #store(path: Uint8Array, status: FileStatus): FileUnderWay {
    const { root, dispatcher, limits } = this.#options;
    const key = status.linkCount > 1 ? `${status.device}:${status.inode}` : undefined;
    const linked = key === undefined ? undefined : this.#linked.get(key);
    if (linked !== undefined) {
      if (--linked.namesLeft === 0) this.#linked.delete(key!);
      const stored = this.#orByThisName(linked.stored, expectedFile(path, status));
      stored.catch(() => undefined);
      return { stored, given: undefined };
    }
    const file = dispatcher.store(root, expectedFile(path, status));
    if (key !== undefined) {
      this.#linked.set(key, { stored: file.stored, namesLeft: status.linkCount - 1 });
      if (this.#linked.size > limits.linkedFiles) this.#linked.delete(this.#linked.keys().next().value!);
    }
    return file;
  }

  /** What another name of the file gave; if that name was gone when it was to be opened, this one is tried. */
  async #orByThisName(byOtherName: Promise<StoredContent>, file: ExpectedFile): Promise<StoredContent> {
    const { root, dispatcher } = this.#options;
    const { outcome } = await byOtherName;
    if (outcome.error === undefined || !isGone(outcome.error)) return byOtherName;
    const { stored, given } = dispatcher.store(root, file);
    await Promise.all([given, dispatcher.sendBatch()]);
    return stored;
  }

  #isAsItWas(entry: FileEntry, status: FileStatus): boolean {
    return isSameStatus(entry, status) && this.#looksTheSame(entry, status) && this.#goodContent(entry) === entry.content;
  }

  #looksTheSame({ size, mtime, ctime, inode, extensions }: FileEntry, status: FileStatus): boolean {
    const { ignoreCtime, ignoreInode } = this.#options;
    return (
      size === status.size &&
      mtime.nanoseconds === status.modifiedNanoseconds &&
      mtime.seconds === status.modifiedSeconds &&
      (ignoreCtime || isSameTime(ctime, status.changedSeconds, status.changedNanoseconds)) &&
      (ignoreInode || inode === status.inode) &&
      extensions.readError === undefined
    );
  }

  /** The content of an entry with all packs that it relies on; undefined if they are not all good. A promise only where its nodes must be asked for them. */
  #goodContent({ content }: FileEntry): Content | undefined | Promise<Content | undefined> {
    const { isAlive } = this.#options;
    if (content.form === 'node') {
      if (content.packs.length === 0) return this.#withPacks(content);
      return isAlive(content.node.pack) && content.packs.every(isAlive) ? content : undefined;
    }
    return content.form === 'none' || content.extents.every((extent) => extent.kind !== 'data' || isAlive(extent.pack))
      ? content
      : undefined;
  }

  /** The content of a file with so many packs that its entry does not list them. */
  async #withPacks(content: Extract<Content, { form: 'node' }>): Promise<Content | undefined> {
    try {
      const packs = [...(await this.#options.reader.contentPacks(content))].sort();
      return packs.every(this.#options.isAlive) ? { ...content, packs } : undefined;
    } catch (error) {
      if (isDamage(error)) return undefined;
      throw error;
    }
  }

  /** Of a file whose content is known: flags and project can be asked of an opened one only. */
  #extrasOfFile(name: Uint8Array, status: FileStatus): FileExtras | undefined {
    const descriptor = tryOpenFile(this.#stack.current, name);
    if (descriptor < 0) return readExtrasAt(this.#stack.current, name, status.device);
    const extras = readExtras(descriptor, status.device);
    closeDescriptor(descriptor);
    return extras;
  }

  /** The same, after its faults were told. */
  #told(path: Uint8Array, extras: FileExtras | undefined): FileExtras | undefined {
    for (const fault of extras?.faults ?? []) this.#options.onFault({ path, ...fault });
    return extras;
  }

  async #visitOther(
    { folder, names: { status } }: Frame,
    { name, type, found }: { name: Uint8Array; type: EntryType; found: (Entry | undefined)[] },
  ): Promise<void> {
    const before = found.find((entry) => entry?.type === type && isSameStatus(entry, status));
    if (before !== undefined) return this.#push({ type: 'entry', entry: before, unchanged: before === found[0] });
    const parent = this.#stack.current;
    const path = join(folder, name);
    let entry: Entry;
    try {
      entry = otherEntry(entryFields(status, name, this.#told(path, readExtrasAt(parent, name, status.device))), { type, status, parent });
    } catch (error) {
      const errno = errnoNameOf(error);
      if (errno === undefined) throw error;
      // EINVAL: it was a symbolic link.
      const fault = errno === 'EINVAL' ? replaced : faultOf(errno, (error as Error).message);
      this.#options.onFault({ path, ...fault });
      return;
    }
    return this.#push({ type: 'entry', entry, unchanged: false });
  }

  #push(token: Token): Promise<void> | undefined {
    const waiting = this.#options.queue.push(token);
    return waiting === undefined ? undefined : this.#options.dispatcher.sendBatch().then(() => waiting);
  }

  #fault(folder: Uint8Array, name: Uint8Array, errno: number): void {
    const code = errno === errnoOf.ENOENT ? 'vanished' : errnoName(errno);
    const message = errno === errnoOf.ENOENT ? 'is not there (any more)' : `could not be looked at: ${errnoName(errno)}`;
    this.#options.onFault({ path: join(folder, name), code, message });
  }
}

const slash = Uint8Array.of(0x2f);

function isGone({ code }: ReadFault): boolean {
  return code === 'vanished' || code === 'replaced';
}

function join(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const path = new Uint8Array(head.length + tail.length);
  path.set(head);
  path.set(tail, head.length);
  return path;
}
