/**
 * Entries of a snapshot as a tar archive in the POSIX pax format. Fixed header blocks are made by the `tar` package; the records of
 * the extended headers are made here, because they are bytes: names that are not UTF-8 and values of extended attributes go in as they
 * are, which is how GNU tar writes and reads them. Holes are written as zeros, or, where an entry says where its data is, as GNU tar's sparse
 * files (version 1.0). With `detail: 'all'` the archive also has what a snapshot has beyond tar, in records whose names begin with `LAGAN.`.
 */
import { Header } from 'tar/header';
import type { Entry } from './engine.ts';
import type { DataRange } from './tar-header.ts';
import { bytesOfText } from './text.ts';
import type { Time } from './times.ts';

const blockSizeBytes = 512;
const nameFieldBytes = 100;
const ownerFieldBytes = 31;
/** The greatest values of octal fields of 8 and 12 bytes. */
const maximumOwner = 0o7777777;
const maximumSizeOrTime = 0o77777777777;

type TarType =
  | 'File'
  | 'Directory'
  | 'SymbolicLink'
  | 'Link'
  | 'FIFO'
  | 'CharacterDevice'
  | 'BlockDevice'
  | 'ExtendedHeader'
  | 'GlobalExtendedHeader';

const tarTypes: Record<Exclude<Entry['type'], 'socket'>, TarType> = {
  file: 'File',
  directory: 'Directory',
  symlink: 'SymbolicLink',
  fifo: 'FIFO',
  'character-device': 'CharacterDevice',
  'block-device': 'BlockDevice',
};

/** What goes into the archive: the path without a slash at its beginning. */
export interface TarEntry {
  readonly path: Uint8Array;
  readonly entry: Entry;
  /** Content of a regular file: all of it, or, with `data`, what lies there. */
  readonly content?: AsyncIterable<Uint8Array>;
  /** Where a file with holes has data. */
  readonly data?: readonly DataRange[];
  /** How much of a file that could not be read completely is content. */
  readonly knownBytes?: number;
}

export class TarWriter {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  readonly #detail: 'plain' | 'all';
  /** Where the first name of each file with several names is. */
  readonly #linked = new Map<string, Uint8Array>();
  #offset = 0;

  constructor(write: (bytes: Uint8Array) => Promise<void>, { detail = 'plain' }: { detail?: 'plain' | 'all' } = {}) {
    this.#write = write;
    this.#detail = detail;
  }

  get sizeBytes(): number {
    return this.#offset;
  }

