/** How nodes and entries are put together, piece by piece. */
import { concat, type Part, prefixed, svarint, text, u8, type Vector, varint } from '../_vector.ts';
import { nameC, packA } from './_pieces.ts';

export interface NodeFields {
  kind?: number;
  version?: number;
  height?: number;
  packs?: Uint8Array[];
  strings?: Uint8Array[];
  count?: number;
  items: Part[];
}

export interface EntryFields {
  name?: Uint8Array;
  type?: number;
  mode?: number;
  uid?: number;
  userName?: number;
  mtime?: Uint8Array;
  inode?: number | bigint;
  /** The fields of the type. */
  fields?: Uint8Array;
  extensions?: (readonly [type: number, value: Uint8Array])[];
  /** Added to the length of the rest. */
  lengthError?: number;
  trailing?: Uint8Array;
}

export const fifo = 4;
export const time = concat(svarint(0), varint(0));
export const reference = concat(varint(0), nameC);
export const dataExtent = concat(u8(0), varint(5), reference);
export const inlineFile = concat(varint(5), u8(1), varint(1), dataExtent);
export const fifoResult = {
  name: text('a'),
  type: 'fifo',
  mode: 0,
  uid: 0,
  gid: 0,
  userName: '',
  groupName: '',
  mtime: { seconds: 0, nanoseconds: 0 },
  ctime: { seconds: 0, nanoseconds: 0 },
  inode: 1,
  extensions: {},
};

export function vector(
  name: string,
  options: { expect?: string; covers: string; comment: string; offset?: number; result?: unknown; parts: Part[] },
): Vector {
  const { expect = 'malformed', covers, ...rest } = options;
  return { container: 'node', name, expect, covers: covers.split(' '), ...rest };
}

export function nodeParts({ kind = 1, version = 1, height = 0, packs = [packA], strings = [], count, items }: NodeFields): Part[] {
  return [
    [`node kind ${kind}`, u8(kind)],
    ['version', u8(version)],
    [`height ${height}`, varint(height)],
    [`pack count ${packs.length}`, varint(packs.length)],
    ...packs.map((pack): Part => ['pack', pack]),
    [`string count ${strings.length}`, varint(strings.length)],
    ...strings.map((value): Part => [JSON.stringify(Buffer.from(value).toString('latin1')), prefixed(value)]),
    [`item count ${count ?? items.length}`, varint(count ?? items.length)],
    ...items,
  ];
}

export function entry({
  name = text('a'),
  type = fifo,
  mode = 0,
  uid = 0,
  userName = 0,
  mtime = time,
  inode = 1,
  fields = text(''),
  extensions = [],
  lengthError = 0,
  trailing = text(''),
}: EntryFields): Part {
  const rest = concat(
    prefixed(name),
    u8(type),
    varint(mode),
    varint(uid),
    varint(0),
    varint(userName),
    varint(0),
    mtime,
    time,
    varint(inode),
    fields,
    varint(extensions.length),
    ...extensions.flatMap(([number, value]) => [varint(number), prefixed(value)]),
    trailing,
  );
  return [`entry ${JSON.stringify(Buffer.from(name).toString('latin1').slice(0, 16))}`, concat(varint(rest.length + lengthError), rest)];
}

/** A directory leaf with these entries, and the tables that they need. */
export function leaf(...fields: EntryFields[]): Part[] {
  const packs = fields.some(({ type }) => type === 1) ? [packA] : [];
  const strings = fields.some(({ userName }) => userName) ? [text('root')] : [];
  return nodeParts({ packs, strings, items: fields.map(entry) });
}

export function directoryResult(items: unknown[], packs: Uint8Array[] = []): unknown {
  return { kind: 'directory', leaf: true, height: 0, packs, items };
}
