import {
  type DirectoryEntry,
  type Entry,
  LaganError,
  limits,
  noContent,
  noExtensions,
  type PackId,
  type Snapshot,
  type SnapshotId,
} from '../../repo-format/mod.ts';
import { commitSnapshot, type Repository, writeCheckpoint } from '../repository/mod.ts';
import { recordingPacks, TreeBuilder } from '../trees/mod.ts';
import type { AssemblyCounts } from './_assembler.ts';
import { BackupRun } from './_backup-run.ts';
import type { ContentTree } from './_content-tree.ts';
import { EntrySorter, keyOf } from './_entry-sorter.ts';
import { EntryTree, type PlacedEntry } from './_entry-tree.ts';
import { type BackupLimits, backupLimits } from './_limits.ts';
import { isPassed } from './_passed.ts';
import { BackupSession } from './_session.ts';
import { sourceIdentity } from './_source-paths.ts';
import type { BackupResult, CommonBackupOptions } from './options.ts';

type WithoutContent<Any> = Any extends unknown ? Omit<Any, 'name' | 'content' | 'node' | 'filesBelow' | 'bytesBelow'> : never;

/** All that an entry says of a file, but its name and what is in it. */
export type GivenFields = WithoutContent<Entry>;

/** The next bytes of a file, or the length of a hole. */
export type GivenContent = Uint8Array | { readonly hole: number };

/** An entry of an archive. */
export interface GivenEntry {
  /** Path in the snapshot, raw bytes. `.`, empty names and slashes at its ends do not count. */
  readonly path: Uint8Array;
  /** A further name of another entry, by its path; or an entry. */
  readonly what: { readonly linkTo: Uint8Array } | { readonly fields: GivenFields; readonly content?: AsyncIterable<GivenContent> };
}

export interface EntriesBackupOptions extends CommonBackupOptions {
  /** What the snapshot says was backed up: absolute, raw bytes. */
  readonly paths: readonly Uint8Array[];
  /**
   * The entries, in any order; of several with the same path the last counts. The content of a file is read before the next entry is asked for. If it throws there is no
   * snapshot.
   */
  readonly entries: () => AsyncIterable<GivenEntry>;
  /** Whether `entries` can be read a second time, if the collector passes the backup. */
  readonly isRepeatable: boolean;
}

/** What waits for its place in the tree: an entry, or the key of the one that it is a further name of. */
type Waiting = { readonly entry: PlacedEntry } | { readonly linkTo: Uint8Array };

/** A file with several names. */
interface Linked {
  readonly number: number;
  count: number;
  entry: Exclude<Entry, DirectoryEntry> | undefined;
  /** If the first name is itself a further name of another one. */
  linkTo: string | undefined;
}

/**
 * Makes a snapshot of entries that something else than the file system gives, such as a tar archive.
 *
 * An entry whose path no file can have, or that is a further name of something that is not there, is in `errors`; the rest goes on. Errors that end it: those of the store,
 * `superseded` if the collector passed the backup and the entries cannot be read again, `interrupted`, `source-empty`, and what `entries` throws.
 */
export function backupEntries(repository: Repository, options: EntriesBackupOptions): Promise<BackupResult> {
  return backupEntriesWithin(repository, options, {});
}

/** The same with other limits: for tests. */
export async function backupEntriesWithin(
  repository: Repository,
  options: EntriesBackupOptions,
  limits: Partial<BackupLimits>,
): Promise<BackupResult> {
  const run = new BackupRun(options);
  try {
    for (let attempt = 1; ; attempt++) {
      const { compression = 'auto', dryRun = false, signal } = options;
      const session = await BackupSession.begin(repository, {
        workers: 1,
        compression,
        dryRun,
        onIndexDamage: run.indexDamaged,
        limits,
        signal,
      });
      try {
        return await new EntriesBackup(repository, { options, run, session }).run();
      } catch (error) {
        const mayBeginAnew = options.isRepeatable && attempt < backupLimits.sessions;
        if (!mayBeginAnew || !(await isPassed(repository, session, { error, signal }))) throw error;
        const { newBytes, newChunks } = session.dispatcher.counts;
        run.beginAnew({ newBytes, newChunks, chunks: 0, storedBytes: session.storedBytes });
      } finally {
        await session.end();
      }
    }
  } finally {
    run.end();
  }
}

