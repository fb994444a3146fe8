import {
  type Content,
  type DirectoryEntry,
  type Entry,
  idToBytes,
  isLaganError,
  LaganError,
  type NodeReference,
  noExtensions,
  type SessionId,
} from '../../repo-format/mod.ts';
import { commitSnapshot, listCheckpoints, listSnapshots, type Repository, type SnapshotInfo, writeCheckpoint } from '../repository/mod.ts';
import { groupName, userName } from '../system/mod.ts';
import { recordingPacks, TreeBuilder } from '../trees/mod.ts';
import type { AssemblyCounts } from './_assembler.ts';
import { BackupRun } from './_backup-run.ts';
import type { ContentTree } from './_content-tree.ts';
import type { BackupLimits } from './_limits.ts';
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
 * Backs up a stream (standard input, the output of a command) as one file.
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
  try {
    const source = sourceIdentity(run.host, [options.name]);
    const { compression = 'auto', dryRun = false, signal } = options;
    const reading = { signal, onDamage: () => undefined };
    const finding = Promise.all([listSnapshots(repository, { filter: { source }, ...reading }), listCheckpoints(repository, reading)]);
    finding.catch(() => undefined); // Whoever waits for it is told.
    const session = await BackupSession.begin(repository, { workers: 1, compression, dryRun, limits, signal });
    try {
      const [snapshots, unfinished] = await finding;
      const parent = snapshots.at(-1);
      const continues = unfinished.filter(({ snapshot }) => snapshot.source === source).map(({ id }) => id);
      return await storeSnapshot(repository, { run, session, options, names, source, parent, continues });
    } catch (error) {
      throw isLaganError(error, 'superseded') ? passed(error) : error;
    } finally {
      await session.end();
    }
  } finally {
    run.end();
  }
}

async function storeSnapshot(
  repository: Repository,
  {
    run,
    session,
    options,
    names,
    source,
    parent,
    continues,
  }: {
    run: BackupRun;
    session: BackupSession;
    options: StreamBackupOptions;
    names: Uint8Array[];
    source: string;
    parent: SnapshotInfo | undefined;
    /** Earlier backups of the stream that did not end: what they stored is of no more use once this one has. */
    continues: readonly SessionId[];
  },
): Promise<BackupResult> {
  const content = session.dispatcher.newContent();
  const paths = [new Uint8Array(Buffer.from(options.name))];
  const parentId = parent?.id ?? null;
  const countsOf = (bytes: number): AssemblyCounts => ({ files: 1, directories: names.length - 1, others: 0, bytes, unchangedFiles: 0 });
  /** Without a tree: nobody can go on with a stream. It makes the collector keep what was stored so far. */
  const checkpoint = async (bytes: number): Promise<void> => {
    const { number } = await session.checkpoint(async () => ({ root: null, packs: new Set() }));
    const snapshot = { ...run.snapshot(session, { paths, source, parent: parentId, counts: countsOf(bytes) }), partial: true };
    await writeCheckpoint(repository, { session: session.session, number, snapshot, signal: options.signal });
  };
  const size = await run.untilAborted(storeStream(session, { run, content, stream: options.stream, checkpoint }));
  const counts = countsOf(size);
  const packs = content.packs;
  const tree = await storeTree(session, { names, size, content: await content.finish(), time: options.time ?? new Date(), packs });
  const before = parent?.snapshot.tree ?? null;
  const unchanged = before !== null && Buffer.compare(before.name, tree.name) === 0;
  const result = { parent: parentId, unchanged, session, counts };
  if (options.dryRun) return run.result({ ...result, snapshotId: null });
  const stored = await run.untilAborted(session.finish(tree, packs));
  const snapshot = {
    ...run.snapshot(session, { paths, source, parent: parentId, counts }),
    extensions: continues.length === 0 ? {} : { continues: continues.map(idToBytes) },
    ...stored,
  };
  await commitSnapshot(repository, { session: session.session, snapshot, signal: options.signal });
  return run.result({ ...result, snapshotId: session.session.id });
}

/** A stream cannot be read again, so its backup cannot begin anew. */
function passed(cause: LaganError): LaganError {
  return new LaganError('superseded', 'a collection has passed the backup of this stream, which cannot be read twice', {
    cause,
    hint: 'run it again; what was stored of it is found, and is not stored again',
  });
}

/** Has the stream chunked by one worker while the next piece is gathered. Returns its length. */
async function storeStream(
  session: BackupSession,
  {
    run,
    content,
    stream,
    checkpoint,
  }: { run: BackupRun; content: ContentTree; stream: AsyncIterable<Uint8Array>; checkpoint: (bytes: number) => Promise<void> },
): Promise<number> {
  let size = 0;
  const underWay: Promise<void>[] = [];
  const send = async (bytes: Uint8Array, last: boolean): Promise<void> => {
    const piece = session.dispatcher.storePiece(content, bytes, { last });
    // If the stream fails, nobody waits for it any more.
    piece.catch(() => undefined);
    underWay.push(piece);
    if (underWay.length > piecesLimit) await underWay.shift();
  };
  for await (const piece of pieces(stream)) {
    size += piece.length;
    run.progress.read(piece.length);
    await send(piece, false);
    await run.betweenTokens(session, async () => {
      await Promise.all(underWay.splice(0));
      await checkpoint(size);
    });
  }
  await send(new Uint8Array(0), true);
  await Promise.all(underWay);
  return size;
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
