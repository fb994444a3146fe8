/**
 * An engine that is told what there is: for what commands print and how they end. What the real engine does is tested with the real one.
 */
import type { Difference, Engine, Entry, KeySlotInfo, Repository, SnapshotInfo, StoredHold, WalkedEntry } from '../../bin/shared/engine.ts';
import { heldSnapshots, isHolding } from '../../engine/repository/mod.ts';
import { parseKeepCount, parseKeepDuration, parseTimeZone, planRetention, retentionSnapshotOf } from '../../engine/retention/mod.ts';
import { LaganError, noExtensions } from '../../repo-format/mod.ts';

export const firstId = '1111111122222222333333334444444a';
export const secondId = 'aaaaaaaabbbbbbbbccccccccddddddd1';
const mtime = { seconds: 1_700_000_000, nanoseconds: 123_456_789 };

export function fileEntry(name: string | Uint8Array, size = 5): Entry {
  return { ...common(name), type: 'file', size, content: { form: 'none' } };
}

export function directoryEntry(name: string | Uint8Array): Entry {
  return { ...common(name), mode: 0o755, type: 'directory', node: null, filesBelow: 2, bytesBelow: 7 };
}

export function symlinkEntry(name: string, target: string): Entry {
  return { ...common(name), type: 'symlink', target: Buffer.from(target) };
}

export function deviceEntry(name: string): Entry {
  return { ...common(name), type: 'block-device', major: 8, minor: 1 };
}

export function socketEntry(name: string): Entry {
  return { ...common(name), type: 'socket' };
}

export function walked(path: string | Uint8Array, entry: Entry): WalkedEntry {
  return { path: Buffer.from(path), entry };
}

export function snapshotInfo(
  id: string,
  more: { host?: string; paths?: string[]; tags?: string[]; seconds?: number; description?: string } = {},
): SnapshotInfo {
  const { host = 'web1', paths = ['/srv/data'], tags = [], seconds = 1_700_000_000, description = '' } = more;
  const time = { seconds, nanoseconds: 0 };
  return {
    id: id as SnapshotInfo['id'],
    generation: 1,
    name: `writer/snapshots/0000000000000001/${id}`,
    tags,
    description,
    deleted: false,
    heldUntil: undefined,
    standing: 'valid',
    snapshot: {
      session: id as SnapshotInfo['id'],
      generation: 1,
      started: time,
      ended: time,
      host,
      user: 'root',
      paths: paths.map((path) => Buffer.from(path)),
      tags,
      description,
      program: 'lagan 0.1.0',
      tree: null,
      packs: null,
      listPacks: [],
      parent: null,
      source: 'x',
      partial: false,
      statistics: { files: 2, directories: 1, others: 0, bytes: 7, newBytes: 7, storedBytes: 9, chunks: 2, newChunks: 2, errors: 0 },
      errors: [],
      extensions: {},
    },
  };
}

export function storedHold(snapshot: string, more: Partial<StoredHold['value']> = {}): StoredHold {
  const id = `f0${snapshot.slice(2)}` as StoredHold['id'];
  return { id, name: `owner/holds/${id}`, value: { snapshots: [snapshot as SnapshotInfo['id']], until: null, reason: 'audit', ...more } };
}

export function keySlot(id: string, more: Partial<KeySlotInfo> = {}): KeySlotInfo {
  return {
    id: id as KeySlotInfo['id'],
    label: 'laptop',
    kind: 'password',
    grants: 'full',
    created: mtime,
    isCurrent: true,
    standing: 'proven',
    ...more,
  };
}

/** The tree of every snapshot. */
export const defaultTree: WalkedEntry[] = [
  walked('/srv', directoryEntry('srv')),
  walked('/srv/data', directoryEntry('data')),
  walked('/srv/data/a.txt', fileEntry('a.txt')),
  walked('/srv/data/link', symlinkEntry('link', 'a.txt')),
  walked('/srv/data/disk', deviceEntry('disk')),
];

/** Calls of the engine, with their options. */
export type Calls = { name: string; options: Record<string, unknown> }[];

export interface FakeOptions {
  readonly snapshots?: SnapshotInfo[];
  readonly tree?: WalkedEntry[];
  readonly contents?: Record<string, string>;
  readonly differences?: Difference[];
  readonly holds?: StoredHold[];
  readonly overrides?: Partial<Engine>;
  readonly calls?: Calls;
}