  /**
   * Adds an entry. Returns how many bytes of its content were missing and became zeros. A further name of a file that is there
   * already becomes a hard link. Sockets have no place in a plain tar archive: a RangeError. In one of all details they are empty files that
   * say what they are.
   */
  async add({ path, entry, content, data, knownBytes }: TarEntry): Promise<number> {
    if (entry.type === 'socket' && this.#detail === 'plain') throw new RangeError('a tar archive cannot hold a socket');
    const link = this.#linkOf(path, entry);
    const type = link ? 'Link' : entry.type === 'socket' ? 'File' : tarTypes[entry.type];
    const name = entry.type === 'directory' ? Buffer.concat([path, Buffer.from('/')]) : path;
    const target = link ?? (entry.type === 'symlink' ? entry.target : undefined);
    const isFile = type === 'File' && entry.type === 'file';
    const records = this.#detail === 'all' ? detailRecords(entry, knownBytes) : [];
    if (isFile && data) return this.#sparse({ name, target, type, size: entry.size, entry, records }, { data, content });
    const size = isFile ? entry.size : 0;
    await this.#header({ name, target, type, size, entry, records });
    return isFile && content ? this.#content(content, size) : 0;
  }

  /** Text about the whole archive, in front of all entries: programs that do not know it pass it over. */
  async comment(text: string): Promise<void> {
    const records = extendedRecord(Buffer.from('comment'), Buffer.from(text));
    await this.#put(headerBlock({ path: 'PaxHeaders/archive', type: 'GlobalExtendedHeader', mode: 0o644, size: records.length }));
    await this.#put(records);
    await this.#pad();
  }

  /** Two empty blocks end the archive. */
  async end(): Promise<void> {
    await this.#put(new Uint8Array(2 * blockSizeBytes));
  }

  async #sparse(
    parts: HeaderParts,
    { data, content }: { data: readonly DataRange[]; content: AsyncIterable<Uint8Array> | undefined },
  ): Promise<number> {
    const map = sparseMap(data, parts.size);
    const dataBytes = data.reduce((sum, { start, end }) => sum + end - start, 0);
    const records = [
      ...parts.records,
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '0'],
      ['GNU.sparse.name', parts.name],
      ['GNU.sparse.realsize', String(parts.size)],
    ] as const;
    await this.#header({ ...parts, name: Buffer.from('GNUSparseFile.0/file'), size: map.length + dataBytes, records });
    await this.#put(map);
    return this.#content(content ?? nothing(), dataBytes);
  }

  #linkOf(path: Uint8Array, { type, inode, extensions }: Entry): Uint8Array | undefined {
    if (type === 'directory' || extensions.link === undefined || extensions.link.count < 2) return undefined;
    const identity = `${extensions.link.device}:${inode}`;
    const first = this.#linked.get(identity);
    if (first === undefined) this.#linked.set(identity, path);
    return first;
  }

  async #header(parts: HeaderParts): Promise<void> {
    const records = extendedRecords(parts);
    const { type, entry } = parts;
    if (records.length > 0) {
      await this.#put(headerBlock({ path: 'PaxHeaders/entry', type: 'ExtendedHeader', mode: 0o644, size: records.length }));
      await this.#put(records);
      await this.#pad();
    }
    await this.#put(
      headerBlock({
        path: fieldText(parts.name, nameFieldBytes),
        linkpath: parts.target && fieldText(parts.target, nameFieldBytes),
        type,
        mode: entry.mode,
        uid: Math.min(entry.uid, maximumOwner),
        gid: Math.min(entry.gid, maximumOwner),
        size: parts.size,
        mtime: new Date(Math.min(Math.max(entry.mtime.seconds, 0), maximumSizeOrTime) * 1000),
        uname: fieldText(bytesOfText(entry.userName), ownerFieldBytes),
        gname: fieldText(bytesOfText(entry.groupName), ownerFieldBytes),
        ...('major' in entry && { devmaj: entry.major, devmin: entry.minor }),
      }),
    );
  }

  async #content(content: AsyncIterable<Uint8Array>, size: number): Promise<number> {
    let left = size;
    for await (const bytes of content) {
      const part = bytes.length > left ? bytes.subarray(0, left) : bytes;
      left -= part.length;
      if (part.length > 0) await this.#put(part);
    }
    const missing = left;
    for (; left > 0; left -= Math.min(left, zeros.length)) await this.#put(zeros.subarray(0, Math.min(left, zeros.length)));
    await this.#pad();
    return missing;
  }

  async #pad(): Promise<void> {
    const rest = this.#offset % blockSizeBytes;
    if (rest > 0) await this.#put(zeros.subarray(0, blockSizeBytes - rest));
  }

  async #put(bytes: Uint8Array): Promise<void> {
    this.#offset += bytes.length;
    await this.#write(bytes);
  }
}

interface HeaderParts {
  readonly name: Uint8Array;
  readonly target: Uint8Array | undefined;
  readonly type: TarType;
  readonly size: number;
  readonly entry: Entry;
  /** Further ones of the extended header. */
  readonly records: readonly ExtendedRecord[];
}

type ExtendedRecord = readonly [key: Uint8Array | string, value: Uint8Array | string];

const zeros = new Uint8Array(65_536);

/** The records of the extended header: whatever the fixed one cannot hold exactly. */
function extendedRecords({ name, target, size, entry, records: further }: HeaderParts): Uint8Array {
  const records: Uint8Array[] = [];
  const add = (key: Uint8Array | string, value: Uint8Array | string) =>
    void records.push(extendedRecord(Buffer.from(key), Buffer.from(value)));
  if (!fits(name, nameFieldBytes)) add('path', name);
  if (target && !fits(target, nameFieldBytes)) add('linkpath', target);
  if (size > maximumSizeOrTime) add('size', String(size));
  if (entry.uid > maximumOwner) add('uid', String(entry.uid));
  if (entry.gid > maximumOwner) add('gid', String(entry.gid));
  if (!fits(bytesOfText(entry.userName), ownerFieldBytes)) add('uname', bytesOfText(entry.userName));
  if (!fits(bytesOfText(entry.groupName), ownerFieldBytes)) add('gname', bytesOfText(entry.groupName));
  if (!isPlainTime(entry.mtime)) add('mtime', decimalTime(entry.mtime));
  for (const { name: attribute, value } of entry.extensions.xattrs ?? []) add(attributeKey(attribute), value);
  for (const [key, value] of further) add(key, value);
  return Buffer.concat(records);
}

