/** A small repository, made once by a real backup, and copies of it in memory that can be damaged at will. */
import { createCipheriv } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import {
  backup,
  createRepository,
  listSnapshots,
  openRepository,
  openStorage,
  type Repository,
  type SnapshotInfo,
} from '../../engine/mod.ts';
import { openSegmentedObject } from '../../engine/objects/mod.ts';
import { InMemory } from '../../engine/storage/mod.ts';
import { decodePackContents, objectNames, type PackBlock, type PackId, type PackKind, parseObjectName } from '../../repo-format/mod.ts';

export const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(7) } as const;

export type Objects = Map<string, Uint8Array>;

export interface Sample {
  /** The folder that was backed up, twice. */
  readonly source: string;
  /** The repository's folder. */
  readonly place: string;
  readonly objects: Objects;
  readonly snapshots: readonly SnapshotInfo[];
}

/** Files of many kinds in `scratch`/source, backed up, changed, and backed up again. */
export async function makeSample(scratch: string): Promise<Sample> {
  const [source, place] = [path.join(scratch, 'source'), path.join(scratch, 'repository')];
  makeSource(source);
  const repository = await createRepository(openStorage(place), { slots: [{ secret, label: 'test' }] });
  await backup(repository, { paths: [source], workers: 1 });
  changeSource(source);
  await backup(repository, { paths: [source], workers: 1 });
  return { source, place, objects: readObjects(place), snapshots: await listSnapshots(repository) };
}

/** A copy in memory, opened while it was whole, and damaged after that. */
export async function openDamaged(sample: Sample, damage: (objects: Objects) => void = () => {}): Promise<Repository> {
  const storage = new InMemory();
  for (const [name, bytes] of sample.objects) await storage.create(name, [bytes]);
  const repository = await openRepository(storage, { secret, mode: 'read' });
  const damaged = new Map(sample.objects);
  damage(damaged);
  for (const [name, bytes] of sample.objects) if (damaged.get(name) !== bytes) await storage.delete([name]);
  for (const [name, bytes] of damaged) if (sample.objects.get(name) !== bytes) await storage.create(name, [bytes]);
  return repository;
}

/** Names of objects that begin with a text. */
export function namesBelow(objects: Objects, prefix: string): string[] {
  return [...objects.keys()].filter((name) => name.startsWith(prefix)).sort();
}

/** Packs with what they hold, the one with the most blocks first. */
export async function packsOf(repository: Repository, kind: PackKind): Promise<{ id: PackId; name: string; blocks: PackBlock[] }[]> {
  const { storage, keys } = repository;
  const found: { id: PackId; name: string; blocks: PackBlock[] }[] = [];
  for await (const { name } of storage.list('writer/packs/')) {
    const id = (parseObjectName(name) as { id: PackId }).id;
    const opened = await openSegmentedObject(storage, { name, kind, keys }).catch(() => undefined);
    if (opened !== undefined) found.push({ id, name, blocks: decodePackContents(opened.contents, name, { kind }) });
  }
  return found.sort((left, right) => right.blocks.length - left.blocks.length);
}

/** The object with one bit changed. */
export function flip(objects: Objects, name: string, offset: number, bit = 0): void {
  const bytes = objects.get(name)!.slice();
  bytes[offset]! ^= 1 << bit;
  objects.set(name, bytes);
}

/** The object cut, or continued with zeros. */
export function resize(objects: Objects, name: string, sizeBytes: number): void {
  const bytes = new Uint8Array(sizeBytes);
  bytes.set(objects.get(name)!.subarray(0, sizeBytes));
  objects.set(name, bytes);
}

export function swap(objects: Objects, left: string, right: string): void {
  const bytes = objects.get(left)!;
  objects.set(left, objects.get(right)!);
  objects.set(right, bytes);
}

/** Bytes that no codec makes smaller, the same for the same seed. */
export function randomBytes(sizeBytes: number, seed: string): Uint8Array {
  const key = Buffer.alloc(16, seed);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}

export const packName = (id: PackId): string => objectNames.pack(id);

function makeSource(source: string): void {
  fs.mkdirSync(path.join(source, 'small', 'deeper'), { recursive: true });
  fs.mkdirSync(path.join(source, 'empty'));
  for (let number = 0; number < 300; number++)
    fs.writeFileSync(path.join(source, 'small', `file-${number}`), `this is file ${number}\n`.repeat(20));
  fs.writeFileSync(path.join(source, 'small', 'deeper', 'text'), 'the same words again and again, '.repeat(20_000));
  fs.writeFileSync(path.join(source, 'large'), randomBytes(4 * 1024 * 1024, 'large'));
  fs.writeFileSync(path.join(source, 'middle'), randomBytes(200 * 1024, 'middle'));
  fs.writeFileSync(path.join(source, 'copy-of-middle'), randomBytes(200 * 1024, 'middle'));
  fs.writeFileSync(path.join(source, 'nothing'), '');
  fs.symlinkSync('middle', path.join(source, 'link'));
  const sparse = fs.openSync(path.join(source, 'sparse'), 'w');
  fs.writeSync(sparse, randomBytes(5000, 'sparse'), 0, 5000, 3 * 1024 * 1024);
  fs.ftruncateSync(sparse, 8 * 1024 * 1024);
  fs.closeSync(sparse);
  fs.writeFileSync(path.join(source, 'Latin-1 \xe9'.normalize('NFC')), 'x');
}

function changeSource(source: string): void {
  fs.appendFileSync(path.join(source, 'small', 'file-7'), 'one more line\n');
  fs.writeFileSync(path.join(source, 'new'), randomBytes(50_000, 'new'));
  fs.rmSync(path.join(source, 'small', 'file-8'));
  fs.chmodSync(path.join(source, 'small', 'file-9'), 0o600);
  fs.rmSync(path.join(source, 'small', 'file-10'));
  fs.mkdirSync(path.join(source, 'small', 'file-10'));
  fs.writeFileSync(path.join(source, 'small', 'file-10', 'inside'), 'was a file');
}

function readObjects(place: string): Objects {
  const objects: Objects = new Map();
  for (const entry of fs.readdirSync(place, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.parentPath.includes('temporary')) continue;
    const file = path.join(entry.parentPath, entry.name);
    objects.set(path.relative(place, file), new Uint8Array(fs.readFileSync(file)));
  }
  return objects;
}