export function fakeEngine(options: FakeOptions = {}): Engine {
  const {
    snapshots = [snapshotInfo(firstId), snapshotInfo(secondId, { seconds: 1_700_086_400 })],
    tree = defaultTree,
    calls = [],
  } = options;
  const noted = <Result>(name: string, given: object, result: Result): Result => {
    calls.push({ name, options: given as Record<string, unknown> });
    return result;
  };
  const storage = { location: '/repository', close: async () => {} };
  const repository = { id: '0'.repeat(32), storage, warnings: [] } as unknown as Repository;
  const statistics = {
    files: 2,
    directories: 1,
    others: 1,
    bytes: 7,
    newBytes: 7,
    storedBytes: 9,
    chunks: 2,
    newChunks: 2,
    errors: 0,
    unchangedFiles: 0,
  };
  const engine: Partial<Engine> = {
    openStorage: () => storage as ReturnType<Engine['openStorage']>,
    inspectPlace: async () => ({ state: 'repository' }),
    openRepository: async (_storage, given) => {
      const secret = typeof given.secret === 'function' ? await given.secret() : given.secret;
      return noted('openRepository', { ...given, secret }, repository);
    },
    createRepository: async (_storage, given) => noted('createRepository', given, repository),
    withCache: (opened) => opened,
    rollbackWarning: async () => null,
    withSeenRoot: async (opened) => opened,
    rememberNewestRoot: async () => undefined,
    readKeyFile: async () => ({ secret: { kind: 'key-file', secret: new Uint8Array(32) }, warnings: [] }),
    newKeyFileSecret: () => ({ kind: 'key-file', secret: new Uint8Array(32) }),
    keyText: () => 'lagan-key-1 AAAA-BBBB',
    keyWords: async () => Array.from({ length: 24 }, () => 'abandon'),
    listSnapshots: async (_repository, given) => noted('listSnapshots', given ?? {}, snapshots),
    resolveSnapshot: async (_repository, text) => find(snapshots, text),
    resolveUnreadable: async () => undefined,
    annotateSnapshot: async (_repository, _id, given) => noted('annotateSnapshot', given, { tags: ['new'], description: 'text' }),
    backup: async (_repository, given) =>
      noted('backup', given, {
        snapshotId: secondId as SnapshotInfo['id'],
        parent: null,
        unchangedFromParent: false,
        statistics,
        errors: [],
        durationMs: 5,
      }),
    backupEntries: async (_repository, { entries, ...given }) => {
      const paths: string[] = [];
      for await (const { path } of entries()) paths.push(Buffer.from(path).toString());
      const snapshotId = given.dryRun ? null : (secondId as SnapshotInfo['id']);
      const result = { snapshotId, parent: null, unchangedFromParent: false, statistics, errors: [], durationMs: 5 };
      return noted('backupEntries', { ...given, entries: paths }, result);
    },
    importedFrom: () => null,
    maintenanceIsDue: async () => false,
    walkSnapshot: (_repository, _snapshot, given) => walk(tree, given?.path, given?.recursive ?? true),
    findEntries: (_repository, infos, given) => noted('findEntries', given ?? {}, findNamed(tree, infos, given?.patterns ?? [])),
    lookup: async (_repository, _snapshot, path) => ({ path, entry: lookUp(tree, path) }),
    openFile: (_repository, entry) => ({
      size: 0,
      readError: undefined,
      read: async () => new Uint8Array(),
      stream: () => content(options.contents?.[Buffer.from(entry.name).toString()] ?? 'hello'),
      stretches: async function* () {
        yield { kind: 'data', start: 0, end: 5 };
      },
    }),
    diffSnapshots: async function* () {
      yield* options.differences ?? [];
    },
    heldSnapshots,
    isHolding,
    parseKeepCount,
    parseKeepDuration,
    parseTimeZone,
    planRetention,
    retentionSnapshotOf,
    listHolds: async () => options.holds ?? [],
    holdSnapshots: async (_repository, ids, given) => noted('holdSnapshots', { ids, ...given }, new Map(ids.map((id) => [id, 'kept']))),
    releaseSnapshots: async (_repository, ids) => noted('releaseSnapshots', { ids }, new Set(ids)),
    removeHold: async (_repository, id) => noted('removeHold', { id }, undefined),
    unmarkSnapshots: async (_repository, ids) => noted('unmarkSnapshots', { ids }, new Map(ids.map((id) => [id, 'kept']))),
    forgetSnapshots: async (_repository, ids) => noted('forgetSnapshots', { ids }, { marked: ids, held: new Map() }),
    rewriteSnapshot: async (_repository, info, given) => {
      await given.onRemoved?.({ path: Buffer.from('/srv/data/a.txt'), entry: fileEntry('a.txt') });
      const [outcome, snapshotId] = given.dryRun ? (['dry-run', null] as const) : (['rewritten', secondId as SnapshotInfo['id']] as const);
      return noted('rewriteSnapshot', { id: info.id, ...given }, { outcome, snapshotId, removed: { files: 1, bytes: 5, entries: 1 } });
    },
    copySnapshots: async (_source, _target, given) => {
      const counts = { newBytes: 7, newChunks: 2, storedBytes: 9, error: undefined, hold: { until: null, fate: 'kept' } } as const;
      const copied = given.snapshots.map((source) => ({ source, outcome: 'copied', snapshotId: source.id, ...counts }) as const);
      for (const one of copied) await given.onSnapshot?.(one);
      return noted('copySnapshots', given, { snapshots: copied, method: 'files' });
    },
    mirrorRepository: async (_source, _target, given) =>
      noted('mirrorRepository', given ?? {}, {
        outcome: given?.dryRun ? 'dry-run' : 'complete',
        repository: '0'.repeat(32),
        root: 1,
        copiedObjects: 3,
        copiedBytes: 5,
        presentObjects: 4,
        extraObjects: 3,
        extraBytes: 6,
        extraKeySlots: 1,
        extraRecords: 2,
        deletedObjects: 0,
        deletedBytes: 0,
        problems: 0,
      }),
    listKeys: async () => [
      keySlot('7c01'.repeat(8)),
      keySlot('8d02'.repeat(8), { kind: 'unknown', grants: 'none', isCurrent: false, damaged: 'bit-flipped' }),
    ],
    addKey: async (_repository, given) => noted('addKey', given, keySlot('9e03'.repeat(8), { label: given.label })),
    removeKey: async (_repository, id) => keySlot(id.padEnd(32, '0')),
    changeKey: async (_repository, given) => noted('changeKey', given, keySlot('9e03'.repeat(8))),
    ...options.overrides,
  };
  return engine as Engine;
}

