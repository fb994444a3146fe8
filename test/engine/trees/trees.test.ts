import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { recordingPacks, TreeBuilder } from '../../../engine/trees/mod.ts';
import type { Content, PackId } from '../../../repo-format/mod.ts';
import { buildContent, buildDirectory, countingNodes, entries, extents, fileNamed, gather, packNumber, treeParts } from './_tree-parts.ts';

t.test('directory: 0, 1, several and 100,000 entries come back in order, and each by its name', async (t) => {
  for (const count of [0, 1, 2, 150, 5_000, 100_000]) {
    const { nodes, reader } = treeParts();
    const all = entries(count);
    const root = await buildDirectory(nodes, all);
    await nodes.flush();
    if (count === 0) {
      t.equal(root, undefined);
      t.same(await gather(reader.entries(null)), []);
      t.equal(await reader.entry(null, Buffer.from('x')), undefined);
      continue;
    }
    const back = await gather(reader.entries(root!.node));
    t.equal(back.length, count);
    t.ok(isDeepStrictEqual(back, all), `${count} entries`);
    for (const index of [0, count >> 1, count - 1])
      t.strictSame((await reader.entry(root!.node, all[index]!.name))?.name, all[index]!.name);
    for (const absent of ['', 'a', 'file-0000000x', 'z']) t.equal(await reader.entry(root!.node, Buffer.from(absent)), undefined);
    if (count === 100_000) t.ok(root!.height >= 1 && root!.height <= 2, `height ${root!.height}`);
  }
});

t.test('directory: the same entries make the same nodes; they are stored once', async (t) => {
  const { nodes, stored } = treeParts();
  const first = await buildDirectory(nodes, entries(20_000));
  await nodes.flush();
  const packs = stored.length;
  const second = await buildDirectory(nodes, entries(20_000));
  await nodes.flush();
  t.strictSame(second, first);
  t.equal(stored.length, packs, 'nothing new was stored');
});

t.test('directory: one change, addition or removal among 20,000 makes few new nodes', async (t) => {
  const { nodes } = treeParts();
  const all = entries(20_000);
  const before = countingNodes(nodes);
  const root = await buildDirectory(before, all);
  const changes = {
    changed: all.with(10_000, fileNamed('file-0010000', { mode: 0o600 })),
    added: all.toSpliced(10_000, 0, fileNamed('file-0009999-and-a-half')),
    removed: all.toSpliced(10_000, 1),
    'added at the beginning': [fileNamed('a'), ...all],
    'added at the end': [...all, fileNamed('z')],
  };
  for (const [what, entriesNow] of Object.entries(changes)) {
    const now = countingNodes(nodes);
    const other = await buildDirectory(now, entriesNow);
    t.not(Buffer.compare(other!.node.name, root!.node.name), 0);
    const fresh = [...now.names].filter((name) => !before.names.has(name)).length;
    t.ok(fresh <= 6, `${what}: ${fresh} new nodes of ${now.names.size}`);
  }
});

t.test('directory: an entry larger than a node is a node of its own', async (t) => {
  const { nodes, reader } = treeParts();
  const value = new Uint8Array(300_000).fill(7);
  const large = fileNamed('m', { extensions: { xattrs: [{ name: new Uint8Array(Buffer.from('user.large')), value }] } });
  const all = [fileNamed('a'), large, fileNamed('z')];
  const root = await buildDirectory(nodes, all);
  await nodes.flush();
  t.ok(isDeepStrictEqual(await gather(reader.entries(root!.node)), all));
});

t.test('entries: tells of every node on the way', async (t) => {
  const { nodes, reader } = treeParts();
  const counting = countingNodes(nodes);
  const root = await buildDirectory(counting, entries(20_000));
  await nodes.flush();
  const seen = new Set<string>();
  await gather(reader.entries(root!.node, ({ name }) => seen.add(Buffer.from(name).toString('hex'))));
  t.same(seen, counting.names);
});

