/**
 * Compares a restored tree with the original, entry by entry, in everything that a restore can give back.
 *
 * What the kernel gives to nobody (change time, birth time, inode numbers, access time) is left out.
 */

import { readSync } from 'node:fs';
import {
  closeDescriptor,
  type Descriptor,
  DirectoryStack,
  type FileExtent,
  FileStatus,
  nextExtent,
  openDirectory,
  readExtendedAttributes,
  readExtendedAttributesAt,
  readFileFlags,
  readLink,
  readNames,
  readProjectId,
  tryOpenFile,
  tryStat,
} from '../../engine/system/mod.ts';
import type { FidelityCase } from './make-cases.ts';

export type Aspect =
  | 'missing'
  | 'extra'
  | 'type'
  | 'content'
  | 'holes'
  | 'target'
  | 'device'
  | 'links'
  | 'owner'
  | 'mode'
  | 'times'
  | 'xattr'
  | 'acl'
  | 'capability'
  | 'flags'
  | 'project';

export interface Difference {
  /** Below the folder of the case, latin1. */
  readonly path: string;
  readonly aspect: Aspect;
  readonly expected: string;
  readonly found: string;
}

export interface CaseResult {
  readonly name: string;
  readonly differences: readonly Difference[];
}

/** Compares case by case; both roots hold one folder for each case. */
export function compareCases(cases: readonly FidelityCase[], original: Descriptor, restored: Descriptor): CaseResult[] {
  return cases.map(({ name }) => ({ name, differences: compareFolders({ original, restored }, Buffer.from(name)) }));
}

interface Pair<Of> {
  readonly original: Of;
  readonly restored: Of;
}

/** Compares the folder `name` of both roots with all that is in it. */
export function compareFolders(roots: Pair<Descriptor>, name: Uint8Array): Difference[] {
  const comparison = new Comparison(roots);
  try {
    comparison.entry(name);
    comparison.links();
    return comparison.differences;
  } finally {
    comparison.close();
  }
}

class Comparison {
  readonly differences: Difference[] = [];
  readonly #stacks: Pair<DirectoryStack>;
  readonly #status = { original: new FileStatus(), restored: new FileStatus() };
  /** Paths of entries with several names, by inode. */
  readonly #groups = { original: new Map<number | bigint, Group>(), restored: new Map<number | bigint, Group>() };

