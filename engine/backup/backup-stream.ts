import { setTimeout } from 'node:timers/promises';
import {
  type Content,
  type DirectoryEntry,
  type Entry,
  type Extent,
  idToBytes,
  LaganError,
  type NodeReference,
  noExtensions,
  objectNames,
  type PackId,
  type SessionId,
  type Snapshot,
} from '../../repo-format/mod.ts';
import { isDamage } from '../packs/mod.ts';
import {
  commitSnapshot,
  isSuperseded,
  listCheckpoints,
  listSnapshots,
  type Repository,
  readPackList,
  readRoot,
  type SnapshotInfo,
  writeCheckpoint,
} from '../repository/mod.ts';
import { groupName, userName } from '../system/mod.ts';
import { recordingPacks, TreeBuilder } from '../trees/mod.ts';
import type { AssemblyCounts } from './_assembler.ts';
import { BackupRun } from './_backup-run.ts';
import type { ContentTree } from './_content-tree.ts';
import { type BackupLimits, backupLimits } from './_limits.ts';
import { isPassed } from './_passed.ts';
import { RetainedBytes } from './_retained-bytes.ts';
import { BackupSession } from './_session.ts';
import { sourceIdentity } from './_source-paths.ts';
import type { BackupResult, CommonBackupOptions } from './options.ts';

export interface StreamBackupOptions extends CommonBackupOptions {
  /** Name of the file in the snapshot; with `/` in it, folders are made for it. */
  readonly name: string;
  /** Its content. If it throws, there is no snapshot. */
  readonly stream: AsyncIterable<Uint8Array>;
}

/** Bytes that are gathered before they go to the worker. */
const pieceSizeBytes = 1024 * 1024;
/** Pieces under way: one at work, one waiting. */
const piecesLimit = 2;

/**
 * Backs up a stream (standard input, the output of a command) as one file. If the collector passes it, it goes on from its last checkpoint: the stream is read once.
 *
 * Errors: `usage` for a name that no file can have, those of the store, and what the stream throws.
 */
export function backupStream(repository: Repository, options: StreamBackupOptions): Promise<BackupResult> {
  return backupStreamWithin(repository, options, {});
}

/** The same with other limits: for tests. */
export async function backupStreamWithin(
  repository: Repository,
  options: StreamBackupOptions,
  limits: Partial<BackupLimits>,
): Promise<BackupResult> {
  const names = namesOf(options.name);
  const run = new BackupRun(options);
  const stream = pieces(options.stream);
  try {
    return await new StreamBackup(repository, { options, limits: { ...backupLimits, ...limits }, names, run, stream }).run();
  } finally {
    // Not waited for: what it reads from may be silent.
    stream.return(undefined).catch(() => undefined);
    run.end();
  }
}

interface StreamParts {
  readonly options: StreamBackupOptions;
  readonly limits: BackupLimits;
  readonly names: readonly Uint8Array[];
  readonly run: BackupRun;
  readonly stream: AsyncGenerator<Uint8Array>;
}

/** What the last checkpoint that was found standing has. */
interface Saved {
  /** To go on with. */
  readonly tree: ContentTree;
  /** As it is stored. */
  readonly content: Content;
}

/**
 * A stream cannot be read again. So what its last checkpoint does not have is kept in memory. If the collector passes the session, another one goes on with what that
 * checkpoint has, whose packs the collector keeps (docs/decisions/004-checkpoints.md), and stores the rest again.
 */
class StreamBackup {
  readonly #repository: Repository;
  readonly #parts: StreamParts;
  readonly #source: string;
  readonly #paths: readonly Uint8Array[];
  /** The bytes that the last checkpoint does not have. */
  readonly #retained = new RetainedBytes();
  /** Sessions of this backup that the collector has passed. */
  readonly #passed: SessionId[] = [];
  #parent: SnapshotInfo | undefined;
  #saved: Saved | undefined;
  /** What that checkpoint had is gone. */
  #isLost = false;
  /** Chunks of the session when it made that checkpoint. */
  #savedChunks = 0;

  constructor(repository: Repository, parts: StreamParts) {
    this.#repository = repository;
    this.#parts = parts;
    this.#source = parts.options.source ?? sourceIdentity(parts.run.host, [parts.options.name]);
    this.#paths = [new Uint8Array(Buffer.from(parts.options.name))];
  }