interface Parts {
  readonly options: EntriesBackupOptions;
  readonly run: BackupRun;
  readonly session: BackupSession;
}

/** Names of the only entry of a checkpoint's tree: it stands for contents whose entries are still to come. */
const checkpointName = Buffer.from('unfinished');
/** Bytes of a file that are gathered before they go to the worker. */
const pieceSizeBytes = 1024 * 1024;

/** One session of it. */
class EntriesBackup {
  readonly #repository: Repository;
  readonly #options: EntriesBackupOptions;
  readonly #run: BackupRun;
  readonly #session: BackupSession;
  readonly #source: string;
  readonly #sorter = new EntrySorter<Waiting>();
  /** All packs that the contents rely on. */
  readonly #packs = new Set<PackId>();
  readonly #files = new Set<Promise<void>>();
  readonly #pieces: { readonly stored: Promise<void>; readonly sizeBytes: number }[] = [];
  #pieceBytes = 0;
  /** By the key of the first name. */
  readonly #linked = new Map<string, Linked>();
  #entries = 0;

  constructor(repository: Repository, { options, run, session }: Parts) {
    this.#repository = repository;
    this.#options = options;
    this.#run = run;
    this.#session = session;
    const paths = options.paths.map((path) => Buffer.from(path).toString('latin1'));
    this.#source = options.source ?? sourceIdentity(run.host, paths);
  }

  async run(): Promise<BackupResult> {
    try {
      await this.#run.untilAborted(this.#storeContents());
      return await this.#storeSnapshot();
    } finally {
      this.#sorter.close();
    }
  }