t.test('content: extents come back, from any offset on', async (t) => {
  for (const count of [1, 17, 5_000, 20_000]) {
    const { nodes, reader } = treeParts();
    const all = extents(count);
    const root = await buildContent(nodes, all);
    await nodes.flush();
    const content: Content = { form: 'node', node: root!.node, height: root!.height, packs: [] };
    const size = all.reduce((sum, { length }) => sum + length, 0);
    let start = 0;
    const placed = all.map((extent) => {
      const at = { ...extent, start };
      start += extent.length;
      return at;
    });
    for (const offset of [0, 1, Math.floor(size / 3), placed[count >> 1]!.start, Math.max(0, placed[count >> 1]!.start - 1), size - 1]) {
      const found = await gather(reader.extents(content, offset));
      const expected = placed.slice(placed.findIndex((extent) => extent.start + extent.length > offset));
      t.ok(isDeepStrictEqual(found, expected), `${count} extents from ${offset} on`);
    }
    t.same(await gather(reader.extents(content, size)), []);
    const dataPacks = all.flatMap((extent) => (extent.kind === 'data' ? [extent.pack] : []));
    t.same(await reader.contentPacks(content), new Set([root!.node.pack, ...dataPacks]), 'the packs of nodes and data, as the nodes say');
  }
});

t.test('content: inline and none, from an offset on; their packs', async (t) => {
  const { reader } = treeParts();
  const inline: Content = { form: 'inline', extents: extents(4) };
  t.equal((await gather(reader.extents(inline))).length, 4);
  t.equal((await gather(reader.extents(inline, 1_000)))[0]!.start, 1_000);
  t.same(await reader.contentPacks(inline), new Set([packNumber(0), packNumber(1), packNumber(2)]));
  t.same(await gather(reader.extents({ form: 'none' })), []);
  t.same(await reader.contentPacks({ form: 'none' }), new Set());
});

t.test('contentPacks: as the entry lists them, without reading a node', async (t) => {
  const { reader } = treeParts();
  const node = { pack: packNumber(9), name: new Uint8Array(32) };
  t.same(await reader.contentPacks({ form: 'node', node, height: 1, packs: [packNumber(1)] }), new Set([packNumber(9), packNumber(1)]));
});

t.test('pack list: ids come back in order', async (t) => {
  for (const count of [1, 2, 512, 20_000]) {
    const { nodes, reader } = treeParts();
    const packs = Array.from({ length: count }, (_, index) => index.toString(16).padStart(32, '0') as PackId);
    const builder = new TreeBuilder(nodes, 'pack-list');
    for (const pack of packs) await builder.addPack(pack);
    const root = await builder.finish();
    await nodes.flush();
    t.ok(isDeepStrictEqual(await gather(reader.packList(root!.node)), packs), `${count} packs`);
  }
});

t.test('clone: a tree of what there is so far; the builder goes on undisturbed', async (t) => {
  const { nodes, reader } = treeParts();
  const all = entries(3_000);
  const builder = new TreeBuilder(nodes, 'directory');
  for (const [index, entry] of all.entries()) {
    await builder.addEntry(entry);
    if (index % 700 !== 13) continue;
    const packs = new Set<PackId>();
    const soFar = await builder.clone(recordingPacks(nodes, packs)).finish();
    await nodes.flush();
    t.ok(isDeepStrictEqual(await gather(reader.entries(soFar!.node)), all.slice(0, index + 1)), `after ${index + 1}`);
    t.ok(packs.has(soFar!.node.pack), 'it is put through the nodes that were given');
  }
  const root = await builder.finish();
  await nodes.flush();
  const plain = await buildDirectory(treeParts().nodes, all);
  t.same((await gather(reader.entries(root!.node))).length, 3_000);
  t.equal(root!.height, plain!.height);
  t.equal(await new TreeBuilder(nodes, 'directory').clone().finish(), undefined);
});

t.test('TreeReader: a node of another kind is malformed', async (t) => {
  const { nodes, reader } = treeParts();
  const root = await buildContent(nodes, extents(5));
  await nodes.flush();
  await t.rejects(gather(reader.entries(root!.node)), { code: 'malformed' });
});
