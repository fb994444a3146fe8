/** Properties over generated values and bytes. */
import fc from 'fast-check';
import t from 'tap';
import * as format from '../../repo-format/mod.ts';
import { decoders, prepareKey } from '../spec/_decoders.ts';
import { readVectorFiles } from '../spec/_vector-files.ts';

const vectors = readVectorFiles().filter(({ vector }) => !['chunk-name', 'cutting', 'key-encryption-key'].includes(vector.container));
await prepareKey('00'.repeat(32));

const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
const id = bytes(16).map((value) => format.idFromBytes(value));
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const size = fc.maxSafeNat();
const time = fc.record({ seconds: fc.maxSafeInteger(), nanoseconds: fc.integer({ min: 0, max: 999_999_999 }) });
const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const reference = fc.record({ pack: id, name: bytes(32) });
const inode = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => (value <= Number.MAX_SAFE_INTEGER ? Number(value) : value));
const name = fc
  .uint8Array({ minLength: 1, maxLength: 255 })
  .filter((value) => !value.includes(0x2f) && !value.includes(0) && !/^\.\.?$/.test(Buffer.from(value).toString('latin1')));
const extent: fc.Arbitrary<format.Extent> = fc.oneof(
  fc.record({ kind: fc.constant('data' as const), length: fc.integer({ min: 1, max: 2 ** 20 }), pack: id, name: bytes(32) }),
  fc.record({ kind: fc.constantFrom('hole' as const, 'zeros' as const), length: fc.integer({ min: 1, max: 2 ** 40 }) }),
);
const sortedBy = <T>(list: readonly T[], key: (item: T) => Uint8Array) =>
  [...new Map(list.map((item) => [format.toHex(key(item)), item])).entries()]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([, item]) => item);
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const extensions = fc
  .record({
    xattrs: optional(
      fc
        .array(fc.record({ name: fc.uint8Array({ minLength: 1, maxLength: 30 }), value: fc.uint8Array({ maxLength: 30 }) }), {
          minLength: 1,
          maxLength: 4,
        })
        .map((list) => sortedBy(list, (one) => one.name)),
    ),
    link: optional(fc.record({ count: u32, device: inode })),
    flags: optional(u32),
    birthTime: optional(time),
    projectId: optional(u32),
    readError: optional(fc.record({ code: text, message: text })),
    accessTime: optional(time),
    unknown: optional(
      fc
        .uniqueArray(fc.record({ type: fc.integer({ min: 8, max: 2 ** 32 - 1 }), value: fc.uint8Array({ maxLength: 20 }) }), {
          minLength: 1,
          maxLength: 3,
          selector: ({ type }) => type,
        })
        .map((list) => list.sort((left, right) => left.type - right.type)),
    ),
  })
  .map((fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as format.Extensions);
const common = {
  name,
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: u32,
  gid: u32,
  userName: text,
  groupName: text,
  mtime: time,
  ctime: time,
  inode,
  extensions,
};
const content: fc.Arbitrary<format.Content> = fc.oneof(
  fc.constant(format.noContent),
  fc.array(extent, { minLength: 1, maxLength: 5 }).map((extents) => ({ form: 'inline' as const, extents })),
  fc.record({
    form: fc.constant('node' as const),
    node: reference,
    height: fc.integer({ min: 0, max: 32 }),
    packs: fc.array(id, { maxLength: 5 }),
  }),
);
const lengthOf = (value: format.Content) =>
  value.form === 'inline' ? value.extents.reduce((sum, { length }) => sum + length, 0) : value.form === 'none' ? 0 : 2 ** 45;
const entry: fc.Arbitrary<format.Entry> = fc.oneof(
  fc.record({ ...common, content }).map((fields) => ({ ...fields, type: 'file' as const, size: lengthOf(fields.content) })),
  fc.record({ ...common, type: fc.constant('directory' as const), node: fc.option(reference), filesBelow: size, bytesBelow: size }),
  fc.record({ ...common, type: fc.constant('symlink' as const), target: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({ ...common, type: fc.constantFrom('character-device' as const, 'block-device' as const), major: u32, minor: u32 }),
  fc.record({ ...common, type: fc.constantFrom('fifo' as const, 'socket' as const) }),
);

t.test('encodeNode, decodeNode: any directory comes back', async (t) => {
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 12 }), (list) => {
      const items = sortedBy(list, (one) => one.name);
      const encoded = format.encodeNode({ kind: 'directory', height: 0, items });
      const node = format.decodeNode(encoded);
      t.same(node.items.map(plain), items.map(plain));
      t.same(Buffer.from(format.encodeNode(node)), Buffer.from(encoded));
    }),
    { numRuns: 150 },
  );
});