  constructor(roots: Pair<Descriptor>) {
    this.#stacks = {
      original: new DirectoryStack(roots.original, { maxOpen: 16 }),
      restored: new DirectoryStack(roots.restored, { maxOpen: 16 }),
    };
  }

  /** Compares an entry of the current folders. */
  entry(name: Uint8Array): void {
    const path = this.#path(name);
    const [originalError, restoredError] = [this.#stat('original', name), this.#stat('restored', name)];
    if (originalError < 0) throw new Error(`the original of ${path} is gone: ${originalError}`);
    if (restoredError < 0) {
      this.#add(path, 'missing', ['there', `errno ${-restoredError}`]);
      return;
    }
    const { original, restored } = this.#status;
    if (original.type !== restored.type) {
      this.#add(path, 'type', [original.type, restored.type]);
      return;
    }
    this.#status.original = new FileStatus();
    this.#status.restored = new FileStatus();
    this.#compareStatus(path, original, restored);
    this.#compareInside(name, path, { original, restored });
    if (original.type === 'directory') this.#directory(name, path);
  }

  /** Compares which names are names of one thing, after all entries were seen. */
  links(): void {
    for (const [inode, group] of this.#groups.original) {
      const found = [...this.#groups.restored.values()].find(({ paths }) => paths.includes(group.paths[0]!)) ?? { paths: [], count: 1 };
      if (group.paths.join('\n') !== found.paths.join('\n') && group.paths.length > 1) {
        this.#add(group.paths[0]!, 'links', [`${group.paths.length} names of inode ${inode}`, `${found.paths.length}`]);
      } else if (group.count === group.paths.length && found.count !== group.count) {
        this.#add(group.paths[0]!, 'links', [`link count ${group.count}`, `${found.count}`]);
      }
    }
    for (const group of this.#groups.restored.values()) {
      const isKnown = [...this.#groups.original.values()].some(({ paths }) => paths.includes(group.paths[0]!));
      if (!isKnown) this.#add(group.paths[0]!, 'links', ['one name', `${group.count} names`]);
    }
  }

  close(): void {
    this.#stacks.original.close();
    this.#stacks.restored.close();
  }

  #stat(side: keyof Pair<unknown>, name: Uint8Array): number {
    return tryStat(this.#stacks[side].current, name, this.#status[side]);
  }

  #compareStatus(path: string, original: FileStatus, restored: FileStatus): void {
    const pairs: [Aspect, (status: FileStatus) => string][] = [
      ['owner', ({ uid, gid }) => `${uid}:${gid}`],
      ['mode', ({ type, mode }) => (type === 'symlink' ? '' : mode.toString(8))],
      ['times', ({ modifiedSeconds, modifiedNanoseconds }) => `${modifiedSeconds} s ${modifiedNanoseconds} ns`],
      ['content', ({ type, size }) => (type === 'file' ? `${size} bytes` : '')],
      ['device', ({ deviceMajor, deviceMinor }) => `${deviceMajor}:${deviceMinor}`],
    ];
    for (const [aspect, show] of pairs) this.#expect(path, aspect, [show(original), show(restored)]);
    if (original.type === 'directory') return;
    this.#remember('original', path, original);
    this.#remember('restored', path, restored);
  }

  #remember(side: keyof Pair<unknown>, path: string, status: FileStatus): void {
    if (status.linkCount === 1) return;
    const group = this.#groups[side].get(status.inode);
    if (group === undefined) this.#groups[side].set(status.inode, { paths: [path], count: status.linkCount });
    else group.paths.push(path);
  }

  #compareInside(name: Uint8Array, path: string, status: Pair<FileStatus>): void {
    const read = (side: keyof Pair<unknown>): Inside => readInside(this.#stacks[side].current, name, status[side]);
    const [original, restored] = [read('original'), read('restored')];
    this.#expect(path, 'target', [original.target, restored.target]);
    this.#expect(path, 'holes', [original.extents, restored.extents]);
    this.#expect(path, 'flags', [original.flags, restored.flags]);
    this.#expect(path, 'project', [original.project, restored.project]);
    for (const key of new Set([...original.attributes.keys(), ...restored.attributes.keys()])) {
      this.#expect(path, aspectOfAttribute(key), [
        `${key}=${original.attributes.get(key) ?? 'none'}`,
        `${key}=${restored.attributes.get(key) ?? 'none'}`,
      ]);
    }
    if (status.original.type === 'file' && status.original.size === status.restored.size) {
      const offset = firstDifference(this.#stacks.original.current, this.#stacks.restored.current, { name, size: status.original.size });
      if (offset !== undefined) this.#add(path, 'content', ['equal bytes', offset]);
    }
  }

  #directory(name: Uint8Array, path: string): void {
    const entered = { original: this.#stacks.original.tryEnter(name), restored: this.#stacks.restored.tryEnter(name) };
    if (entered.original >= 0 && entered.restored >= 0) {
      const names = { original: namesOf(this.#stacks.original.current), restored: namesOf(this.#stacks.restored.current) };
      const known = new Set(names.original.map(latin1));
      for (const child of names.original) this.entry(child);
      for (const child of names.restored) if (!known.has(latin1(child))) this.#add(this.#path(child), 'extra', ['nothing', 'there']);
    } else {
      this.#expect(path, 'content', [`open: ${Math.min(0, entered.original)}`, `open: ${Math.min(0, entered.restored)}`]);
    }
    for (const side of ['original', 'restored'] as const) if (entered[side] >= 0) this.#stacks[side].leave();
  }

  #expect(path: string, aspect: Aspect, [expected, found]: [string, string]): void {
    if (expected !== found) this.#add(path, aspect, [expected, found]);
  }

  #add(path: string, aspect: Aspect, [expected, found]: [string, string]): void {
    this.differences.push({ path, aspect, expected: shortened(expected), found: shortened(found) });
  }

  #path(name: Uint8Array): string {
    const above = latin1(this.#stacks.original.path);
    return above === '' ? latin1(name) : `${above}/${latin1(name)}`;
  }
}

