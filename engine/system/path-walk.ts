/**
 * A place in a tree of any depth with few descriptors open.
 *
 * Folders far above the current one are closed when there are too many, and opened again on the way back, by their path beneath the nearest
 * folder that is still open and with the proof that it is the same folder: another one in its place is an error (ESTALE), never a surprise.
 */

import assert from 'node:assert/strict';
import { closeDescriptor, type Descriptor, joinPath, tryOpenBeneath, tryOpenDirectory } from './descriptors.ts';
import { errnoOf, systemError } from './errno.ts';
import { FileStatus, tryStatDescriptor } from './stat.ts';

interface Level {
  readonly name: Uint8Array;
  /** −1 while closed; then device and inode say which folder it was. */
  descriptor: Descriptor;
  device: number;
  inode: number | bigint;
}

/** The folders from a root down to the current one. Owns all of them but the root. */
export class DirectoryStack implements Disposable {
  readonly #root: Descriptor;
  readonly #maxOpen: number;
  readonly #levels: Level[] = [];
  readonly #status = new FileStatus();
  /** Levels below this index are closed. */
  #firstOpen = 0;

  constructor(root: Descriptor, options: { maxOpen?: number } = {}) {
    this.#root = root;
    this.#maxOpen = Math.max(2, options.maxOpen ?? 64);
  }

  /** Descriptor of the current folder; it may be closed by `enter` of deeper folders, so it is asked for anew each time. */
  get current(): Descriptor {
    const level = this.#levels.at(-1);
    return level === undefined ? this.#root : level.descriptor;
  }

  get depth(): number {
    return this.#levels.length;
  }

  /** The current path below the root, components joined by `/`. */
  get path(): Uint8Array {
    return joinPath(this.#levels.map((level) => level.name));
  }

  /** Goes down into a folder of the current one. Returns its descriptor or −errno; then nothing has changed. */
  tryEnter(name: Uint8Array): number {
    const descriptor = tryOpenDirectory(this.current, name);
    if (descriptor >= 0) this.push(name, descriptor);
    return descriptor;
  }

  enter(name: Uint8Array): Descriptor {
    const descriptor = this.tryEnter(name);
    if (descriptor < 0) throw systemError(descriptor, 'open the folder', name);
    return descriptor;
  }

  /** Goes down into a folder of the current one that was opened already; from now on the stack owns the descriptor. */
  push(name: Uint8Array, descriptor: Descriptor): void {
    this.#levels.push({ name: name.slice(), descriptor, device: 0, inode: 0 });
    while (this.#levels.length - this.#firstOpen > this.#maxOpen) this.#closeFirstOpen();
  }

  /** Goes up. Returns the descriptor of the parent, opened again if need be; an error (ESTALE) if another folder is in its place. */
  leave(): Descriptor {
    const level = this.#levels.pop();
    assert(level !== undefined, 'there is no folder to leave');
    if (level.descriptor >= 0) closeDescriptor(level.descriptor);
    if (this.#firstOpen >= this.#levels.length && this.#levels.length > 0) this.#reopen();
    return this.current;
  }

  /** Closes all folders but the root; the stack is at the root again. */
  close(): void {
    for (const level of this.#levels) if (level.descriptor >= 0) closeDescriptor(level.descriptor);
    this.#levels.length = 0;
    this.#firstOpen = 0;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #closeFirstOpen(): void {
    const level = this.#levels[this.#firstOpen++]!;
    const result = tryStatDescriptor(level.descriptor, this.#status);
    if (result < 0) throw systemError(result, 'read the status of the folder', level.name);
    level.device = this.#status.device;
    level.inode = this.#status.inode;
    closeDescriptor(level.descriptor);
    level.descriptor = -1;
  }

  /** All levels are closed: opens the last half of what may be open, so that the next steps up cost nothing. */
  #reopen(): void {
    const count = this.#levels.length;
    const first = Math.max(0, count - Math.ceil(this.#maxOpen / 2));
    this.#firstOpen = count;
    let parent = this.#root;
    for (let index = first; index < count; index++) {
      const isStart = index === first;
      const path = isStart ? joinPath(this.#levels.slice(0, first + 1).map((level) => level.name)) : this.#levels[index]!.name;
      const descriptor = tryOpenBeneath(parent, path, 'directory');
      if (descriptor < 0) this.#giveUp(first, index, descriptor);
      this.#levels[index]!.descriptor = descriptor;
      if (!this.#isSame(this.#levels[index]!)) this.#giveUp(first, index + 1, -errnoOf.ESTALE);
      parent = descriptor;
    }
    this.#firstOpen = first;
  }

  #isSame(level: Level): boolean {
    return (
      tryStatDescriptor(level.descriptor, this.#status) === 0 && this.#status.device === level.device && this.#status.inode === level.inode
    );
  }

  #giveUp(from: number, to: number, error: number): never {
    for (let index = from; index < to; index++) {
      closeDescriptor(this.#levels[index]!.descriptor);
      this.#levels[index]!.descriptor = -1;
    }
    throw systemError(error, 'return to the folder', this.path);
  }
}
