/**
 * Real files: a part of the system's own /usr, copied with modes, owners, times, extended attributes and hard links.
 *
 * The choice follows from what /usr holds: its folders in sorted order, each whole or not at all, every one that fits. Beside the limits of
 * files and bytes there is an allowance of bytes for the files so far, so that a few folders of huge files do not use everything up.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, type Dirent, lstatSync, readdirSync } from 'node:fs';
import { findProgram } from '../programs.ts';
import type { DataSet, DataSetContent } from './data-set.ts';

export interface TreeLimits {
  /** What is copied from. */
  readonly source: string;
  readonly files: number;
  readonly bytes: number;
}

/** One folder with what is directly in it. */
export interface Folder {
  readonly path: string;
  /** Regular files and symbolic links, with their paths. */
  readonly entries: readonly string[];
  readonly files: number;
  readonly bytes: number;
}

/** This part of the byte limit may be used ahead of the files that it is meant for. */
const aheadShare = 0.25;
const metadataBytesPerFile = 2048;

export function treeSet(limits: TreeLimits): DataSet {
  return {
    name: 'tree',
    scenarios: ['first', 'unchanged', 'verify', 'restore'],
    recipe: `tree 1: ${limits.source}, at most ${limits.files} files and ${limits.bytes} bytes`,
    spaceBytes: limits.bytes + limits.files * metadataBytesPerFile,
    make: async (folder) => copyTree(folder, limits),
  };
}

function copyTree(target: string, limits: TreeLimits): DataSetContent {
  const all = readFolders(limits.source);
  const taken = takeFolders(all, limits);
  const paths = taken.flatMap((folder) => [folder.path, ...folder.entries]);
  copyPaths(paths, target);
  const [files, bytes] = [sum(taken, 'files'), sum(taken, 'bytes')];
  const listDigest = createHash('sha256').update(paths.join('\0')).digest('hex').slice(0, 12);
  const share = `${files} of the ${sum(all, 'files')} files in ${taken.length} of the ${all.length} folders of ${limits.source}`;
  return { description: `${share} (list ${listDigest})`, files, bytes };
}

/** The folders that fit, in their order. */
export function takeFolders(folders: readonly Folder[], limits: { files: number; bytes: number }): Folder[] {
  const taken: Folder[] = [];
  let [files, bytes] = [0, 0];
  for (const folder of folders) {
    const [filesThen, bytesThen] = [files + folder.files, bytes + folder.bytes];
    const allowedBytes = limits.bytes * Math.min(1, aheadShare + ((1 - aheadShare) * filesThen) / limits.files);
    if (filesThen > limits.files || bytesThen > allowedBytes) continue;
    [files, bytes] = [filesThen, bytesThen];
    taken.push(folder);
  }
  return taken;
}

/** All folders below `path`, parents first, names in the order of their code units. Other file systems and what cannot be read are left out. */
function readFolders(path: string): Folder[] {
  const device = lstatSync(path).dev;
  const folders: Folder[] = [];
  const waiting = [path];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const children = readFolder(next, folders).filter((child) => lstatSync(child).dev === device);
    waiting.push(...children.reverse());
  }
  return folders;
}

/** Adds the folder to `found`; returns the folders in it. */
function readFolder(path: string, found: Folder[]): string[] {
  const children: string[] = [];
  const entries: string[] = [];
  let [files, bytes] = [0, 0];
  for (const entry of listFolder(path)) {
    const entryPath = `${path}/${entry.name}`;
    if (entry.isDirectory()) children.push(entryPath);
    else if (entry.isSymbolicLink()) entries.push(entryPath);
    else if (entry.isFile() && isReadable(entryPath)) {
      entries.push(entryPath);
      files++;
      bytes += lstatSync(entryPath).size;
    }
  }
  found.push({ path, entries, files, bytes });
  return children;
}

/** Sorted; names that are not UTF-8 are left out, as are folders that cannot be read. */
function listFolder(path: string): Dirent[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true }).filter(({ name }) => !name.includes('\uFFFD'));
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return [];
  }
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function copyPaths(paths: readonly string[], target: string): void {
  if (findProgram('tar') === undefined) throw new Error('the data set tree needs GNU tar on PATH');
  const list = paths.map((path) => `${path.slice(1)}\0`).join('');
  const pack =
    "tar --create --format=posix --xattrs --xattrs-include='*' --directory=/ --no-recursion --null --verbatim-files-from --files-from=-";
  const unpack = `tar --extract --preserve-permissions --xattrs --xattrs-include='*' --directory="$0" --delay-directory-restore`;
  const { status, stderr } = spawnSync('bash', ['-c', `set -o pipefail; ${pack} | ${unpack}`, target], { input: list, encoding: 'utf8' });
  if (status !== 0)
    throw new Error(
      `copying ${paths.length} paths with tar failed (exit code ${status}): ${stderr.trim().split('\n').slice(0, 3).join('; ')}`,
    );
}

function sum(folders: readonly Folder[], field: 'files' | 'bytes'): number {
  return folders.reduce((total, folder) => total + folder[field], 0);
}
