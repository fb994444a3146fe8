/** One object on its way into a local folder. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { LaganError } from '../../repo-format/mod.ts';
import { errnoOf, type FileCalls, syncFolder } from './_file-calls.ts';
import { checkObjectSize, throwIfInterrupted, totalSizeBytes } from './_names.ts';
import { newTemporaryName } from './_process-identity.ts';
import { temporaryFolderOf } from './_temporary-folder.ts';
import { storageLimits } from './limits.ts';
import type { CreateOutcome, ObjectWriter } from './storage.ts';

const createFlags = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL;

export interface WriterContext {
  readonly root: string;
  /** Mode of the root folder: its group's rights are given to what is made beneath it. */
  readonly rootMode: number;
  readonly calls: FileCalls;
  readonly makeFolders: (folder: string, mode: number) => void;
  /** What an error of the system means to a user. */
  readonly explain: (error: unknown, attempt: string) => unknown;
  readonly onEnd: () => void;
  readonly signal: AbortSignal | undefined;
}

export class LocalFolderWriter implements ObjectWriter {
  sizeBytes = 0;
  readonly #name: string;
  readonly #context: WriterContext;
  readonly #temporaryPath: string;
  #descriptor: number | undefined;
  #state: 'open' | 'committing' | 'ended' = 'open';
  #commit: Promise<CreateOutcome> | undefined;

  /** Throws the errors of the system as they are. */
  constructor(name: string, context: WriterContext) {
    this.#name = name;
    this.#context = context;
    const folder = temporaryFolderOf(context.root);
    this.#temporaryPath = path.join(folder, newTemporaryName());
    this.#descriptor = this.#openTemporary(folder);
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    this.appendNow(parts);
  }

  /** {@link append} without a promise. */
  appendNow(parts: readonly Uint8Array[]): void {
    assert(this.#state === 'open', 'append after the end of a writer');
    try {
      throwIfInterrupted(this.#context.signal);
      this.#write(parts);
    } catch (error) {
      this.#clean();
      throw this.#context.explain(error, 'writing');
    }
  }

  commit(): Promise<CreateOutcome> {
    assert(this.#state === 'open', 'commit after the end of a writer');
    this.#state = 'committing';
    this.#commit = this.#finish();
    return this.#commit;
  }

  async abort(): Promise<void> {
    if (this.#commit === undefined) this.#clean();
    else await this.#commit.catch(() => undefined);
  }

  async #finish(): Promise<CreateOutcome> {
    try {
      throwIfInterrupted(this.#context.signal);
      await this.#makeDurable();
      return this.#publish();
    } catch (error) {
      throw this.#context.explain(error, 'storing');
    } finally {
      this.#clean();
    }
  }

  #openTemporary(folder: string): number {
    const { calls } = this.#context;
    try {
      return this.#withGroupRights(calls.open(this.#temporaryPath, createFlags, this.#fileMode()));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    this.#context.makeFolders(folder, this.#folderMode());
    return this.#withGroupRights(calls.open(this.#temporaryPath, createFlags, this.#fileMode()));
  }

  #write(parts: readonly Uint8Array[]): void {
    const total = totalSizeBytes(parts);
    checkObjectSize(this.#name, this.sizeBytes + total, storageLimits.objectSizeBytes);
    let rest = parts.filter((part) => part.length > 0);
    while (rest.length > 0) {
      const batch = rest.length > storageLimits.partsPerWrite ? rest.slice(0, storageLimits.partsPerWrite) : rest;
      const written = this.#context.calls.write(this.#descriptor!, batch);
      if (written === 0) throw new LaganError('io', `writing ${this.#name}: the system took no bytes`, { object: this.#name });
      this.sizeBytes += written;
      rest = dropBytes(rest, written);
    }
  }

  async #makeDurable(): Promise<void> {
    const { calls } = this.#context;
    const descriptor = this.#descriptor!;
    const { size } = calls.status(descriptor);
    if (size !== this.sizeBytes) {
      const message = `${this.#name}: ${this.sizeBytes} bytes were written, but its temporary file has ${size}`;
      throw new LaganError('io', message, { object: this.#name, expected: this.sizeBytes, found: size });
    }
    if (size <= storageLimits.inlineSyncSizeBytes) calls.sync(descriptor);
    else await calls.syncInPool(descriptor);
  }

  #publish(): CreateOutcome {
    const target = path.join(this.#context.root, this.#name);
    const outcome = this.#link(target);
    syncFolder(path.dirname(target), this.#context.calls);
    return outcome;
  }

  #link(target: string): CreateOutcome {
    const { calls } = this.#context;
    try {
      try {
        calls.link(this.#temporaryPath, target);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw error;
        this.#context.makeFolders(path.dirname(target), this.#folderMode());
        calls.link(this.#temporaryPath, target);
      }
      return 'created';
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return this.#isOurs(target) ? 'created' : 'exists';
      throw this.#explainLink(error);
    }
  }

  /** A file server may tell of a link as existing which it has just made for us, when the first answer was lost. */
  #isOurs(target: string): boolean {
    const { calls } = this.#context;
    const ours = calls.status(this.#descriptor!);
    const there = calls.statusAt(target);
    return ours.ino === there.ino && ours.dev === there.dev;
  }

  #explainLink(error: unknown): unknown {
    const errno = errnoOf(error) ?? '';
    if (errno === 'ENOENT') {
      return new LaganError('io', `storing ${this.#name}: its temporary file was deleted by someone`, {
        cause: error,
        errno,
        object: this.#name,
      });
    }
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'EMLINK'].includes(errno)) return error;
    const message = `storing ${this.#name} in ${this.#context.root} failed: the file system there cannot make hard links`;
    const hint = 'a repository needs a file system with hard links, such as ext4, xfs, btrfs, zfs or NFS';
    return new LaganError('unsupported', message, { cause: error, errno, object: this.#name, hint });
  }

  /** Closes and deletes the temporary file. Never throws: a file that cannot be deleted is litter for the next opening. */
  #clean(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    quietly(() => this.#context.calls.unlink(this.#temporaryPath));
    quietly(() => this.#context.calls.close(this.#descriptor!));
    this.#descriptor = undefined;
    this.#context.onEnd();
  }

  #fileMode(): number {
    return 0o600 | (this.#context.rootMode & 0o060);
  }

  #folderMode(): number {
    return 0o700 | (this.#context.rootMode & 0o2070);
  }

  /** Only a folder that is shared with a group needs a call for it: the umask may have taken the group's rights away. */
  #withGroupRights(descriptor: number): number {
    if ((this.#context.rootMode & 0o020) !== 0) quietly(() => this.#context.calls.changeMode(descriptor, this.#fileMode()));
    return descriptor;
  }
}

/** What is left of `parts` without the first `count` bytes. */
function dropBytes(parts: Uint8Array[], count: number): Uint8Array[] {
  let index = 0;
  let rest = count;
  while (index < parts.length && rest >= parts[index]!.length) rest -= parts[index++]!.length;
  const left = parts.slice(index);
  if (rest > 0) left[0] = left[0]!.subarray(rest);
  return left;
}

function quietly(call: () => void): void {
  try {
    call();
  } catch {
    // What matters was reported already.
  }
}
