/** Repositories in a local folder (backups have several threads), sources beside them, and what is in a snapshot, read back. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Test } from 'tap';
import type { BackupLimits } from '../../../engine/backup/_limits.ts';
import { backupWithin } from '../../../engine/backup/backup.ts';
import type { BackupOptions, BackupResult, ReadError } from '../../../engine/backup/mod.ts';
import { openFile, walkSnapshot } from '../../../engine/look/mod.ts';
import { PackReader } from '../../../engine/packs/mod.ts';
import { createRepository, listSnapshots, openRepository, type Repository, type SnapshotInfo } from '../../../engine/repository/mod.ts';
import { LocalFolder, type Storage } from '../../../engine/storage/mod.ts';
import { closeDescriptor, openRoot, removeTree } from '../../../engine/system/mod.ts';
import { TreeReader } from '../../../engine/trees/mod.ts';
import type { Entry, Extent, FileEntry } from '../../../repo-format/mod.ts';

export const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(9) } as const;
/** Segments of so many bytes make a large file of a few megabytes. */
export const smallSegments = { segmentSizeBytes: 256 * 1024 } as const;
const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

export interface Place {
  readonly folder: string;
  /** What is backed up. */
  readonly source: string;
  readonly repositoryFolder: string;
  readonly repository: Repository;
}

/** A folder with an empty source and a new repository; it goes when the test ends. */
export async function makePlace(t: Test): Promise<Place> {
  const folder = mkdtempSync(path.join(base, 'lagan-backup-'));
  t.teardown(() => removeFolder(folder));
  const source = path.join(folder, 'source');
  mkdirSync(source);
  const repositoryFolder = path.join(folder, 'repository');
  const repository = await createRepository(new LocalFolder(repositoryFolder), { slots: [{ secret, label: 'test' }], patienceMs: 0 });
  return { folder, source, repositoryFolder, repository };
}

/** Also if it is deeper than a path can be long. */
function removeFolder(folder: string): void {
  const parent = openRoot(path.dirname(folder));
  removeTree(parent, Buffer.from(path.basename(folder)));
  closeDescriptor(parent);
}

/** Backs the source up with the limits given. */
export function backUp(
  { repository, source }: Place,
  options: Partial<BackupOptions> = {},
  limits: Partial<BackupLimits> = {},
): Promise<BackupResult> {
  return backupWithin(repository, { paths: [source], workers: 1, ...options }, limits);
}

export function write(source: string, name: string, bytes: Uint8Array | string): string {
  const file = path.join(source, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, bytes);
  return file;
}

export async function newest(repository: Repository): Promise<SnapshotInfo> {
  return (await listSnapshots(repository)).at(-1)!;
}

/** The entries of the newest snapshot below `folder`, by their paths relative to it. */
export async function entriesOf(repository: Repository, folder: string, snapshot?: SnapshotInfo): Promise<Map<string, Entry>> {
  const found = new Map<string, Entry>();
  const bytes = new Uint8Array(Buffer.from(folder));
  for await (const { path: place, entry } of walkSnapshot(repository, snapshot ?? (await newest(repository)), { path: bytes }))
    found.set(path.relative(folder, Buffer.from(place).toString()), entry);
  return found;
}

/** The contents of the files of the newest snapshot. */
export async function contentsOf(repository: Repository, folder: string, snapshot?: SnapshotInfo): Promise<Map<string, Buffer>> {
  const contents = new Map<string, Buffer>();
  for (const [name, entry] of await entriesOf(repository, folder, snapshot))
    if (entry.type === 'file') contents.set(name, await contentOf(repository, entry));
  return contents;
}

export async function contentOf(repository: Repository, entry: FileEntry): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of openFile(repository, entry).stream()) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

export async function fileOf({ repository, source }: Place, name: string): Promise<FileEntry> {
  return (await entriesOf(repository, source)).get(name) as FileEntry;
}

/** All extents of a file. */
export async function extentsOf(repository: Repository, { content }: FileEntry): Promise<Extent[]> {
  const extents: Extent[] = [];
  const { storage, keys } = repository;
  for await (const leaf of new TreeReader(new PackReader({ storage, keys })).extents(content)) extents.push(...leaf);
  return extents;
}

export const temporaryFiles = ({ repositoryFolder }: Place): string[] => filesIn(path.join(repositoryFolder, 'temporary'));
/** All objects of the repository but the owner's. */
export const objectsOf = ({ repositoryFolder }: Place): string[] => filesIn(path.join(repositoryFolder, 'writer')).sort();
export const packsOf = (place: Place): string[] => objectsOf(place).filter((name) => name.startsWith('packs/'));

/** The same repository over another storage. */
export const over = (place: Place, storage: Storage): Place => ({ ...place, repository: { ...place.repository, storage } });

/** After an error: nothing of it is left, the repository opens, and the next backup of the source is whole. */
export async function expectIntact(t: Test, place: Place, expected: ReadonlyMap<string, Uint8Array>): Promise<void> {
  t.same(temporaryFiles(place), [], 'no temporary file is left');
  const repository = await openRepository(new LocalFolder(place.repositoryFolder), { secret, mode: 'write' });
  const { errors } = await backUp({ ...place, repository });
  t.same(errors, []);
  const contents = await contentsOf(repository, place.source);
  t.same([...contents.keys()].sort(), [...expected.keys()].sort());
  for (const [name, bytes] of expected) if (!contents.get(name)!.equals(bytes)) t.fail(`${name} is not what it was`);
}

export const codes = (errors: readonly ReadError[]): [string, string][] =>
  errors.map(({ path: place, code }) => [path.basename(Buffer.from(place).toString()), code]);

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
}