function find(snapshots: SnapshotInfo[], text: string): SnapshotInfo {
  const back = /^latest(?:~(\d+))?$/.exec(text);
  const info = back ? snapshots.at(-1 - Number(back[1] ?? 0)) : snapshots.find(({ id }) => id.startsWith(text));
  if (!info) throw new LaganError('snapshot-not-found', `there is no snapshot ${text}`);
  return info;
}

async function* walk(tree: WalkedEntry[], path: Uint8Array | undefined, recursive: boolean): AsyncGenerator<WalkedEntry> {
  const top = path === undefined || path.length === 1 ? '' : Buffer.from(path).toString('latin1');
  for (const item of tree) {
    const text = Buffer.from(item.path).toString('latin1');
    if (text.startsWith(`${top}/`) && (recursive || !text.slice(top.length + 1).includes('/'))) yield item;
  }
}

/** Patterns are plain names here. */
async function* findNamed<Snapshot>(
  tree: WalkedEntry[],
  snapshots: Iterable<Snapshot> | AsyncIterable<Snapshot>,
  patterns: readonly string[],
): AsyncGenerator<WalkedEntry & { snapshot: Snapshot }> {
  for await (const snapshot of snapshots) {
    for (const item of tree) if (patterns.includes(Buffer.from(item.entry.name).toString())) yield { snapshot, ...item };
  }
}

function lookUp(tree: WalkedEntry[], path: Uint8Array): Entry {
  const found = tree.find((item) => Buffer.compare(item.path, path) === 0);
  if (!found) throw new LaganError('path-not-found', `there is no ${Buffer.from(path)} in the snapshot`);
  return found.entry;
}

async function* content(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

function common(name: string | Uint8Array) {
  return {
    name: Buffer.from(name),
    mode: 0o644,
    uid: 1000,
    gid: 100,
    userName: 'ann',
    groupName: 'users',
    mtime,
    ctime: mtime,
    inode: 42,
    extensions: noExtensions,
  };
}