t.test('encodePackContents, decodePackContents: any contents come back', async (t) => {
  const block = fc.record({
    sealedLength: fc.integer({ min: 17, max: 2 ** 20 }),
    codec: fc.constantFrom('raw' as const, 'zstd' as const, 'lz4' as const),
    chunks: fc.array(fc.tuple(fc.integer({ min: 1, max: 2 ** 20 }), bytes(32)), { minLength: 1, maxLength: 20 }),
  });
  fc.assert(
    fc.property(fc.array(block, { minLength: 1, maxLength: 10 }), (list) => {
      let offset = 80;
      const blocks = list.map(({ sealedLength, codec, chunks }) => {
        const chunkLengths = Uint32Array.from(chunks, ([length]) => length);
        const one = {
          offset,
          sealedLength,
          codec,
          rawLength: chunkLengths.reduce((sum, length) => sum + length, 0),
          chunkLengths,
          names: format.concatBytes(chunks.map(([, chunkName]) => chunkName)),
        };
        offset += 4 + sealedLength;
        return one;
      });
      const decoded = format.decodePackContents(format.encodePackContents(blocks), 'pack', { kind: 'pack', contentsOffset: offset });
      t.same(decoded.map(plain), blocks.map(plain));
    }),
    { numRuns: 100 },
  );
});

t.test('encodeSnapshot, decodeSnapshot: any snapshot comes back', async (t) => {
  const statistics = fc.record({
    files: size,
    directories: size,
    others: size,
    bytes: size,
    newBytes: size,
    storedBytes: size,
    chunks: size,
    newChunks: size,
    errors: size,
  });
  const snapshot = fc.record({
    session: id,
    generation: size,
    started: time,
    ended: time,
    host: text,
    user: text,
    paths: fc.array(fc.uint8Array()),
    tags: fc.array(text),
    description: text,
    program: text,
    trees: fc.option(
      fc.record({ tree: reference, packs: fc.record({ pack: id, name: bytes(32), height: fc.integer({ min: 0, max: 32 }), count: size }) }),
    ),
    listPacks: fc.array(id),
    parent: fc.option(id),
    source: text,
    partial: fc.boolean(),
    statistics,
    errors: fc.array(fc.record({ path: fc.uint8Array(), code: text, message: text })),
    extensions: fc.dictionary(text, fc.oneof(fc.integer(), text, fc.uint8Array())),
  });
  fc.assert(
    fc.property(snapshot, ({ trees, ...fields }) => {
      const value = { ...fields, tree: trees?.tree ?? null, packs: trees?.packs ?? null } as unknown as format.Snapshot;
      t.same(plain(format.decodeSnapshot(format.encodeSnapshot(value))), plain(value));
    }),
    { numRuns: 100 },
  );
});

t.test('every decoder: random bytes give a value or a LaganError', async (t) => {
  const containers = [...new Set(vectors.map(({ vector }) => vector.container))];
  fc.assert(
    fc.property(fc.constantFrom(...containers), fc.uint8Array({ maxLength: 300 }), (container, random) => {
      const { vector } = vectors.find((one) => one.vector.container === container)!;
      onlyLaganErrors(() => decoders[container]!(random, vector.header), container);
    }),
    { numRuns: 5000 },
  );
  t.pass();
});

t.test('every decoder: vectors with a few changed bytes give a value or a LaganError', async (t) => {
  const change = fc.record({
    kind: fc.constantFrom('set', 'cut', 'insert', 'repeat'),
    at: fc.nat(),
    value: fc.uint8Array({ minLength: 1, maxLength: 5 }),
  });
  fc.assert(
    fc.property(fc.constantFrom(...vectors), fc.array(change, { minLength: 1, maxLength: 3 }), ({ path, vector }, changes) => {
      const mutated = changes.reduce(mutate, vector.bytes);
      onlyLaganErrors(() => decoders[vector.container]!(mutated, vector.header), path);
    }),
    { numRuns: 8000 },
  );
  t.pass();
});

function mutate(source: Uint8Array, { kind, at, value }: { kind: string; at: number; value: Uint8Array }): Uint8Array {
  const place = source.length === 0 ? 0 : at % source.length;
  const [before, after] = [source.subarray(0, place), source.subarray(place)];
  if (kind === 'set') return format.concatBytes([before, value, after.subarray(value.length)]);
  if (kind === 'cut') return before;
  return format.concatBytes([before, kind === 'insert' ? value : after, after]);
}

/** A LaganError of a decoder says what is wrong and where. */
function onlyLaganErrors(run: () => unknown, what: string): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof format.LaganError)) throw new Error(`${what}: ${error}`, { cause: error });
    if (error.offset === undefined && !['wrong-key', 'malformed-key'].includes(error.code))
      throw new Error(`${what}: no offset in ${error}`);
  }
}

/** For comparison: byte strings as hex, bigints as text. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, inner) => {
      if (inner instanceof Uint8Array) return format.toHex(inner);
      return typeof inner === 'bigint' ? `${inner}n` : inner instanceof Uint32Array ? [...inner] : inner;
    }),
  );
}
