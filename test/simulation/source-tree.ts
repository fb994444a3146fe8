/** A small folder that changes at random, and what it held when it was backed up. */
import fs from 'node:fs';
import path from 'node:path';
import { randomBytesOf } from '../engine/random.ts';
import type { Random } from './random.ts';

/** Contents of files by their paths within the folder. */
export type Contents = ReadonlyMap<string, Uint8Array>;

/** So few contents that writers meet what others have stored, and what was garbage a while ago is wanted again. */
const differentContents = 12;
const contentCache = new Map<number, Uint8Array>();

export class SourceTree {
  readonly folder: string;
  readonly #random: Random;
  readonly #contents = new Map<string, Uint8Array>();

  constructor(folder: string, random: Random) {
    this.folder = folder;
    this.#random = random;
    fs.mkdirSync(folder, { recursive: true });
    this.#put();
  }

  get contents(): Contents {
    return new Map(this.#contents);
  }

  /** Some files come, some go, some get another content. */
  change(): void {
    for (let changes = this.#random.integer(1, 3); changes > 0; changes--) {
      const isCrowded = this.#contents.size > 4;
      if (this.#contents.size > 1 && this.#random.chance(isCrowded ? 0.7 : 0.3)) this.#remove();
      else this.#put();
    }
  }

  #put(): void {
    const name = `${this.#random.pick(['', 'a/', 'b/', 'a/c/'])}file-${this.#random.integer(0, 4)}`;
    const bytes = contentOf(this.#random.integer(0, differentContents - 1));
    const file = path.join(this.folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    // A new inode, so that times need not tell the change.
    fs.rmSync(file, { force: true });
    fs.writeFileSync(file, bytes);
    this.#contents.set(name, bytes);
  }

  #remove(): void {
    const name = this.#random.pick([...this.#contents.keys()]);
    fs.rmSync(path.join(this.folder, name));
    this.#contents.delete(name);
  }
}

/** Files below a folder. */
export function contentsBelow(folder: string): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isFile()) found.set(path.relative(folder, file), fs.readFileSync(file));
  }
  return found;
}

/** The first difference, in words; undefined if there is none. */
export function differenceOf(found: Contents, expected: Contents): string | undefined {
  for (const [name, bytes] of expected) {
    const there = found.get(name);
    if (there === undefined) return `${name} is missing`;
    if (Buffer.compare(there, bytes) !== 0) return `${name} has other bytes`;
  }
  for (const name of found.keys()) if (!expected.has(name)) return `${name} should not be there`;
  return undefined;
}

function contentOf(index: number): Uint8Array {
  const known = contentCache.get(index) ?? randomBytesOf(`content ${index}`, 200 + index * 250);
  contentCache.set(index, known);
  return known;
}
