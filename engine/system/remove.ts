/**
 * Removing what stands in the way of a restore: any type, any depth, nothing followed, no mounted file system entered.
 *
 * Flags that forbid the removal (immutable, append-only) are cleared, folders that their owner may not change are made changeable.
 */

import { type Place, tryRemoveDirectory, tryRemoveFile } from './create.ts';
import { closeDescriptor, type Descriptor, joinPath, tryOpenDirectory, tryOpenFile, tryOpenHandle } from './descriptors.ts';
import { type DirectoryScan, readNames } from './directory.ts';
import { errnoOf } from './errno.ts';
import { fileFlag, trySetFlags } from './file-flags.ts';
import { tryChangeMode } from './metadata.ts';
import { DirectoryStack } from './path-walk.ts';
import { attributeMountRoot, FileStatus, tryStat, tryStatDescriptor } from './stat.ts';

export interface Removal {
  /** How many entries were removed. */
  removed: number;
  /** What is still there and why; paths begin with the name given. The folders above are still there too, and not listed. */
  readonly failures: { readonly path: Uint8Array; readonly errno: number }[];
}

const protectingFlags = fileFlag.immutable | fileFlag.appendOnly;
const ownerAll = 0o700;

/** Removes an entry and, if it is a folder, all that is in it. That nothing of that name exists is no failure. */
export function removeTree(parent: Descriptor, name: Uint8Array): Removal {
  const remover = new TreeRemover(parent);
  try {
    remover.remove(name);
    return remover.removal;
  } finally {
    remover.close();
  }
}

/** Clears the flags that forbid writing to, or removing, an opened file or folder. Returns 0 or −errno. */
export function makeWritable(descriptor: Descriptor): number {
  return trySetFlags(descriptor, 0, protectingFlags);
}

interface Level {
  readonly name: Uint8Array;
  readonly scan: DirectoryScan;
  readonly failuresBefore: number;
}

/** Depth first, without recursion: the tree may be deeper than any stack. */
class TreeRemover {
  readonly removal: Removal = { removed: 0, failures: [] };
  readonly #stack: DirectoryStack;
  readonly #levels: Level[] = [];
  readonly #status = new FileStatus();

  constructor(parent: Descriptor) {
    this.#stack = new DirectoryStack(parent);
  }

  remove(name: Uint8Array): void {
    this.#removeEntry(name);
    for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
      if (level.scan.next()) this.#removeEntry(level.scan.copyName());
      else this.#ascend(level);
    }
  }

  close(): void {
    for (const level of this.#levels) level.scan.close();
    this.#stack.close();
  }

  #removeEntry(name: Uint8Array): void {
    const result = this.#persistently(name, tryRemoveFile);
    if (result === 0) this.removal.removed++;
    else if (result === -errnoOf.EISDIR || this.#isDirectory(name)) this.#descend(name);
    else if (result !== -errnoOf.ENOENT) this.#fail(name, result);
  }

  #descend(name: Uint8Array): void {
    const descriptor = this.#openFolder(name);
    if (descriptor < 0) {
      this.#fail(name, descriptor);
      return;
    }
    this.#stack.push(name, descriptor);
    this.#levels.push({ name, scan: readNames(descriptor), failuresBefore: this.removal.failures.length });
  }

  #ascend(level: Level): void {
    level.scan.close();
    this.#levels.pop();
    const above = this.#stack.leave();
    this.#levels.at(-1)?.scan.rebind(above);
    if (this.removal.failures.length > level.failuresBefore) return;
    const result = this.#persistently(level.name, tryRemoveDirectory);
    if (result === 0) this.removal.removed++;
    else if (result !== -errnoOf.ENOENT) this.#fail(level.name, result);
  }

  /** A second attempt, after what forbade the first was taken away. */
  #persistently(name: Uint8Array, attempt: (parent: Descriptor, name: Uint8Array) => number): number {
    const place = { parent: this.#stack.current, name };
    const result = attempt(place.parent, name);
    if (result !== -errnoOf.EPERM && result !== -errnoOf.EACCES) return result;
    this.#unlock(place);
    return attempt(place.parent, name);
  }

  /** Only what is below the folder to restore into is unlocked: the stack's root is the caller's. */
  #unlock({ parent, name }: Place): void {
    if (this.#stack.depth > 0) {
      makeWritable(parent);
      if (tryStatDescriptor(parent, this.#status) === 0) tryChangeMode('descriptor', parent, this.#status.mode | ownerAll);
    }
    if (tryStat(parent, name, this.#status) < 0) return;
    if (this.#status.type !== 'file' && this.#status.type !== 'directory') return;
    const descriptor = tryOpenFile(parent, name);
    if (descriptor < 0) return;
    makeWritable(descriptor);
    closeDescriptor(descriptor);
  }

  /** Returns a descriptor or −errno; −EXDEV for a folder on which something is mounted. */
  #openFolder(name: Uint8Array): number {
    const parent = this.#stack.current;
    let descriptor = tryOpenDirectory(parent, name);
    if (descriptor === -errnoOf.EACCES) {
      this.#openUp(parent, name);
      descriptor = tryOpenDirectory(parent, name);
    }
    if (descriptor < 0) return descriptor;
    const result = tryStatDescriptor(descriptor, this.#status);
    const error = result < 0 ? result : (this.#status.attributes & attributeMountRoot) !== 0 ? -errnoOf.EXDEV : 0;
    if (error < 0) closeDescriptor(descriptor);
    return error < 0 ? error : descriptor;
  }

  #openUp(parent: Descriptor, name: Uint8Array): void {
    const handle = tryOpenHandle(parent, name);
    if (handle < 0) return;
    if (tryStatDescriptor(handle, this.#status) === 0 && this.#status.type === 'directory')
      tryChangeMode('handle', handle, this.#status.mode | ownerAll);
    closeDescriptor(handle);
  }

  #isDirectory(name: Uint8Array): boolean {
    return tryStat(this.#stack.current, name, this.#status) === 0 && this.#status.type === 'directory';
  }

  #fail(name: Uint8Array, error: number): void {
    this.removal.failures.push({ path: joinPath([...this.#levels.map((level) => level.name), name]), errno: -error });
  }
}