/** What a snapshot has of an entry beyond tar, and the times that POSIX names but a plain archive needs not. */
function detailRecords({ type, ctime, extensions }: Entry, knownBytes: number | undefined): ExtendedRecord[] {
  const { accessTime, birthTime, flags, projectId, readError, unknown = [] } = extensions;
  return [
    ['ctime', decimalTime(ctime)],
    ...optional('atime', accessTime && decimalTime(accessTime)),
    ...optional('LAGAN.type', type === 'socket' ? type : undefined),
    ...optional('LAGAN.birthtime', birthTime && decimalTime(birthTime)),
    ...optional('LAGAN.flags', flags === undefined ? undefined : String(flags)),
    ...optional('LAGAN.project', projectId === undefined ? undefined : String(projectId)),
    ...optional('LAGAN.readerror', readError && JSON.stringify({ ...readError, ...(knownBytes !== undefined && { knownBytes }) })),
    ...unknown.map(({ type, value }) => [`LAGAN.extension.${type}`, value] as const),
  ];
}

function optional(key: string, value: string | undefined): ExtendedRecord[] {
  return value === undefined ? [] : [[key, value]];
}

/** Where the data of a sparse file is, in decimal digits, filled up to whole blocks. The end is said by an empty stretch. */
function sparseMap(data: readonly DataRange[], size: number): Uint8Array {
  const ranges = data.at(-1)?.end === size ? data : [...data, { start: size, end: size }];
  const text = `${ranges.length}\n${ranges.map(({ start, end }) => `${start}\n${end - start}\n`).join('')}`;
  return Buffer.concat([Buffer.from(text), Buffer.alloc((blockSizeBytes - (text.length % blockSizeBytes)) % blockSizeBytes)]);
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** `length key=value\n`, where the length counts itself. */
function extendedRecord(key: Uint8Array, value: Uint8Array): Uint8Array {
  const rest = Buffer.concat([Buffer.from(' '), key, Buffer.from('='), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** As GNU tar has it: a key has no `=`. */
function attributeKey(name: Uint8Array): Uint8Array {
  const escaped = Buffer.from(name)
    .toString('latin1')
    .replace(/[%=]/g, (character) => (character === '%' ? '%25' : '%3D'));
  return Buffer.concat([Buffer.from('SCHILY.xattr.'), Buffer.from(escaped, 'latin1')]);
}

function headerBlock(fields: ConstructorParameters<typeof Header>[0] & object): Uint8Array {
  const block = Buffer.alloc(blockSizeBytes);
  new Header(fields).encode(block);
  return block;
}

function isPlainTime({ seconds, nanoseconds }: Time): boolean {
  return nanoseconds === 0 && seconds >= 0 && seconds <= maximumSizeOrTime;
}

/** Seconds with decimals; before 1970 both count backwards. */
function decimalTime({ seconds, nanoseconds }: Time): string {
  const isNegative = seconds < 0;
  const [whole, rest] = isNegative && nanoseconds > 0 ? [-seconds - 1, 1_000_000_000 - nanoseconds] : [Math.abs(seconds), nanoseconds];
  const decimals = rest === 0 ? '' : `.${String(rest).padStart(9, '0')}`;
  return `${isNegative ? '-' : ''}${whole}${decimals}`;
}

/** May the fixed field hold it? Only printable ASCII, and shorter than the field. */
function fits(bytes: Uint8Array, sizeBytes: number): boolean {
  return bytes.length < sizeBytes && bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
}

/** The bytes as far as a fixed field may hold them; the extended header has them whole. */
function fieldText(bytes: Uint8Array, sizeBytes: number): string {
  const text = Buffer.from(bytes)
    .toString('latin1')
    .replace(/[^ -~]/g, '_');
  return text.length < sizeBytes ? text : text.slice(0, sizeBytes - 1);
}