interface Group {
  readonly paths: string[];
  readonly count: number;
}

interface Inside {
  readonly target: string;
  readonly extents: string;
  readonly flags: string;
  readonly project: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** What lies behind the status. A file that this user may not open has neither flags nor extents to see. */
function readInside(parent: Descriptor, name: Uint8Array, status: FileStatus): Inside {
  const isOpened = status.type === 'file' || status.type === 'directory';
  const opened = isOpened ? (status.type === 'file' ? tryOpenFile(parent, name) : tryOpenDirectoryOr(parent, name)) : -1;
  try {
    const { attributes, failures } =
      opened >= 0 ? readExtendedAttributes(opened, status.device) : readExtendedAttributesAt(parent, name, status.device);
    return {
      target: status.type === 'symlink' ? latin1(readLink(parent, name)) : '',
      extents: opened >= 0 && status.type === 'file' ? extentsOf(opened, status.size) : '',
      flags: opened >= 0 ? readFileFlags(opened, status.device).toString(16) : '',
      project: opened >= 0 ? `${readProjectId(opened, status.device)}` : '',
      attributes: new Map([
        ...attributes.map((one) => [latin1(one.name), Buffer.from(one.value).toString('hex')] as const),
        ...failures.map((one) => [latin1(one.name), `errno ${one.errno}`] as const),
      ]),
    };
  } finally {
    if (opened >= 0) closeDescriptor(opened);
  }
}

function tryOpenDirectoryOr(parent: Descriptor, name: Uint8Array): number {
  try {
    return openDirectory(parent, name);
  } catch {
    return -1;
  }
}

function extentsOf(file: Descriptor, size: number): string {
  const extent: FileExtent = { kind: 'data', start: 0, end: 0 };
  const extents: string[] = [];
  for (let offset = 0; nextExtent(file, { offset, size }, extent); offset = extent.end)
    extents.push(`${extent.kind} ${extent.start}-${extent.end}`);
  return extents.join(', ');
}

const stepBytes = 1_048_576;
const buffers = { original: Buffer.alloc(stepBytes), restored: Buffer.alloc(stepBytes) };

/** Where two files of equal size differ; stretches that are holes in both are not read. */
function firstDifference(original: Descriptor, restored: Descriptor, file: { name: Uint8Array; size: number }): string | undefined {
  const opened = { original: tryOpenFile(original, file.name), restored: tryOpenFile(restored, file.name) };
  try {
    if (opened.original < 0 || opened.restored < 0)
      return opened.original < 0 && opened.restored < 0 ? undefined : 'only one can be opened';
    for (let offset = nextData(opened, 0, file.size); offset < file.size; offset = nextData(opened, offset, file.size)) {
      const length = Math.min(stepBytes, file.size - offset);
      const read = {
        original: readSync(opened.original, buffers.original, 0, length, offset),
        restored: readSync(opened.restored, buffers.restored, 0, length, offset),
      };
      if (read.original !== length || read.restored !== length) return `short read at ${offset}`;
      if (!buffers.original.subarray(0, length).equals(buffers.restored.subarray(0, length)))
        return `difference in the ${length} bytes from ${offset}`;
      offset += length;
    }
    return undefined;
  } finally {
    for (const descriptor of [opened.original, opened.restored]) if (descriptor >= 0) closeDescriptor(descriptor);
  }
}

function nextData(opened: Pair<Descriptor>, offset: number, size: number): number {
  const next = (file: Descriptor): number => {
    const extent: FileExtent = { kind: 'data', start: 0, end: 0 };
    if (!nextExtent(file, { offset, size }, extent)) return size;
    return extent.kind === 'data' ? offset : extent.end;
  };
  return offset >= size ? size : Math.min(next(opened.original), next(opened.restored));
}

function aspectOfAttribute(name: string): Aspect {
  if (name.startsWith('system.posix_acl_')) return 'acl';
  return name === 'security.capability' ? 'capability' : 'xattr';
}

function namesOf(folder: Descriptor): Uint8Array[] {
  const names: Uint8Array[] = [];
  const scan = readNames(folder);
  while (scan.next()) names.push(scan.copyName());
  scan.close();
  return names;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function shortened(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`;
}
