/** Two repositories in memory, a history in one of them, and whether the other has the same. */
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Test } from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { walkSnapshot } from '../../../engine/look/mod.ts';
import { type CreateOptions, createRepository, listSnapshots, type Repository, type SnapshotInfo } from '../../../engine/repository/mod.ts';
import { InMemory, type Storage } from '../../../engine/storage/mod.ts';
import type { Entry, SnapshotId } from '../../../repo-format/mod.ts';
import { backUp, contentOf, secret, write } from '../backup/_fixture.ts';
import { randomBytesOf } from '../random.ts';

export const otherSecret = { kind: 'key-file', secret: new Uint8Array(32).fill(5) } as const;
/** Small blocks and packs, so that a few files make many. */
export const small = {
  chunker: { kind: 'local-maximum-1', horizonBytes: 512, gridBytes: 1024 },
  blockSizeBytes: 16_384,
  packSizeBytes: 65_536,
} as const;
export const otherCutting = { ...small, chunker: { kind: 'local-maximum-1', horizonBytes: 300, gridBytes: 900 } } as const;

export function newSource(options: Partial<CreateOptions> = small, storage: Storage = new InMemory()): Promise<Repository> {
  return createRepository(storage, { slots: [{ secret, label: 'source' }], patienceMs: 0, ...options });
}

export function newTarget(options: Partial<CreateOptions> = {}, storage: Storage = new InMemory()): Promise<Repository> {
  return createRepository(storage, { slots: [{ secret: otherSecret, label: 'target' }], patienceMs: 0, ...options });
}

export function newFolder(t: Test): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'lagan-copy-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const source = path.join(folder, 'source');
  mkdirSync(source);
  return source;
}

/** Files of many kinds: small, large, sparse, of zeros, with two names, empty; links and folders. */
export function writeVariety(source: string, seed = 1): void {
  for (let index = 0; index < 40; index++) write(source, `small/${index}`, randomBytesOf(`${seed}/${index}`, 200 + 37 * index));
  write(source, 'text', 'a line of text that repeats\n'.repeat(8_000));
  write(source, 'large', randomBytesOf(`${seed} large`, 120_000));
  write(source, 'twice/the same', randomBytesOf(`${seed} large`, 120_000));
  write(source, 'zeros', new Uint8Array(100_000));
  write(source, 'sparse', randomBytesOf(`${seed} sparse`, 10_000));
  truncateSync(path.join(source, 'sparse'), 600_000);
  write(source, 'empty', '');
  mkdirSync(path.join(source, 'nothing in it'), { recursive: true });
  symlinkSync('small/1', path.join(source, 'link'));
  linkSync(path.join(source, 'large'), path.join(source, 'large again'));
  utimesSync(path.join(source, 'empty'), -12_345.5, -12_345.5);
}

export async function backUpInto(repository: Repository, source: string, options = {}, limits = {}): Promise<SnapshotId> {
  const { snapshotId } = await backUp({ folder: source, source, repositoryFolder: '', repository }, options, limits);
  return snapshotId!;
}

/** Every entry of a snapshot with the bytes of its content, without where they are stored. */
export async function readAll(repository: Repository, info: SnapshotInfo): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>();
  for await (const { path: place, entry } of walkSnapshot(repository, info))
    found.set(Buffer.from(place).toString('latin1'), await plainValue(repository, entry));
  return found;
}

async function plainValue(repository: Repository, entry: Entry): Promise<unknown> {
  if (entry.type === 'directory') return { ...entry, node: entry.node === null };
  if (entry.type !== 'file') return entry;
  return { ...entry, content: (await contentOf(repository, entry)).toString('latin1') };
}

/** The snapshots that are copies are as their originals, and the whole repository is sound. */
export async function expectSame(
  t: Test,
  source: Repository,
  target: Repository,
  tidiness: 'tidy' | 'with litter' = 'tidy',
): Promise<void> {
  const [originals, copies] = [await listSnapshots(source), await listSnapshots(target)];
  t.equal(copies.length, originals.length, 'as many snapshots');
  for (const [index, original] of originals.entries()) {
    const copy = copies[index]!;
    const { host, user, paths, started, ended, source: of, partial, errors } = original.snapshot;
    t.match(copy, {
      tags: original.tags,
      description: original.description,
      snapshot: { host, user, paths, started, ended, source: of, partial, errors },
    });
    const [expected, found] = [await readAll(source, original), await readAll(target, copy)];
    t.same([...found.keys()], [...expected.keys()]);
    for (const [name, entry] of expected) t.strictSame(found.get(name), entry, name);
    const { files, directories, others, bytes } = original.snapshot.statistics;
    t.match(copy.snapshot.statistics, { files, directories, others, bytes });
  }
  const { errors, notes } = await check(target, { readData: true });
  t.same([errors, tidiness === 'tidy' ? notes : []], [[], []], 'nothing is damaged');
}

export async function sizeOf(storage: Storage, prefix: string): Promise<number> {
  let sum = 0;
  for await (const { sizeBytes } of storage.list(prefix)) sum += sizeBytes;
  return sum;
}
