/** Rules for writers: what our engine stored is looked at with repo-format alone. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { backup, createRepository, openRepository } from '../../engine/mod.ts';
import { LocalFolder } from '../../engine/storage/mod.ts';
import * as format from '../../repo-format/mod.ts';
import { noise } from './_noise.ts';
import { StoredRepository } from './_stored-repository.ts';

const folder = mkdtempSync(join(tmpdir(), 'lagan-writer-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const stored = await makeRepository();

async function makeRepository(): Promise<StoredRepository> {
  const source = join(folder, 'source');
  mkdirSync(join(source, 'many'), { recursive: true });
  for (let index = 0; index < 2000; index++) writeFileSync(join(source, 'many', `file-${index}`), noise(index % 300, `${index}`));
  writeFileSync(join(source, 'big'), noise(40_000_000, 'big'));
  const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(7) } as const;
  const path = join(folder, 'repository');
  const repository = await createRepository(new LocalFolder(path), { slots: [{ secret, label: 'test' }], packSizeBytes: 2 ** 23 });
  await backup(repository, { paths: [source] });
  writeFileSync(join(source, 'many', 'one-more'), 'new');
  await backup(await openRepository(new LocalFolder(path), { secret, mode: 'write' }), { paths: [source] });
  return StoredRepository.open(new LocalFolder(path), secret.secret);
}

// covers: SEAL-9
t.test('every object has its own salt', async (t) => {
  const salts = (await stored.sealedObjects()).map(({ header }) => format.toHex(header.salt));
  t.ok(salts.length > 10);
  t.equal(new Set(salts).size, salts.length);
});

// covers: NAME-4, PACK-15
t.test('packs of writers have new ids with a clear top bit, and keep within the limits', async (t) => {
  const packs = await stored.packs();
  t.ok(packs.length >= 6, `${packs.length} packs`);
  t.equal(new Set(packs.map(({ id }) => id)).size, packs.length);
  for (const { id, sizeBytes, blocks } of packs) {
    t.notOk(format.isCollectorPack(id));
    t.ok(sizeBytes <= format.limits.packSizeBytes && blocks.length <= format.limits.blocksPerPack, `${sizeBytes} bytes`);
  }
});

// covers: IDX-5, IDX-6
t.test('index tables list every chunk, in filter and sample, too', async (t) => {
  const tables = await stored.indexTables();
  const names = (await stored.packs()).flatMap(({ blocks }) => blocks.flatMap((block) => namesOf(block.names)));
  t.same(new Set(tables.flatMap((table) => table.names)), new Set(names));
  for (const { names: rows, sample, filter, filterBlocks } of tables) {
    t.ok(
      rows.every((name) => format.filterContains(filter, filterBlocks, format.fromHex(name))),
      'the filter has every row',
    );
    t.same(
      sample,
      rows.filter((name) => format.isSampled(format.fromHex(name))),
      'the sample is exactly what it should be',
    );
  }
});

// covers: SNAP-4
t.test('the pack list has every pack that the tree refers to', async (t) => {
  for (const snapshot of await stored.snapshots()) {
    const listed = new Set(await stored.listedPacks(snapshot));
    t.equal(listed.size, snapshot.packs!.count);
    for await (const { node, reference } of stored.nodes(snapshot.tree!)) {
      t.ok(listed.has(reference.pack), 'the pack of a node');
      for (const pack of node.packs) t.ok(listed.has(pack), 'a pack of its table');
    }
  }
});

// covers: NODE-12
t.test('nodes end where the rule says', async (t) => {
  const [snapshot] = await stored.snapshots();
  for await (const { node, bytes, isLast } of stored.nodes(snapshot!.tree!)) {
    const key = lastBoundaryKey(node);
    const ends = format.endsNode({ kind: node.kind, height: node.height, boundaryKey: key, sizeBytes: bytes.length });
    t.ok(ends || isLast, `a ${node.kind} node of ${bytes.length} bytes and height ${node.height} ends at a boundary`);
    t.same(Buffer.from(format.encodeNode(node)), Buffer.from(bytes), 'and is encoded as the rule says');
    t.notOk(endsEarlier(node), 'and has no boundary before its last item');
  }
});

function lastBoundaryKey(node: format.Node): Uint8Array | null {
  return boundaryKey(node, node.items.length - 1);
}

function boundaryKey(node: format.Node, index: number): Uint8Array | null {
  const item = node.items[index]!;
  if (typeof item === 'string') return format.idToBytes(item);
  if ('lastName' in item) return item.lastName;
  if ('lastPack' in item) return format.idToBytes(item.lastPack);
  if ('bytesBelow' in item && 'node' in item && !('type' in item)) return item.node.name;
  return 'name' in item ? item.name : null;
}

/** Whether a prefix of the items would have ended the node. */
function endsEarlier(node: format.Node): boolean {
  for (let count = 1; count < node.items.length; count++) {
    if (count < node.items.length - 40 && count % 10 !== 0) continue;
    const sizeBytes = format.encodeNode({ ...node, items: node.items.slice(0, count) } as format.Node).length;
    if (format.endsNode({ kind: node.kind, height: node.height, boundaryKey: boundaryKey(node, count - 1), sizeBytes })) return true;
  }
  return false;
}

function namesOf(names: Uint8Array): string[] {
  return Array.from({ length: names.length / 32 }, (_, index) => format.toHex(names.subarray(index * 32, (index + 1) * 32)));
}
