/**
 * Memory and cost of maintenances: makes a repository with so many chunks, in sessions of a million each, with its packs (files of the right length without contents), index
 * tables and snapshots whose lists name the packs. A process of its own, with the launcher's settings, maintains it: all tables become a base index. Then a thousandth more is stored,
 * and another process maintains again: that is to cost what is new. Each has some packs to delete that nobody needs. Prints the most memory that each process had, its time, and what it read and wrote.
 * With `--forget` the snapshots' trees name all chunks, and a third maintenance frees a forgotten snapshot: it reads the trees of all others, to find packs that are worth repacking.
 *
 * `node bench/maintain-memory.ts --chunks 100000000 --folder /tmp/index` takes 9 GB of disk and some minutes; `npm test` does it with a million.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ChunkTable, Deduplicator, PackTable, StoredIndex, writeIndexTable } from '../engine/index/mod.ts';
import { createKernel } from '../engine/kernel/mod.ts';
import { maintain } from '../engine/maintain/mod.ts';
import { PackReader, type StoredPack } from '../engine/packs/mod.ts';
import {
  beginSession,
  commitSnapshot,
  createRepository,
  markSnapshots,
  openRepository,
  type Repository,
  type Session,
} from '../engine/repository/mod.ts';
import { LocalFolder } from '../engine/storage/mod.ts';
import { NodeStore, TreeBuilder } from '../engine/trees/mod.ts';
import {
  type Content,
  type Entry,
  idFromBytes,
  noContent,
  noExtensions,
  objectNames,
  type PackId,
  type Snapshot,
  type SnapshotId,
  type Time,
} from '../repo-format/mod.ts';

const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(7) } as const;
/** Chunks of 64 KiB on average make a pack of 32 MiB. */
const chunksPerPack = 512;
const packSizeBytes = 32 * 1024 * 1024;
const chunkSizeBytes = 64 * 1024;
const chunksPerSession = 1_000_000;
const fewestSessions = 20;
const newPart = 1 / 1000;

const { values } = parseArgs({
  options: {
    chunks: { type: 'string', default: '1000000' },
    folder: { type: 'string' },
    forget: { type: 'boolean', default: false },
    measure: { type: 'boolean', default: false },
  },
});
if (values.folder === undefined) throw new RangeError('--folder: name a folder that is not there yet');
const folder = values.folder;
const place = join(folder, 'repository');
if (values.measure) await measure();
else await compare(Number(values.chunks));

