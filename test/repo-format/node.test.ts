import t from 'tap';
import * as format from '../../repo-format/mod.ts';

const time = { seconds: -1, nanoseconds: 5 };
const packs = Array.from({ length: 5000 }, (_, index) => format.idFromBytes(new Uint8Array(16).fill(index & 255).with(0, index >> 8)));
const name = new Uint8Array(32).fill(9);
const reference = { pack: packs[1]!, name };

function entry(fields: Partial<format.FileEntry> & { text?: string } = {}): format.FileEntry {
  const { text = 'a', ...rest } = fields;
  const common = {
    mode: 0o644,
    uid: 0,
    gid: 0,
    userName: 'root',
    groupName: '',
    mtime: time,
    ctime: time,
    inode: 1,
    extensions: format.noExtensions,
  };
  return { ...common, name: new TextEncoder().encode(text), type: 'file', size: 0, content: format.noContent, ...rest };
}

function leaf(...items: format.Entry[]): Uint8Array {
  return format.encodeNode({ kind: 'directory', height: 0, items });
}

function items(bytes: Uint8Array): readonly format.Entry[] {
  return (format.decodeNode(bytes) as format.DirectoryLeaf).items;
}

t.test('NodeWriter.sizeBytes: what finish gives, at every moment', async (t) => {
  const writer = new format.NodeWriter('directory', 0);
  for (let index = 0; index < 300; index++) {
    const pack = packs[index]!;
    writer.addEntry(
      entry({
        text: `file ${String(index).padStart(5, '0')}`,
        userName: `user ${index % 150}`,
        size: 9,
        content: { form: 'inline', extents: [{ kind: 'data', length: 9, name, pack }] },
      }),
    );
    const { sizeBytes, itemCount } = writer;
    t.equal(itemCount, index + 1);
    if (![0, 1, 126, 127, 128, 299].includes(index)) continue;
    const copy = new format.NodeWriter('directory', 0);
    for (const item of items(format.encodeNode({ kind: 'directory', height: 0, items: snapshotOf(index) }))) copy.addEntry(item);
    t.equal(copy.finish().length, sizeBytes);
  }
  const bytes = writer.finish();
  t.equal(writer.itemCount, 0);
  t.equal(items(bytes).length, 300);

  function snapshotOf(last: number): format.Entry[] {
    return Array.from({ length: last + 1 }, (_, index) =>
      entry({
        text: `file ${String(index).padStart(5, '0')}`,
        userName: `user ${index % 150}`,
        size: 9,
        content: { form: 'inline', extents: [{ kind: 'data', length: 9, name, pack: packs[index]! }] },
      }),
    );
  }
});

t.test('NodeWriter: finish empties it, so the next node has tables of its own', async (t) => {
  const writer = new format.NodeWriter('directory', 0);
  writer.addEntry(entry({ size: 1, content: { form: 'inline', extents: [{ kind: 'data', length: 1, name, pack: packs[0]! }] } }));
  writer.finish();
  writer.addEntry(entry({ userName: '' }));
  t.same(Buffer.from(writer.finish()), Buffer.from(leaf(entry({ userName: '' }))));
  t.throws(() => writer.finish(), RangeError, 'a node without items');
});

t.test('NodeWriter.addEntry: lengths of one, two and three bytes', async (t) => {
  for (const size of [0, 1, 80, 85, 90, 95, 100, 16_300, 16_350, 16_384, 65_536]) {
    const link: format.Entry = { ...entry(), type: 'symlink', target: new Uint8Array(size).fill(0x61) } as format.SymlinkEntry;
    const [decoded] = items(leaf(link));
    t.equal((decoded as format.SymlinkEntry).target.length, size);
  }
});

t.test('NodeWriter.addEntry: what readers would reject is a RangeError', async (t) => {
  for (const bad of [
    entry({ text: '' }),
    entry({ text: '..' }),
    entry({ text: 'a/b' }),
    entry({ text: 'x'.repeat(256) }),
    entry({ size: 1 }),
    entry({ userName: 'x'.repeat(1025) }),
  ]) {
    t.throws(() => leaf(bad), RangeError);
  }
  const half = entry({ size: 9, extensions: { readError: { code: 'EIO', message: '' } } });
  t.equal(items(leaf(half))[0]!.extensions.readError?.code, 'EIO', 'a read error explains a missing content');
});

t.test('NodeWriter.addEntry: up to 4,096 packs of a content are listed, more are not', async (t) => {
  for (const [count, listed] of [
    [1, 1],
    [4096, 4096],
    [4097, 0],
  ] as const) {
    const content: format.Content = { form: 'node', node: reference, height: 2, packs: packs.slice(0, count) };
    const [decoded] = items(leaf(entry({ size: 2 ** 40, content })));
    const { content: found } = decoded as format.FileEntry;
    t.equal(found.form === 'node' ? found.packs.length : -1, listed);
  }
});

