/**
 * Reads a tar archive: ustar, pax and GNU, with names, targets and extended attributes as the bytes that they are, times to the nanosecond and holes of
 * sparse files (GNU's old form, and versions 0.0, 0.1 and 1.0 of its form for pax). What {@link TarWriter} adds in records of `LAGAN.` is understood.
 */

import { ByteSource } from './byte-source.ts';
import type { GivenContent, GivenEntry, GivenFields } from './engine.ts';
import { LaganError } from './errors.ts';
import {
  type DataRange,
  decodeHeader,
  expectUncompressed,
  type Header,
  isEmptyBlock,
  numberField,
  type Records,
  readRecords,
  text,
} from './tar-header.ts';
import type { Time } from './times.ts';

const blockSizeBytes = 512;
/** Bytes of an extended header, a long name, or the map of a sparse file. */
const maximumMetadataBytes = 64 * 1024 * 1024;

export interface TarWarning {
  readonly code: string;
  readonly message: string;
  readonly path?: Uint8Array;
}

export interface ReadTarOptions {
  /** Told of what of the archive cannot be kept. */
  readonly onWarning: (warning: TarWarning) => void;
  /** Told of the comment about the whole archive, if it has one, before the first entry. */
  readonly onComment?: (comment: string) => void;
}

/** What the headers in front of an entry say of it. */
interface Ahead {
  records: Records;
  longName: Uint8Array | undefined;
  longTarget: Uint8Array | undefined;
}

/**
 * The entries of an archive in its order. The content of each must be read, or is passed over, before the next is asked for.
 *
 * Code: malformed, if it is no tar archive, was changed, or ends early.
 */
export async function* readTar(bytes: AsyncIterable<Uint8Array>, options: ReadTarOptions): AsyncGenerator<GivenEntry> {
  const source = new ByteSource(bytes);
  try {
    expectUncompressed(await source.peek(6));
    yield* readEntries(source, options);
    await source.drain();
  } finally {
    await source.close();
  }
}

async function* readEntries(source: ByteSource, options: ReadTarOptions): AsyncGenerator<GivenEntry> {
  const global: Records = new Map();
  let ahead = nothingAhead();
  for (;;) {
    const block = await source.takeOrEnd(blockSizeBytes);
    if (block === undefined || isEmptyBlock(block)) return;
    const header = decodeHeader(block, source.offset - blockSizeBytes);
    if (await readAhead(source, header, { global, ahead, options })) continue;
    const body = new Body(source, header.size);
    const entry = await entryOf(header, { records: new Map([...global, ...ahead.records]), ahead, body, source, options });
    ahead = nothingAhead();
    if (entry !== undefined) yield entry;
    await body.skip();
  }
}

function nothingAhead(): Ahead {
  return { records: new Map(), longName: undefined, longTarget: undefined };
}

/** Takes in a header that is about the next entry, or all; false if it is an entry itself. */
async function readAhead(
  source: ByteSource,
  header: Header,
  { global, ahead, options }: { global: Records; ahead: Ahead; options: ReadTarOptions },
): Promise<boolean> {
  if (!'xgLK'.includes(header.type)) return false;
  if (header.size > maximumMetadataBytes) throw damaged(source, `a header of ${header.size} bytes`);
  const content = await source.take(header.size);
  await source.take(padding(header.size));
  if (header.type === 'L') ahead.longName = untilNul(content);
  else if (header.type === 'K') ahead.longTarget = untilNul(content);
  else {
    const into = header.type === 'g' ? global : ahead.records;
    for (const [key, values] of readRecords(content)) into.set(key, values);
    const comment = global.get('comment')?.at(-1);
    if (header.type === 'g' && comment !== undefined) options.onComment?.(Buffer.from(comment).toString());
    global.delete('comment');
  }
  return true;
}

/** The content of an entry in the archive, and what fills it up. */
class Body {
  readonly #source: ByteSource;
  #left: number;
  #paddingBytes: number;

  constructor(source: ByteSource, sizeBytes: number) {
    this.#source = source;
    this.#left = sizeBytes;
    this.#paddingBytes = padding(sizeBytes);
  }

