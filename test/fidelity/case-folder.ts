/**
 * The means to make nasty entries in a folder: everything by descriptor and raw names, exactly as asked for or not at all.
 */

import { closeSync, ftruncateSync, writeSync } from 'node:fs';
import {
  applyCreationFlags,
  applyMetadata,
  applyMetadataAt,
  closeDescriptor,
  createFile,
  createLink,
  createNode,
  createSymlink,
  type Descriptor,
  type EntryType,
  type ExtendedAttribute,
  type Metadata,
  type MetadataLoss,
  makeDirectory,
  type NodeKind,
  openDirectory,
  tryOpenFile,
} from '../../engine/system/mod.ts';

/** Text stands for its UTF-8 bytes. */
export type Name = string | Uint8Array;

/** What an entry is to have besides its type. */
export type Look = Omit<Metadata, 'type'>;

/** The file system or the user cannot have such a case. */
export class CannotMake extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'CannotMake';
  }
}

/** A folder in which a case is made. */
export class CaseFolder {
  readonly folder: Descriptor;

  constructor(folder: Descriptor) {
    this.folder = folder;
  }

  /** Makes a file with content. */
  file(name: Name, content: string | Uint8Array = '', look: Look = {}): void {
    const file = createFile(this.folder, raw(name), 0o644);
    try {
      if (look.flags !== undefined) refuse(applyCreationFlags(file, look.flags));
      writeAll(file, raw(content));
      refuse(applyMetadata(file, { type: 'file', ...look }));
    } finally {
      closeSync(file);
    }
  }

  /** Makes a file of `size` bytes in which only `pieces` are data. */
  sparse(name: Name, size: number, pieces: { offset: number; content: Uint8Array }[]): void {
    const file = createFile(this.folder, raw(name), 0o644);
    try {
      ftruncateSync(file, size);
      for (const { offset, content } of pieces) writeAll(file, content, offset);
    } catch (error) {
      throw new CannotMake((error as Error).message);
    } finally {
      closeSync(file);
    }
  }

  /** Makes a folder; what `fill` makes in it comes before its metadata. */
  directory(name: Name, look: Look = {}, fill: (inner: CaseFolder) => void = () => {}): void {
    makeDirectory(this.folder, raw(name), 0o755);
    const opened = openDirectory(this.folder, raw(name));
    try {
      fill(new CaseFolder(opened));
      refuse(applyMetadata(opened, { type: 'directory', ...look }));
    } finally {
      closeDescriptor(opened);
    }
  }

  symlink(name: Name, target: Name, look: Look = {}): void {
    createSymlink(this.folder, raw(name), raw(target));
    this.#dress(name, 'symlink', look);
  }

  /** Makes a fifo, socket or device. */
  node(name: Name, kind: NodeKind, look: Look = {}): void {
    createNode(this.folder, raw(name), kind);
    this.#dress(name, kind.type, look);
  }

  /** Makes one more name for something in `from`, or in this folder. */
  link(name: Name, existing: Name, from: CaseFolder = this): void {
    createLink({ parent: from.folder, name: raw(existing) }, { parent: this.folder, name: raw(name) });
  }

  /** Gives something that exists more metadata. */
  dress(name: Name, look: Look): void {
    const file = tryOpenFile(this.folder, raw(name));
    if (file < 0) throw new Error(`cannot open ${name} to dress it: ${file}`);
    try {
      refuse(applyMetadata(file, { type: 'file', ...look }));
    } finally {
      closeDescriptor(file);
    }
  }

  #dress(name: Name, type: EntryType, look: Look): void {
    if (Object.keys(look).length > 0) refuse(applyMetadataAt(this.folder, raw(name), { metadata: { type, ...look } }));
  }
}

export function raw(text: Name): Uint8Array {
  return typeof text === 'string' ? Buffer.from(text) : text;
}

/** Bytes given as characters below U+0100. */
export function latin1(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

export function attribute(name: Name, value: string | Uint8Array = ''): ExtendedAttribute {
  return { name: raw(name), value: raw(value) };
}

/** An ACL in the kernel's form: version 2, then tag, permissions and id of each entry. */
export function acl(
  ...entries: [tag: 'user' | 'named-user' | 'group' | 'named-group' | 'mask' | 'other', permissions: number, id?: number][]
): Uint8Array {
  const tags = { user: 0x01, 'named-user': 0x02, group: 0x04, 'named-group': 0x08, mask: 0x10, other: 0x20 };
  const result = Buffer.alloc(4 + 8 * entries.length);
  result.writeUInt32LE(2, 0);
  for (const [index, [tag, permissions, id = 0xffff_ffff]] of entries.entries()) {
    result.writeUInt16LE(tags[tag], 4 + index * 8);
    result.writeUInt16LE(permissions, 6 + index * 8);
    result.writeUInt32LE(id, 8 + index * 8);
  }
  return result;
}

/** Bytes that look random and are the same every time (xorshift32). */
export function noise(size: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = (seed * 0x9e37_79b1) | 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, size);
}

function writeAll(file: Descriptor, content: Uint8Array, offset = 0): void {
  let done = 0;
  while (done < content.length) done += writeSync(file, content, done, content.length - done, offset + done);
}

function refuse(losses: readonly MetadataLoss[]): void {
  if (losses.length > 0) throw new CannotMake(losses.map(({ kind, errno }) => `${kind}: ${errno}`).join(', '));
}
