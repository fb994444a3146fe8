import { readdirSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { LocalFolder } from '../../../engine/storage/mod.ts';
import { randomBytesOf } from '../random.ts';
import { type Fault, FaultyStorage } from '../storage/faulty-storage.ts';
import { buildDirectory, entries, gather, treeParts } from './_tree-parts.ts';

/** A folder of its own, and what is in its place for temporary files. */
async function folderOf(t: Test): Promise<{ storage: LocalFolder; temporary: () => string[]; objects: () => string[] }> {
  const folder = path.join(t.testdir(), 'store');
  const storage = new LocalFolder(folder);
  await storage.prepare();
  const list = (name: string) =>
    readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && entry.parentPath.includes(name));
  return { storage, temporary: () => list('temporary').map(({ name }) => name), objects: () => list('packs').map(({ name }) => name) };
}

/** About 3 MB that do not compress: several blocks. */
async function putMany(nodes: ReturnType<typeof treeParts>['nodes'], count = 60): Promise<void> {
  for (let index = 0; index < count; index++) await nodes.put(randomBytesOf(`node ${index}`, 50_000));
}

t.test('NodeStore: abort at any moment leaves no temporary file and no pack', async (t) => {
  const { storage, temporary, objects } = await folderOf(t);
  for (const count of [0, 1, 5, 6, 30, 60]) {
    const { nodes } = treeParts(storage);
    await putMany(nodes, count);
    await nodes.abort();
    await nodes.abort();
    t.same(temporary(), [], `after ${count} nodes`);
    t.same(objects(), []);
    await t.rejects(nodes.put(new Uint8Array(10)));
  }
});

t.test('NodeStore: abort while a pack is being closed', async (t) => {
  const { storage, temporary } = await folderOf(t);
  const { nodes } = treeParts(storage);
  await putMany(nodes);
  const flushing = nodes.flush().catch(() => undefined);
  await nodes.abort();
  await flushing;
  t.same(temporary(), []);
});

t.test('NodeStore: whatever the store refuses is told, by the put that notices or by flush; nothing is left', async (t) => {
  const faults: Fault[] = [1, 2, 3, 7].flatMap((call) => [
    { operation: 'append', call },
    { operation: 'createWriter', call },
    { operation: 'commit', call },
  ]);
  for (const fault of faults) {
    const { storage, temporary } = await folderOf(t);
    const { nodes } = treeParts(new FaultyStorage(storage, { faults: [fault] }));
    const storing = putMany(nodes).then(() => nodes.flush());
    const failed = await storing.then(
      () => undefined,
      (error: { code: string }) => error.code,
    );
    const reached = fault.call === 1 || fault.operation === 'append';
    t.equal(failed, reached ? 'io' : undefined, `${fault.operation} ${fault.call}`);
    await nodes.abort();
    t.same(temporary(), []);
  }
});

t.test('NodeStore: two puts of one node at once store it once', async (t) => {
  const { nodes, stored } = treeParts();
  const node = randomBytesOf('the same', 1_000);
  const [a, b] = await Promise.all([nodes.put(node), nodes.put(node)]);
  await nodes.flush();
  t.strictSame(a, b);
  t.equal(stored[0]!.names.length, 32);
});

t.test('NodeStore: references given before a flush are good after it', async (t) => {
  const { nodes, reader } = treeParts();
  const root = await buildDirectory(nodes, entries(100));
  const before = nodes.pack;
  await nodes.flush();
  t.equal(root!.node.pack, before);
  t.not(nodes.pack, before, 'the next node goes to another pack');
  t.equal((await gather(reader.entries(root!.node))).length, 100);
});