  /** First the contents, in the order in which they come; each entry then waits with what its content became. */
  async #storeContents(): Promise<void> {
    for await (const given of this.#options.entries()) {
      this.#run.throwIfInterrupted();
      const names = this.#namesOf(given.path);
      if (names === undefined) continue;
      this.#run.progress.scanned(new Uint8Array(0), given.path);
      await this.#take(names, given);
      await this.#run.betweenTokens(this.#session, () => this.#checkpoint());
    }
    await this.#allStored();
  }

  async #take(names: readonly Uint8Array[], { what }: GivenEntry): Promise<void> {
    const place = { key: keyOf(names), number: this.#entries++, name: names.at(-1)! };
    if ('linkTo' in what) {
      const target = this.#namesOf(what.linkTo);
      if (target === undefined) return;
      const linkTo = keyOf(target);
      this.#linkedAt(linkTo).count++;
      this.#sorter.add(place.key, place.number, { linkTo });
    } else if (what.fields.type === 'file') await this.#storeFile(place, what.fields, what.content);
    else this.#sorter.add(place.key, place.number, { entry: { ...what.fields, name: place.name } });
  }

  /** Returns when the next entry may be read; the file's own takes its place once its content is stored. */
  async #storeFile(
    { key, number, name }: { key: Uint8Array; number: number; name: Uint8Array },
    fields: Extract<GivenFields, { type: 'file' }>,
    given: AsyncIterable<GivenContent> | undefined,
  ): Promise<void> {
    const content = this.#session.dispatcher.newContent();
    const { sizeBytes, pieces } = await this.#storePieces(content, given ?? []);
    if (sizeBytes !== fields.size && fields.extensions.readError === undefined)
      throw new LaganError('io', `the content of ${Buffer.from(name).toString()} has ${sizeBytes} bytes, its entry says ${fields.size}`);
    const finished = Promise.all(pieces).then(async () => {
      this.#sorter.add(key, number, { entry: { ...fields, name, content: await content.finish() } });
      for (const pack of content.packs) this.#packs.add(pack);
      this.#run.progress.fileDone(fields.size);
      this.#files.delete(finished);
    });
    finished.catch(() => undefined);
    this.#files.add(finished);
    if (this.#files.size >= backupLimits.filesUnderWay) await this.#files.values().next().value;
  }

  /** Has a content cut as that of a file is: each stretch between two holes by itself. */
  async #storePieces(
    content: ContentTree,
    given: AsyncIterable<GivenContent> | Iterable<GivenContent>,
  ): Promise<{ sizeBytes: number; pieces: Promise<void>[] }> {
    const pieces: Promise<void>[] = [];
    let gathered: Uint8Array[] = [];
    let [sizeBytes, gatheredBytes, isWithinStretch] = [0, 0, false];
    const send = async (last: boolean): Promise<void> => {
      pieces.push((await this.#sendPiece(content, Buffer.concat(gathered), last)).stored);
      [gathered, gatheredBytes, isWithinStretch] = [[], 0, !last];
    };
    for await (const piece of given) {
      this.#run.throwIfInterrupted();
      if (piece instanceof Uint8Array) {
        gathered.push(piece);
        gatheredBytes += piece.length;
        sizeBytes += piece.length;
        this.#run.progress.read(piece.length);
        if (gatheredBytes >= pieceSizeBytes) await send(false);
      } else if (piece.hole > 0) {
        if (gatheredBytes > 0 || isWithinStretch) await send(true);
        await Promise.all(pieces);
        await content.add([{ kind: 'hole', length: piece.hole }]);
        sizeBytes += piece.hole;
      }
    }
    if (gatheredBytes > 0 || isWithinStretch) await send(true);
    return { sizeBytes, pieces };
  }

  /** Resolves with the promise of the stored piece as soon as another may follow. */
  async #sendPiece(content: ContentTree, bytes: Uint8Array, last: boolean): Promise<{ stored: Promise<void> }> {
    const stored = this.#session.dispatcher.storePiece(content, new Uint8Array(bytes), { last });
    stored.catch(() => undefined);
    this.#pieces.push({ stored, sizeBytes: bytes.length });
    this.#pieceBytes += bytes.length;
    while (this.#pieceBytes > backupLimits.pieceBytesUnderWay) await this.#oldestPiece();
    return { stored };
  }

  async #oldestPiece(): Promise<void> {
    const { stored, sizeBytes } = this.#pieces.shift()!;
    this.#pieceBytes -= sizeBytes;
    await stored;
  }

  async #allStored(): Promise<void> {
    while (this.#pieces.length > 0) await this.#oldestPiece();
    await Promise.all(this.#files);
  }

  /** Makes the collector keep all contents that are stored so far. */
  async #checkpoint(): Promise<void> {
    await this.#allStored();
    const packs = new Set(this.#packs);
    const { number, ...stored } = await this.#session.checkpoint(async () => {
      const builder = new TreeBuilder(recordingPacks(this.#session.nodes, packs), 'directory');
      await builder.addEntry({ ...madeUpFile, name: checkpointName });
      return { root: (await builder.finish())!.node, packs };
    });
    const snapshot = { ...this.#snapshot(noCounts), ...stored, partial: true };
    await writeCheckpoint(this.#repository, { session: this.#session.session, number, snapshot, signal: this.#options.signal });
  }

  async #storeSnapshot(): Promise<BackupResult> {
    const { dryRun = false, signal } = this.#options;
    const onFault = (path: Uint8Array, fault: { code: string; message: string }) => this.#run.fault({ path, ...fault });
    const trees = new EntryTree(this.#session.nodes, this.#packs, onFault);
    this.#findLinked();
    for (const { key, value } of this.#sorter.sorted()) {
      this.#run.throwIfInterrupted();
      const names = namesOfKey(key);
      const entry = 'entry' in value ? this.#withLink(key, value.entry) : this.#furtherName(names, value.linkTo);
      if (entry !== undefined) await trees.add(names, entry);
    }
    const tree = await trees.finish();
    const result = (snapshotId: SnapshotId | null): BackupResult =>
      this.#run.result({ snapshotId, parent: null, unchanged: false, session: this.#session, counts: trees.counts });
    if (tree === null) throw new LaganError('source-empty', 'the archive has no entry that could be backed up');
    if (dryRun) return result(null);
    const stored = await this.#run.untilAborted(this.#session.finish(tree, this.#packs));
    const snapshot = { ...this.#snapshot(trees.counts), ...stored };
    await commitSnapshot(this.#repository, { session: this.#session.session, snapshot, signal });
    return result(this.#session.session.id);
  }

  #snapshot(counts: AssemblyCounts): Snapshot {
    return this.#run.snapshot(this.#session, { paths: this.#options.paths, source: this.#source, parent: null, counts });
  }

  /** Looks for the entries that others are further names of. */
  #findLinked(): void {
    if (this.#linked.size === 0) return;
    for (const { key, value } of this.#sorter.sorted()) {
      const linked = this.#linked.get(latin1(key));
      if (linked === undefined) continue;
      if ('linkTo' in value) linked.linkTo = latin1(value.linkTo);
      else if (value.entry.type !== 'directory') linked.entry = value.entry;
    }
  }

  #withLink(key: Uint8Array, entry: PlacedEntry): PlacedEntry {
    const linked = this.#linked.get(latin1(key));
    return linked === undefined || entry.type === 'directory' ? entry : linkedEntry(entry, linked);
  }

  #furtherName(names: readonly Uint8Array[], linkTo: Uint8Array): PlacedEntry | undefined {
    let linked = this.#linked.get(latin1(linkTo));
    for (let hops = 0; linked?.linkTo !== undefined && hops < mostHops; hops++) linked = this.#linked.get(linked.linkTo);
    if (linked?.entry !== undefined) return linkedEntry({ ...linked.entry, name: names.at(-1)! }, linked);
    const path = Buffer.concat(names.flatMap((name) => [slash, name]));
    this.#run.fault({
      path,
      code: 'ENOENT',
      message: `is a hard link to ${Buffer.from(linkTo).toString().replaceAll('\0', '/')}, which is not in the archive`,
    });
    return undefined;
  }

  #linkedAt(key: Uint8Array): Linked {
    const text = latin1(key);
    let linked = this.#linked.get(text);
    if (linked === undefined)
      this.#linked.set(text, (linked = { number: this.#linked.size + 1, count: 1, entry: undefined, linkTo: undefined }));
    return linked;
  }

  /** The names of a path from the top; undefined, and told of, if no file can be there. */
  #namesOf(path: Uint8Array): readonly Uint8Array[] | undefined {
    const names = splitPath(path);
    if (names.length === 0) return undefined;
    const isWrong = names.some((name) => latin1(name) === '..' || name.includes(0) || name.length > limits.nameSizeBytes);
    if (!isWrong) return names;
    this.#run.fault({
      path,
      code: 'EINVAL',
      message: 'is not a path that a snapshot can have (.., NUL, or a name that is too long), and is left out',
    });
    return undefined;
  }
}