async function compare(chunks: number): Promise<void> {
  mkdirSync(folder);
  try {
    const repository = await createRepository(new LocalFolder(place), { slots: [{ secret, label: 'bench' }], patienceMs: 0 });
    const all: PackId[] = [];
    const forgotten: PackId[] = [];
    const sessions = Math.max(fewestSessions, Math.ceil(chunks / chunksPerSession));
    const packs = Math.ceil(chunks / sessions / chunksPerPack);
    const toForget = await makeSession(repository, { packs, all: forgotten, listsAll: false });
    for (let session = 2; session <= sessions; session++) await makeSession(repository, { packs, all, listsAll: session === sessions });
    const first = measured();
    await makeSession(repository, { packs: Math.ceil((chunks * newPart) / chunksPerPack), all, listsAll: true });
    const next = measured();
    if (values.forget) await markSnapshots(repository, [toForget], { reason: 'bench' });
    const forget = values.forget ? measured() : undefined;
    console.log(JSON.stringify({ chunks, packs: all.length + forgotten.length, first, next, forget }, null, 2));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A backup: packs, an index table, a snapshot that lists the session's packs or all there are; and a pack that a dead backup left. */
async function makeSession(
  repository: Repository,
  { packs, all, listsAll }: { packs: number; all: PackId[]; listsAll: boolean },
): Promise<SnapshotId> {
  const { storage, keys } = repository;
  const session = await beginSession(repository);
  const stored: StoredPack[] = Array.from({ length: packs }, () => ({
    pack: makePack(),
    kind: 'pack',
    names: Uint8Array.from(randomBytes(chunksPerPack * 32)),
    sizeBytes: packSizeBytes,
  }));
  makePack();
  const own = stored.map(({ pack }) => pack);
  all.push(...own);
  const snapshot = await storeSnapshot(repository, { session, packs: listsAll ? all : own, stored });
  await writeIndexTable(storage, { name: objectNames.sessionIndex(session.generation, session.id, 0, 0), keys, packs: stored });
  return (await commitSnapshot(repository, { session, snapshot })).id;
}

/** A file as long as a pack, without contents. */
function makePack(): PackId {
  const bytes = randomBytes(16);
  bytes[0]! &= 0x7f;
  const id = idFromBytes<PackId>(bytes);
  const path = join(place, objectNames.pack(id));
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, 'wx');
  ftruncateSync(file, packSizeBytes);
  closeSync(file);
  return id;
}

/** Stores the list and a small tree in a pack of its own, which is added to `stored`. */
async function storeSnapshot(
  { storage, keys, configuration }: Repository,
  { session, packs, stored }: { session: Session; packs: readonly PackId[]; stored: StoredPack[] },
): Promise<Snapshot> {
  const { nameKey, metadataNameKey, cutKey } = keys;
  const kernelOf = (dataSizeBytes: number) =>
    createKernel({ dataSizeBytes, nameKey, metadataNameKey, cutKey, cutting: configuration.chunker });
  const table = new PackTable();
  const deduplicator = new Deduplicator({
    written: new ChunkTable({ capacityRows: 1 << 14 }),
    packs: table,
    stored: new StoredIndex(storage, []),
    reader: new PackReader({ storage, keys }),
    kind: 'metadata-pack',
  });
  const onPack = (pack: StoredPack) => stored.push(pack);
  const nodes = new NodeStore({ kernel: kernelOf(1 << 20), kernelOf, storage, keys, deduplicator, packs: table, onPack });
  const treePacks = new Set<PackId>();
  const treeNodes = {
    put: async (bytes: Uint8Array) => {
      const reference = await nodes.put(bytes);
      treePacks.add(reference.pack);
      return reference;
    },
  };
  const time = { seconds: Math.floor(Date.now() / 1000), nanoseconds: 0 };
  const ownPacks = [...stored];
  const content = values.forget ? await storeContent(treeNodes, ownPacks) : noContent;
  const chunks = values.forget ? ownPacks.length * chunksPerPack : 0;
  const tree = new TreeBuilder(treeNodes, 'directory');
  await tree.addEntry(fileOf(content, { chunks, time }));
  const { node } = (await tree.finish())!;
  const listed = [...packs, ...treePacks].sort();
  const list = new TreeBuilder(nodes, 'pack-list');
  for (const pack of listed) await list.addPack(pack);
  const root = (await list.finish())!;
  await nodes.flush();
  return {
    session: session.id,
    generation: session.generation,
    started: time,
    ended: time,
    host: 'bench',
    user: 'bench',
    paths: [],
    tags: [],
    description: '',
    program: 'bench',
    tree: node,
    packs: { ...root.node, height: root.height, count: listed.length },
    listPacks: [root.node.pack],
    parent: null,
    source: '',
    partial: false,
    statistics: { files: 0, directories: 0, others: 0, bytes: 0, newBytes: 0, storedBytes: 0, chunks: 0, newChunks: 0, errors: 0 },
    errors: [],
    extensions: {},
  };
}

/** A file of all chunks of the packs. */
async function storeContent(nodes: Pick<NodeStore, 'put'>, packs: readonly StoredPack[]): Promise<Content> {
  const tree = new TreeBuilder(nodes, 'content');
  for (const { pack, names } of packs) {
    for (let offset = 0; offset < names.length; offset += 32) {
      const waiting = tree.addExtent({ kind: 'data', length: chunkSizeBytes, name: names.subarray(offset, offset + 32), pack });
      if (waiting !== undefined) await waiting;
    }
  }
  const { node, height } = (await tree.finish())!;
  return { form: 'node', node, height, packs: packs.map(({ pack }) => pack).sort() };
}

function fileOf(content: Content, { chunks, time }: { chunks: number; time: Time }): Entry {
  const owner = { uid: 0, gid: 0, userName: '', groupName: '' };
  const times = { mtime: time, ctime: time, inode: 1 };
  const name = new TextEncoder().encode('file');
  return { type: 'file', name, mode: 0o600, ...owner, ...times, size: chunks * chunkSizeBytes, content, extensions: noExtensions };
}

interface Measured {
  readonly foldedTables: number;
  readonly freedPacks: number;
  readonly peakMiB: number;
  readonly seconds: number;
  readonly readMiB: number;
  readonly writtenMiB: number;
}

/** Maintains in a process with the settings of the command line. */
function measured(): Measured {
  const launcher = readFileSync(new URL('../bin/lagan', import.meta.url), 'utf8');
  const flags = /^v8_flags='(.*)'$/m.exec(launcher)![1]!.split(' ');
  const child = spawnSync(process.execPath, [...flags, fileURLToPath(import.meta.url), '--folder', folder, '--measure'], {
    encoding: 'utf8',
  });
  if (child.status !== 0) throw new Error(child.stderr);
  return JSON.parse(child.stdout);
}

async function measure(): Promise<void> {
  const repository = await openRepository(new LocalFolder(place), { secret, mode: 'write' });
  const startedAt = performance.now();
  const { foldedTables, freedPacks, damage } = await maintain(repository);
  if (damage.length > 0) throw damage[0];
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  const process = { peakKiB: procNumber('status', 'VmHWM'), read: procNumber('io', 'rchar'), written: procNumber('io', 'wchar') };
  const result: Measured = {
    foldedTables,
    freedPacks,
    peakMiB: Math.round(process.peakKiB / 1024),
    seconds,
    readMiB: Math.round(process.read / 1024 / 1024),
    writtenMiB: Math.round(process.written / 1024 / 1024),
  };
  console.log(JSON.stringify(result));
}

/** A number of a file of this process's below /proc. */
function procNumber(file: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/self/${file}`, 'utf8'))?.[1]);
}