  /** A later header said another size. */
  setSize(sizeBytes: number): void {
    this.#left = sizeBytes;
    this.#paddingBytes = padding(sizeBytes);
  }

  get left(): number {
    return this.#left;
  }

  async take(count: number): Promise<Uint8Array> {
    if (count > this.#left) throw damaged(this.#source, 'an entry that ends early');
    this.#left -= count;
    return this.#source.take(count);
  }

  async *stream(count: number): AsyncGenerator<Uint8Array> {
    if (count > this.#left) throw damaged(this.#source, 'an entry that ends early');
    for (let left = count; left > 0; ) {
      const piece = await this.#source.takeSome(left);
      left -= piece.length;
      this.#left -= piece.length;
      yield piece;
    }
  }

  async skip(): Promise<void> {
    for await (const _ of this.stream(this.#left));
    await this.#source.take(this.#paddingBytes);
    this.#paddingBytes = 0;
  }
}

interface EntryParts {
  readonly records: Records;
  readonly ahead: Ahead;
  readonly body: Body;
  readonly source: ByteSource;
  readonly options: ReadTarOptions;
}

async function entryOf(header: Header, parts: EntryParts): Promise<GivenEntry | undefined> {
  const { records, ahead, body, options } = parts;
  const last = (key: string): Uint8Array | undefined => records.get(key)?.at(-1);
  const size = numberOf(last('size')) ?? header.size;
  body.setSize(size);
  const path = last('GNU.sparse.name') ?? last('path') ?? ahead.longName ?? header.path;
  const target = last('linkpath') ?? ahead.longTarget ?? header.target;
  const common = commonFields(header, { records, path, options });
  const type = typeOf(header, path, last('LAGAN.type'));
  switch (type) {
    case 'file':
      return { path, what: await fileOf(header, parts, { common, size }) };
    case 'link':
      return { path, what: { linkTo: target } };
    case 'symlink':
      return { path, what: { fields: { ...common, type, target: Uint8Array.from(target) } } };
    case 'character-device':
    case 'block-device':
      return { path, what: { fields: { ...common, type, major: header.major, minor: header.minor } } };
    case 'directory':
    case 'fifo':
    case 'socket':
      return { path, what: { fields: { ...common, type } } };
    case 'volume':
      return undefined;
    default:
      options.onWarning({
        code: 'unsupported',
        message: `an entry of type '${header.type}' is left out: a snapshot has no place for it`,
        path,
      });
      return undefined;
  }
}

type TarEntryType = GivenFields['type'] | 'link' | 'volume' | 'unknown';
const types: Readonly<Record<string, TarEntryType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  D: 'directory',
  '6': 'fifo',
  V: 'volume',
};

function typeOf({ type }: Header, path: Uint8Array, lagan: Uint8Array | undefined): TarEntryType {
  if (type !== '1' && lagan !== undefined && Buffer.from(lagan).toString() === 'socket') return 'socket';
  // As tar did before POSIX.
  if ((type === '0' || type === '\0') && path.at(-1) === 0x2f) return 'directory';
  return types[type] ?? 'unknown';
}

type CommonFields = Omit<Extract<GivenFields, { type: 'fifo' | 'socket' }>, 'type'>;

function commonFields(
  header: Header,
  { records, path, options }: { records: Records; path: Uint8Array; options: ReadTarOptions },
): CommonFields {
  const last = (key: string): Uint8Array | undefined => records.get(key)?.at(-1);
  const mtime = timeOf(last('mtime')) ?? { seconds: header.mtime, nanoseconds: 0 };
  if (records.has('SCHILY.acl.access') || records.has('SCHILY.acl.default'))
    options.onWarning({
      code: 'unsupported',
      message: 'its access control list is text and is left out: make the archive with extended attributes',
      path,
    });
  return {
    mode: header.mode & 0o7777,
    uid: numberOf(last('uid')) ?? header.uid,
    gid: numberOf(last('gid')) ?? header.gid,
    userName: text(last('uname')) ?? header.userName,
    groupName: text(last('gname')) ?? header.groupName,
    mtime,
    ctime: timeOf(last('ctime')) ?? mtime,
    inode: 0,
    extensions: extensionsOf(records),
  };
}

function extensionsOf(records: Records): GivenFields['extensions'] {
  const last = (key: string): Uint8Array | undefined => records.get(key)?.at(-1);
  const xattrs: { name: Uint8Array; value: Uint8Array }[] = [];
  const unknown: { type: number; value: Uint8Array }[] = [];
  for (const [key, values] of records) {
    const value = Uint8Array.from(values.at(-1)!);
    if (key.startsWith('SCHILY.xattr.')) xattrs.push({ name: attributeName(key.slice('SCHILY.xattr.'.length)), value });
    else if (key.startsWith('LAGAN.extension.')) unknown.push({ type: Number(key.slice('LAGAN.extension.'.length)), value });
  }
  xattrs.sort((left, right) => Buffer.compare(left.name, right.name));
  unknown.sort((left, right) => left.type - right.type);
  const [accessTime, birthTime] = [timeOf(last('atime')), timeOf(last('LAGAN.birthtime'))];
  const [flags, projectId] = [numberOf(last('LAGAN.flags')), numberOf(last('LAGAN.project'))];
  const readError = readErrorOf(records);
  return {
    ...(xattrs.length > 0 && { xattrs }),
    ...(flags !== undefined && { flags }),
    ...(birthTime && { birthTime }),
    ...(projectId !== undefined && { projectId }),
    ...(readError && { readError: { code: readError.code, message: readError.message } }),
    ...(accessTime && { accessTime }),
    ...(unknown.length > 0 && { unknown }),
  };
}

function readErrorOf(records: Records): { code: string; message: string; knownBytes?: number } | undefined {
  const value = text(records.get('LAGAN.readerror')?.at(-1));
  return value === undefined ? undefined : JSON.parse(value);
}

async function fileOf(
  header: Header,
  { records, body, source }: EntryParts,
  { common, size }: { common: CommonFields; size: number },
): Promise<Extract<GivenEntry['what'], { fields: unknown }>> {
  const sparse = await sparseOf(header, { records, body, source });
  const knownBytes = readErrorOf(records)?.knownBytes;
  const realSize = sparse?.size ?? size;
  const ranges = sparse?.ranges ?? [{ start: 0, end: size }];
  const content = contentOf(body, { ranges, size: realSize, knownBytes: knownBytes ?? realSize });
  return { fields: { ...common, type: 'file', size: realSize }, content };
}

/** Data and holes in turn. What stands for bytes that could not be read when they were backed up is no content. */
async function* contentOf(
  body: Body,
  { ranges, size, knownBytes }: { ranges: readonly DataRange[]; size: number; knownBytes: number },
): AsyncGenerator<GivenContent> {
  let position = 0;
  const until = Math.min(size, knownBytes);
  for (const { start, end } of ranges) {
    if (Math.min(start, until) > position) yield { hole: Math.min(start, until) - position };
    for await (const piece of body.stream(end - start)) {
      const known = piece.subarray(0, Math.max(0, Math.min(piece.length, until - Math.max(position, start))));
      if (known.length > 0) yield known;
      position = Math.max(position, start) + piece.length;
    }
    position = Math.max(position, end);
  }
  if (until > position) yield { hole: until - position };
}

/** Where a sparse file has data, and its size; undefined for other files. */
async function sparseOf(
  header: Header,
  { records, body, source }: Pick<EntryParts, 'records' | 'body' | 'source'>,
): Promise<{ size: number; ranges: DataRange[] } | undefined> {
  const last = (key: string): string | undefined => text(records.get(key)?.at(-1));
  if (header.type === 'S') return oldSparse(header, source);
  const size = numberOf(records.get('GNU.sparse.realsize')?.at(-1) ?? records.get('GNU.sparse.size')?.at(-1));
  if (size === undefined) return undefined;
  if (last('GNU.sparse.major') === '1') return { size, ranges: await rangesInBody(body, source, size) };
  const numbers = last('GNU.sparse.map')?.split(',').map(Number) ?? interleaved(records);
  return { size, ranges: rangesOf(numbers, size, source) };
}

/** Version 0.0: a record for each number. */
function interleaved(records: Records): number[] {
  const offsets = records.get('GNU.sparse.offset') ?? [];
  const lengths = records.get('GNU.sparse.numbytes') ?? [];
  return offsets.flatMap((offset, index) => [numberOf(offset) ?? Number.NaN, numberOf(lengths[index]) ?? Number.NaN]);
}

/** Version 1.0: the map is in front of the data, a number a line, in whole blocks. */
async function rangesInBody(body: Body, source: ByteSource, size: number): Promise<DataRange[]> {
  const numbers: number[] = [];
  let digits = '';
  while (numbers.length === 0 || numbers.length < 1 + 2 * numbers[0]!) {
    if (numbers.length > maximumMetadataBytes / 8 || digits.length > 20) throw damaged(source, 'the map of a sparse file');
    for (const byte of await body.take(blockSizeBytes)) {
      if (byte !== 0x0a) digits += String.fromCharCode(byte);
      else {
        if (!/^\d{1,16}$/.test(digits)) throw damaged(source, 'the map of a sparse file');
        numbers.push(Number(digits));
        digits = '';
      }
      if (numbers.length > 0 && numbers.length === 1 + 2 * numbers[0]!) break;
    }
  }
  return rangesOf(numbers.slice(1), size, source);
}

/** GNU tar's own form: the map is in the header, and in further blocks. */
async function oldSparse(header: Header, source: ByteSource): Promise<{ size: number; ranges: DataRange[] }> {
  const numbers: number[] = [];
  const add = (block: Uint8Array, offset: number, count: number): void => {
    for (let index = 0; index < count; index++) {
      const at = offset + 24 * index;
      if (block[at] !== 0) numbers.push(numberField(block, at, 12), numberField(block, at + 12, 12));
    }
  };
  add(header.block, 386, 4);
  for (let hasMore = header.block[482] !== 0; hasMore; ) {
    const block = await source.take(blockSizeBytes);
    add(block, 0, 21);
    hasMore = block[504] !== 0;
    if (numbers.length > maximumMetadataBytes / 24) throw damaged(source, 'the map of a sparse file');
  }
  const size = numberField(header.block, 483, 12);
  return { size, ranges: rangesOf(numbers, size, source) };
}

function rangesOf(numbers: readonly number[], size: number, source: ByteSource): DataRange[] {
  const ranges: DataRange[] = [];
  for (let index = 0; index + 1 < numbers.length; index += 2) {
    const [start, length] = [numbers[index]!, numbers[index + 1]!];
    const isGood = Number.isSafeInteger(start) && Number.isSafeInteger(length) && length >= 0 && start >= (ranges.at(-1)?.end ?? 0);
    if (!isGood || start + length > size) throw damaged(source, 'the map of a sparse file');
    if (length > 0) ranges.push({ start, end: start + length });
  }
  return ranges;
}

/** As GNU tar has it: a key has no `=`. */
function attributeName(key: string): Uint8Array {
  return Uint8Array.from(
    Buffer.from(
      key.replace(/%(3D|25)/g, (_, code) => (code === '25' ? '%' : '=')),
      'latin1',
    ),
  );
}

/** Seconds with decimals; before 1970 both count backwards. */
function timeOf(value: Uint8Array | undefined): Time | undefined {
  const [, sign, whole, decimals = ''] = /^(-?)(\d{1,16})(?:\.(\d*))?$/.exec(text(value) ?? '') ?? [];
  if (whole === undefined) return undefined;
  const [seconds, nanoseconds] = [Number(whole), Number(decimals.slice(0, 9).padEnd(9, '0'))];
  if (sign === '') return { seconds, nanoseconds };
  return nanoseconds === 0 ? { seconds: 0 - seconds, nanoseconds } : { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}

function numberOf(value: Uint8Array | undefined): number | undefined {
  const digits = text(value);
  return digits !== undefined && /^\d{1,15}$/.test(digits) ? Number(digits) : undefined;
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function padding(sizeBytes: number): number {
  return (blockSizeBytes - (sizeBytes % blockSizeBytes)) % blockSizeBytes;
}

function damaged(source: ByteSource, what: string): LaganError {
  return new LaganError('malformed', `the archive is damaged: at byte ${source.offset} there is ${what}`, { offset: source.offset });
}