  async run(): Promise<BackupResult> {
    const { options, limits, run } = this.#parts;
    const { signal } = options;
    const found = { filter: { source: this.#source }, signal, onDamage: () => undefined };
    this.#parent = (await listSnapshots(this.#repository, found)).at(-1);
    for (;;) {
      const session = await this.#begin();
      try {
        return await this.#storeSnapshot(session);
      } catch (error) {
        const mayGoOn = !options.dryRun && !this.#isLost && this.#passed.length < limits.sessions;
        if (!mayGoOn || !(await isPassed(this.#repository, session, { error, signal }))) throw error;
        this.#passed.push(session.session.id);
        const { newBytes, newChunks } = session.dispatcher.counts;
        run.goOn({ newBytes, newChunks, chunks: this.#savedChunks, storedBytes: session.storedBytes });
        this.#savedChunks = 0;
      } finally {
        await session.end();
      }
    }
  }

  async #begin(): Promise<BackupSession> {
    const { options, limits, run } = this.#parts;
    const { compression = 'auto', dryRun = false, verifyAll, signal } = options;
    await this.#untilDecided();
    const onIndexDamage = run.indexDamaged;
    return BackupSession.begin(this.#repository, { workers: 1, compression, dryRun, verifyAll, onIndexDamage, limits, signal });
  }

  /** While a collection decides, packs that it had condemned may not be relied on, though it will keep those that the checkpoint has. */
  async #untilDecided(): Promise<void> {
    const { options, limits } = this.#parts;
    const { signal } = options;
    const packs = this.#saved?.tree.packs;
    const deadline = performance.now() + limits.decisionPatienceMs;
    while (packs !== undefined && performance.now() < deadline) {
      const root = await readRoot(this.#repository, { signal });
      if (root.phase !== 'fencing') return;
      const condemned = await readPackList(this.#repository, root.condemned, { signal });
      if (!condemned.some((pack) => packs.has(pack))) return;
      await setTimeout(backupLimits.decisionPollMs);
      this.#parts.run.throwIfInterrupted();
    }
  }

  async #storeSnapshot(session: BackupSession): Promise<BackupResult> {
    const { options, run } = this.#parts;
    // Earlier backups of the stream that did not end: what they stored is of no more use once this one has.
    const unfinished = await listCheckpoints(this.#repository, { signal: options.signal, onDamage: () => undefined });
    const earlier = unfinished.filter(({ id, snapshot }) => snapshot.source === this.#source && !this.#passed.includes(id));
    const content = await this.#contentSoFar(session);
    await run.untilAborted(this.#storeStream(session, content));
    const [size, { packs }] = [content.lengthBytes, content];
    const tree = await this.#storeTree(session, { size, content: await content.finish(), packs });
    const before = this.#parent?.snapshot.tree ?? null;
    const unchanged = before !== null && Buffer.compare(before.name, tree.name) === 0;
    const result = { parent: this.#parent?.id ?? null, unchanged, session, counts: this.#counts(size) };
    if (options.dryRun) return run.result({ ...result, snapshotId: null });
    const stored = await run.untilAborted(session.finish(tree, packs));
    const snapshot = this.#snapshot(session, size, { ...stored, continues: [...this.#passed, ...earlier.map(({ id }) => id)] });
    await commitSnapshot(this.#repository, { session: session.session, snapshot, signal: options.signal });
    return run.result({ ...result, snapshotId: session.session.id });
  }

  /** What the last checkpoint has, to go on with. Packs of it that the collector has replaced meanwhile give way to those that have their chunks now. */
  async #contentSoFar(session: BackupSession): Promise<ContentTree> {
    const saved = this.#saved;
    if (saved === undefined) return session.dispatcher.newContent();
    if ([...saved.tree.packs].every(session.isAlive)) return saved.tree.clone(session.nodes);
    const content = session.dispatcher.newContent();
    try {
      for await (const extents of session.reader.extents(saved.content))
        await content.add(await Promise.all(extents.map(({ start: _, ...extent }) => whereItIs(session, extent))));
      return content;
    } catch (error) {
      if (!isDamage(error) || (await isSuperseded(this.#repository, session.session, { signal: this.#parts.options.signal }))) throw error;
      this.#isLost = true;
      throw new LaganError(
        'superseded',
        'collections have passed the backup of this stream, which cannot be read twice, and its last checkpoint was given up',
        {
          cause: error,
          hint: 'run it again; what is still stored of it is found, and is not stored again',
        },
      );
    }
  }

  /** Has the stream chunked by one worker while the next piece is gathered; first what the last checkpoint does not have. */
  async #storeStream(session: BackupSession, content: ContentTree): Promise<void> {
    const { options, limits, run, stream } = this.#parts;
    const underWay: Promise<void>[] = [];
    const send = async (bytes: Uint8Array, { last }: { last: boolean }): Promise<void> => {
      run.throwIfInterrupted();
      const piece = session.dispatcher.storePiece(content, bytes, { last });
      // If the stream fails, nobody waits for it any more.
      piece.catch(() => undefined);
      underWay.push(piece);
      if (underWay.length > piecesLimit) await underWay.shift();
    };
    const checkpoint = async (): Promise<void> => {
      await Promise.all(underWay.splice(0));
      await this.#checkpoint(session, content);
    };
    for (const piece of this.#retained.pieces) await send(piece, { last: false });
    // Not by `for await`, which would end the stream after an error.
    for (let next = await stream.next(); !next.done; next = await stream.next()) {
      const piece = next.value;
      if (!options.dryRun) this.#retained.add(piece);
      run.progress.read(piece.length);
      await send(piece, { last: false });
      await run.betweenTokens(session, checkpoint);
      if (this.#retained.sizeBytes >= limits.retainedStreamBytes) await checkpoint();
    }
    await send(new Uint8Array(0), { last: true });
    await Promise.all(underWay);
  }

  /** Makes the collector keep all that the content relies on so far; what it has need not be kept in memory then. */
  async #checkpoint(session: BackupSession, tree: ContentTree): Promise<void> {
    const partial = await tree.clone(session.nodes);
    const [size, { packs }] = [partial.lengthBytes, partial];
    const content = await partial.finish();
    const { number, ...stored } = await session.checkpoint(async () => ({
      root: await this.#storeTree(session, { size, content, packs }),
      packs,
    }));
    const snapshot = this.#snapshot(session, size, { ...stored, partial: true, continues: this.#passed });
    await writeCheckpoint(this.#repository, { session: session.session, number, snapshot, signal: this.#parts.options.signal });
    this.#saved = { tree: await tree.clone(session.nodes), content };
    this.#savedChunks = session.dispatcher.counts.chunks;
    this.#retained.dropBefore(size);
  }

  #snapshot(
    session: BackupSession,
    size: number,
    { continues, ...more }: Partial<Snapshot> & { continues: readonly SessionId[] },
  ): Snapshot {
    const [parent, counts] = [this.#parent?.id ?? null, this.#counts(size)];
    const plain = this.#parts.run.snapshot(session, { paths: this.#paths, source: this.#source, parent, counts });
    const extensions = continues.length === 0 ? plain.extensions : { ...plain.extensions, continues: continues.map(idToBytes) };
    return { ...plain, ...more, extensions };
  }

  #counts(bytes: number): AssemblyCounts {
    return { files: 1, directories: this.#parts.names.length - 1, others: 0, bytes, unchangedFiles: 0 };
  }

  #storeTree(
    session: BackupSession,
    { size, content, packs }: { size: number; content: Content; packs: Set<PackId> },
  ): Promise<NodeReference> {
    const { names, options } = this.#parts;
    return storeTree(session, { names, size, content, time: options.time ?? new Date(), packs });
  }
}

/** An extent with a pack that the session may rely on. Code: pack-missing, if there is none. */
async function whereItIs(session: BackupSession, extent: Extent): Promise<Extent> {
  if (extent.kind !== 'data' || session.isAlive(extent.pack)) return extent;
  const pack = await session.packOf(extent.name);
  if (pack !== undefined) return { ...extent, pack };
  const object = objectNames.pack(extent.pack);
  throw new LaganError('pack-missing', `what ${object} had is in no pack that a backup may rely on`, { object });
}

/** The stream in pieces of about one size. */
async function* pieces(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let gathered: Uint8Array[] = [];
  let length = 0;
  for await (const part of stream) {
    gathered.push(part);
    length += part.length;
    if (length < pieceSizeBytes) continue;
    yield new Uint8Array(Buffer.concat(gathered));
    gathered = [];
    length = 0;
  }
  if (length > 0) yield new Uint8Array(Buffer.concat(gathered));
}

/** The file and the folders of its name. */
async function storeTree(
  session: BackupSession,
  {
    names,
    size,
    content,
    time,
    packs,
  }: { names: readonly Uint8Array[]; size: number; content: Content; time: Date; packs: Set<NodeReference['pack']> },
): Promise<NodeReference> {
  const now = { seconds: Math.floor(time.getTime() / 1000), nanoseconds: (((time.getTime() % 1000) + 1000) % 1000) * 1_000_000 };
  const [uid, gid] = [process.getuid!(), process.getgid!()];
  const fields = {
    uid,
    gid,
    userName: userName(uid),
    groupName: groupName(gid),
    mtime: now,
    ctime: now,
    inode: 0,
    extensions: noExtensions,
  };
  let entry: Entry = { ...fields, name: names.at(-1)!, type: 'file', mode: 0o600, size, content };
  for (const name of names.slice(0, -1).toReversed()) {
    const node = await storeFolder(session, entry, packs);
    entry = { ...fields, name, type: 'directory', mode: 0o700, node, filesBelow: 1, bytesBelow: size } satisfies DirectoryEntry;
  }
  return storeFolder(session, entry, packs);
}

async function storeFolder(session: BackupSession, entry: Entry, packs: Set<NodeReference['pack']>): Promise<NodeReference> {
  const builder = new TreeBuilder(recordingPacks(session.nodes, packs), 'directory');
  await builder.addEntry(entry);
  return (await builder.finish())!.node;
}

function namesOf(name: string): Uint8Array[] {
  const parts = name.split('/').filter((part) => part.length > 0);
  if (parts.length === 0 || parts.some((part) => part === '.' || part === '..' || part.includes('\0') || Buffer.byteLength(part) > 255)) {
    throw new LaganError('usage', `the name of the stream in the snapshot cannot be ${JSON.stringify(name)}`, {
      expected: 'a name such as dump.sql or database/dump.sql',
      found: name,
    });
  }
  return parts.map((part) => new Uint8Array(Buffer.from(part)));
}