t.test('NodeWriter: inodes and devices beyond 2^53 stay exact', async (t) => {
  const [decoded] = items(leaf(entry({ inode: 2n ** 64n - 1n, extensions: { link: { count: 2, device: 2n ** 60n } } })));
  t.match(decoded, { inode: 2n ** 64n - 1n, extensions: { link: { count: 2, device: 2n ** 60n } } });
  t.equal(items(leaf(entry({ inode: 5n })))[0]!.inode, 5, 'a number where that is exact');
});

t.test('decodeNode: unknown extensions are kept when an entry is written again', async (t) => {
  const unknown = [
    { type: 8, value: Uint8Array.of(1) },
    { type: 4_000_000_000, value: new Uint8Array(0) },
  ];
  const bytes = leaf(entry({ extensions: { flags: 3, unknown } }));
  t.same(items(bytes)[0]!.extensions, { flags: 3, unknown });
  t.same(Buffer.from(leaf(...items(bytes))), Buffer.from(bytes));
});

// covers: NODE-2
t.test('decodeNode: at most 16 MiB', async (t) => {
  t.throws(() => format.decodeNode(new Uint8Array(format.limits.nodeSizeBytes + 1)), { code: 'malformed' });
});

t.test('endsNode: never below 8 KiB, always from 64 KiB, between by the key', async (t) => {
  const ask = (sizeBytes: number, boundaryKey: Uint8Array | null, height = 0) =>
    format.endsNode({ kind: 'directory', height, boundaryKey, sizeBytes });
  const keys = Array.from({ length: 50_000 }, (_, index) => new TextEncoder().encode(`file ${index}`));
  const good = keys.find((key) => (format.fnv1a32(key) & 0x7f) === 0)!;
  t.same([ask(8191, good), ask(8192, good), ask(65_535, good)], [false, true, true]);
  t.same([ask(65_535, null), ask(65_536, null)], [false, true]);
  const share = keys.filter((key) => ask(8192, key)).length / keys.length;
  t.ok(share > 0.006 && share < 0.0095, `one in 128: ${share}`);
  const contents =
    keys.filter((boundaryKey) => format.endsNode({ kind: 'content', height: 0, boundaryKey, sizeBytes: 8192 })).length / keys.length;
  t.ok(contents > 0.001 && contents < 0.003, `one in 512: ${contents}`);
});

t.test('fnv1a32: values of the reference', async (t) => {
  const hash = (text: string) => format.fnv1a32(new TextEncoder().encode(text));
  t.same([hash(''), hash('a'), hash('foobar')], [0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
});

// covers: NODE-6
t.test('expectChild: kind, height and last name or pack must be those that the parent says', async (t) => {
  const decode = (node: Parameters<typeof format.encodeNode>[0]) => format.decodeNode(format.encodeNode(node));
  const child = decode({ kind: 'directory', height: 0, items: [entry({ text: 'a' }), entry({ text: 'm' })] });
  const parent = (height: number, last: string) =>
    decode({ kind: 'directory', height, items: [{ lastName: new TextEncoder().encode(last), entriesBelow: 2, node: reference }] });
  t.doesNotThrow(() => format.expectChild(parent(1, 'm'), 0, child));
  t.throws(() => format.expectChild(parent(1, 'n'), 0, child, 'pack'), { code: 'malformed', object: 'pack' });
  t.throws(() => format.expectChild(parent(2, 'm'), 0, child), { code: 'malformed' });
  t.throws(() => format.expectChild(parent(1, 'm'), 0, parent(1, 'm')), { code: 'malformed' }, 'a node as its own child');
  t.throws(() => format.expectChild(child, 0, child), { code: 'malformed' }, 'a child of a leaf');
  const list = decode({ kind: 'pack-list', height: 0, items: [packs[1]!, packs[2]!] });
  const lists = (lastPack: format.PackId) =>
    decode({ kind: 'pack-list', height: 1, items: [{ lastPack, packsBelow: 2, node: reference }] });
  t.doesNotThrow(() => format.expectChild(lists(packs[2]!), 0, list));
  t.throws(() => format.expectChild(lists(packs[3]!), 0, list), { code: 'malformed' });
  const content = decode({ kind: 'content', height: 0, items: [{ kind: 'hole', length: 5 }] });
  t.doesNotThrow(() => format.expectChild(decode({ kind: 'content', height: 1, items: [{ bytesBelow: 5, node: reference }] }), 0, content));
});
