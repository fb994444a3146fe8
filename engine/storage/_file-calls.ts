/** The system calls of a local folder, as one object, so that tests can make the n-th one fail. */
import fs from 'node:fs';
import { promisify } from 'node:util';
import { LaganError } from '../../repo-format/mod.ts';

export interface FileCalls {
  open(path: string, flags: number, mode?: number): number;
  close(descriptor: number): void;
  read(descriptor: number, target: Uint8Array, position: number): number;
  write(descriptor: number, parts: readonly Uint8Array[]): number;
  status(descriptor: number): fs.Stats;
  statusAt(path: string): fs.Stats;
  changeMode(descriptor: number, mode: number): void;
  changeFolderMode(path: string, mode: number): void;
  sync(descriptor: number): void;
  syncInPool(descriptor: number): Promise<void>;
  link(from: string, to: string): void;
  unlink(path: string): void;
  makeFolder(path: string, mode: number): void;
  readFolder(path: string): fs.Dirent[];
}

const syncInPool = promisify(fs.fsync);

export const systemFileCalls: FileCalls = {
  open: (path, flags, mode) => fs.openSync(path, flags, mode),
  close: (descriptor) => fs.closeSync(descriptor),
  read: (descriptor, target, position) => fs.readSync(descriptor, target, 0, target.length, position),
  write: (descriptor, parts) => (parts.length === 1 ? fs.writeSync(descriptor, parts[0]!) : fs.writevSync(descriptor, parts)),
  status: (descriptor) => fs.fstatSync(descriptor),
  statusAt: (path) => fs.lstatSync(path),
  changeMode: (descriptor, mode) => fs.fchmodSync(descriptor, mode),
  changeFolderMode: (path, mode) => fs.chmodSync(path, mode),
  sync: (descriptor) => fs.fsyncSync(descriptor),
  syncInPool: (descriptor) => syncInPool(descriptor),
  link: (from, to) => fs.linkSync(from, to),
  unlink: (path) => fs.unlinkSync(path),
  makeFolder: (path, mode) => fs.mkdirSync(path, { mode }),
  readFolder: (path) => fs.readdirSync(path, { withFileTypes: true }),
};

/** The system's name of an error, such as `ENOENT`; undefined if it is no error of the system. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

const meanings: Record<string, { code: 'no-space' | 'read-only' | 'forbidden'; text: string; hint: string }> = {
  ENOSPC: {
    code: 'no-space',
    text: 'no space is left',
    hint: 'free some space there, then run the command again; nothing incomplete was left behind',
  },
  EDQUOT: { code: 'no-space', text: 'the disk quota is used up', hint: 'raise the quota or free some space, then run the command again' },
  EROFS: { code: 'read-only', text: 'the file system is mounted read-only', hint: 'mount it for writing; reading commands work as it is' },
  EACCES: { code: 'forbidden', text: 'the permissions forbid it', hint: 'check the owner and the mode of the folder' },
  EPERM: { code: 'forbidden', text: 'the system forbids it', hint: 'check the owner, the mode and the flags (lsattr) of the folder' },
};

/** What an error of the system means to a user. Other errors (mistakes of ours, errors of our own) come back as they are. */
export function storageError(error: unknown, context: { attempt: string; location: string; object?: string }): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || error instanceof LaganError) return error;
  const meaning = meanings[errno];
  const what = meaning?.text ?? (error as Error).message;
  const message = `${context.attempt} in ${context.location} failed: ${what}`;
  return new LaganError(meaning?.code ?? 'io', message, { cause: error, errno, object: context.object, hint: meaning?.hint });
}

/** Makes the entries of a folder durable. */
export function syncFolder(folder: string, calls: FileCalls): void {
  const descriptor = calls.open(folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    calls.sync(descriptor);
  } catch (error) {
    // Some file servers cannot sync a folder and make its entries durable at once.
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(errnoOf(error) ?? '')) throw error;
  } finally {
    calls.close(descriptor);
  }
}