const slash = Buffer.from('/');
/** Hard links to hard links that are followed. */
const mostHops = 64;
const noCounts: AssemblyCounts = { files: 0, directories: 0, others: 0, bytes: 0, unchangedFiles: 0 };
const never = { seconds: 0, nanoseconds: 0 };
const madeUpFile = {
  type: 'file',
  mode: 0o600,
  uid: 0,
  gid: 0,
  userName: '',
  groupName: '',
  mtime: never,
  ctime: never,
  inode: 0,
  extensions: noExtensions,
  size: 0,
  content: noContent,
} as const;

function linkedEntry(entry: Exclude<Entry, DirectoryEntry>, { number, count }: Linked): Exclude<Entry, DirectoryEntry> {
  return { ...entry, inode: number, extensions: { ...entry.extensions, link: { count, device: 0 } } };
}

function splitPath(path: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (let start = 0; start <= path.length; ) {
    const found = path.indexOf(0x2f, start);
    const end = found < 0 ? path.length : found;
    const name = path.subarray(start, end);
    if (name.length > 0 && !(name.length === 1 && name[0] === 0x2e)) names.push(name);
    start = end + 1;
  }
  return names;
}

function namesOfKey(key: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (let start = 0; start <= key.length; ) {
    const found = key.indexOf(0, start);
    const end = found < 0 ? key.length : found;
    names.push(key.subarray(start, end));
    start = end + 1;
  }
  return names;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
