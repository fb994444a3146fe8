/** What the tests of engine/restore share: a source folder, a repository, a target. */

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Test } from 'tap';
import {
  type BackupOptions,
  backup,
  createRepository,
  openRepository,
  openStorage,
  type Repository,
  type RestoreOptions,
  type RestoreResult,
  resolveSnapshot,
  restore,
} from '../../../engine/mod.ts';
import { closeDescriptor, openRoot, removeTree } from '../../../engine/system/mod.ts';

export const isRoot: boolean = process.geteuid!() === 0;
export const needsRoot = { skip: isRoot ? false : 'needs root' } as const;

/** Of a plain restore. */
export const rules = {
  overwrite: 'never',
  delete: false,
  emptiness: 'as-stored',
  numericOwner: true,
  dryRun: false,
  umask: 0o022,
  protectedFolders: [],
} as const;

export const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(7) } as const;

/** Folders for one test; they go away with it, however protected what is in them. */
export interface Place {
  readonly path: string;
  /** What is backed up. */
  readonly source: string;
  readonly repository: string;
  /** Does not exist at first. */
  readonly target: string;
}

export function makePlace(t: Test): Place {
  const path = mkdtempSync(join(tmpdir(), 'lagan-restore-'));
  chmodSync(path, 0o755);
  t.teardown(() => {
    const parent = openRoot(dirname(path));
    removeTree(parent, Buffer.from(basename(path)));
    closeDescriptor(parent);
  });
  const place = { path, source: join(path, 'source'), repository: join(path, 'repository'), target: join(path, 'target') };
  mkdirSync(place.source);
  return place;
}

/** Backs up the source into a repository that is made if need be; returns the repository opened. */
export async function backUp(
  { source, repository }: Pick<Place, 'source' | 'repository'>,
  options: Partial<BackupOptions> = {},
): Promise<Repository> {
  const storage = openStorage(repository);
  const opened =
    (await storage.state()) === 'absent'
      ? await createRepository(storage, { slots: [{ secret, label: 'test' }] })
      : await openRepository(storage, { secret, mode: 'write' });
  await backup(opened, { paths: [source], ...options });
  return opened;
}

/** Opens the repository again, for reading. */
export function reopen({ repository }: Pick<Place, 'repository'>): Promise<Repository> {
  return openRepository(openStorage(repository), { secret, mode: 'read' });
}

/** Restores the source folder of the latest snapshot so that its content lies directly in the target. */
export async function bringBack(repository: Repository, place: Place, options: Partial<RestoreOptions> = {}): Promise<RestoreResult> {
  return restore(repository, await resolveSnapshot(repository, 'latest'), { target: place.target, from: place.source, ...options });
}

/** A source with some of everything that needs no rights, backed up. */
export async function backUpSample(t: Test): Promise<{ place: Place; repository: Repository }> {
  const place = makePlace(t);
  makeSample(place.source);
  return { place, repository: await backUp(place) };
}

export function makeSample(folder: string): void {
  mkdirSync(join(folder, 'below', 'deeper'), { recursive: true });
  mkdirSync(join(folder, 'empty'));
  writeFileSync(join(folder, 'a'), 'the first');
  writeFileSync(join(folder, 'below', 'b'), pseudoRandom(200_000, 1));
  writeFileSync(join(folder, 'below', 'deeper', 'c'), '');
  writeFileSync(join(folder, 'z'), pseudoRandom(3_000_000, 2));
  execFileSync('ln', ['-s', 'below/b', join(folder, 'link')]);
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  chmodSync(join(folder, 'a'), 0o640);
  chmodSync(join(folder, 'below'), 0o750);
}

/** What is in a folder: paths with type, mode, mtime, and content or target. */
export function inventory(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  const visit = (path: string, name: string): void => {
    const status = lstatSync(path, { bigint: true });
    const mode = (status.mode & 0o7777n).toString(8);
    const facts = `${status.isSymbolicLink() ? '' : mode} ${status.mtimeNs}`;
    if (status.isDirectory()) {
      found[name] = `directory ${facts}`;
      for (const child of readdirSync(path)) visit(join(path, child), join(name, child));
    } else if (status.isSymbolicLink()) found[name] = `symlink ${facts} ${readlinkSync(path)}`;
    else if (status.isFile()) found[name] = `file ${facts} ${digest(readFileSync(path))}`;
    else found[name] = `other ${facts}`;
  };
  visit(folder, '.');
  return found;
}

function digest(bytes: Uint8Array): string {
  let hash = 0;
  for (const byte of bytes) hash = (Math.imul(hash, 31) + byte) | 0;
  return `${bytes.length}:${hash}`;
}

/** Bytes that do not compress and are the same in each run. */
export function pseudoRandom(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed * 2_654_435_761 + 1;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** Paths of the packs of file content (the larger ones) or of metadata, by the kind byte of their headers. */
export function packsOf({ repository }: Place, kind: 'data' | 'metadata'): string[] {
  const folder = join(repository, 'writer/packs');
  const packs = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  return packs.filter((path) => statSync(path).isFile() && readFileSync(path)[6] === (kind === 'data' ? 1 : 6));
}

/** Changes one bit of a file in the middle. */
export function flipBit(path: string, offset: number): void {
  chmodSync(path, 0o600);
  const bytes = readFileSync(path);
  bytes[offset]! ^= 1;
  writeFileSync(path, bytes);
}

export function removePack(path: string): void {
  unlinkSync(path);
}

export function makeHole(path: string, sizeBytes: number): void {
  writeFileSync(path, '', { flag: 'a' });
  truncateSync(path, sizeBytes);
}

/** The code of the LaganError that a promise rejects with; undefined if it resolves. */
export async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
