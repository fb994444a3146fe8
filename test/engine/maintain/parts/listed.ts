/** What lists name: the packs of snapshots, and the commits of a store that may not show all of them. */
import t, { type Test } from 'tap';
import { expectCommitsListed } from '../../../../engine/maintain/_listed-commits.ts';
import { ListedPacks } from '../../../../engine/maintain/_listed-packs.ts';
import type { Repository, SessionIndexTable } from '../../../../engine/repository/mod.ts';
import { type Storage, withOverrides } from '../../../../engine/storage/mod.ts';
import { TreeReader } from '../../../../engine/trees/mod.ts';
import {
  encodeNode,
  LaganError,
  objectNames,
  objectPrefixes,
  type PackId,
  type SessionId,
  type Snapshot,
} from '../../../../repo-format/mod.ts';
import { testKeys } from '../../random.ts';
import { backUp, makeRepository, randomId, sampleSnapshot } from '../../repository/sample.ts';
import { SignalWatch } from '../../storage/signal-watch.ts';
import { treeParts } from '../../trees/_tree-parts.ts';

const packNumber = (number: number) => number.toString(16).padStart(32, '0') as PackId;

type PackListReference = NonNullable<Snapshot['packs']>;

/** Lists of packs that are made node by node. */
async function lists(t: Test) {
  const made = await makeRepository();
  const { nodes, storage } = treeParts(made.storage);
  const listed = new ListedPacks({ ...made, keys: testKeys as Repository['keys'] });
  const { node: readNode } = TreeReader.prototype;
  let read = 0;
  TreeReader.prototype.node = function (this: TreeReader, reference) {
    read++;
    return readNode.call(this, reference);
  };
  t.teardown(() => {
    TreeReader.prototype.node = readNode;
  });
  const leaf = async (...numbers: number[]): Promise<PackListReference> => {
    const reference = await nodes.put(encodeNode({ kind: 'pack-list', height: 0, items: numbers.map(packNumber) }));
    return { ...reference, height: 0, count: numbers.length };
  };
  const inner = async (children: readonly { node: PackListReference; last: number }[]): Promise<PackListReference> => {
    const items = children.map(({ node, last }) => ({ lastPack: packNumber(last), packsBelow: node.count, node }));
    const height = children[0]!.node.height + 1;
    const reference = await nodes.put(encodeNode({ kind: 'pack-list', height, items }));
    return { ...reference, height, count: items.reduce((sum, { packsBelow }) => sum + packsBelow, 0) };
  };
  const add = async (packs: PackListReference | null, listPacks: PackId[] = []) => {
    await nodes.flush();
    const before = read;
    await listed.add({ ...sampleSnapshot({ id: randomId<SessionId>(), generation: 0 }), packs, listPacks });
    return read - before;
  };
  return { nodes, storage, listed, leaf, inner, add };
}

t.test('ListedPacks: all that a list names, and the packs that the list itself is in; each node is read once', async (t) => {
  const { listed, leaf, inner, add } = await lists(t);
  t.equal(await add(null, [packNumber(9)]), 0);
  t.same(listed.packs, new Set([packNumber(9)]), 'a snapshot without a list');
  const [first, second, third] = [await leaf(1, 2), await leaf(3), await leaf(4)];
  const one = await inner([
    { node: first, last: 2 },
    { node: second, last: 3 },
  ]);
  const other = await inner([
    { node: first, last: 2 },
    { node: third, last: 4 },
  ]);
  const above = await inner([{ node: other, last: 4 }]);
  t.equal(await add(one), 3);
  const own = [first, second, one].map(({ pack }) => pack);
  t.same(listed.packs, new Set([9, 1, 2, 3].map(packNumber).concat(own)));
  t.equal(await add(one), 0, 'the same again');
  t.equal(await add(above), 3, 'what it has in common with the other is known');
  t.ok(listed.packs.has(packNumber(4)));
  t.equal(await add(other), 0);
  const elsewhere = packNumber(77);
  t.equal(await add({ ...one, pack: elsewhere }), 0);
  t.ok(listed.packs.has(elsewhere), 'a known list in another pack: that is needed, too');
});

t.test('ListedPacks: a node that is not what was said of it is damage', async (t) => {
  const { nodes, leaf, inner, add } = await lists(t);
  const list = await leaf(1, 2);
  const object = objectNames.pack(list.pack);
  await t.rejects(add({ ...list, height: 1 }), { code: 'malformed', object, expected: 'height 1', found: 'height 0' });
  const content = {
    ...(await nodes.put(encodeNode({ kind: 'content', height: 0, items: [{ kind: 'zeros', length: 5 }] }))),
    height: 0,
    count: 0,
  };
  const inPack = objectNames.pack(content.pack);
  await t.rejects(add(content), { code: 'malformed', object: inPack, expected: 'a list of packs', found: 'content' });
  await t.rejects(add(await inner([{ node: list, last: 3 }])), { code: 'malformed', object });
  t.equal(await add(list), 1, 'what was damaged is not taken for known');
});

t.test('ListedPacks: a list that is gone is an error', async (t) => {
  const { storage, leaf, add, listed } = await lists(t);
  const list = await leaf(5);
  await add(null);
  await storage.delete([objectNames.pack(list.pack)]);
  await t.rejects(add(list), { code: 'pack-missing', object: objectNames.pack(list.pack) });
  t.same(listed.packs, new Set([list.pack]));
});

t.test('expectCommitsListed: a commit that is there and not in the listing, after the listing was made again, is told', async (t) => {
  const repository = await makeRepository();
  const nothing = { tree: null, packs: null, listPacks: [] };
  const { id, generation } = await backUp(repository, nothing);
  const name = objectNames.snapshot(generation, id);
  const table = (session: SessionId): SessionIndexTable => ({ name: 'any', generation, session, from: 0, to: 0, sizeBytes: 1 });
  const unfinished = randomId<SessionId>();
  const expected = async (storage: Storage, listed: readonly SessionId[] = []) => {
    const watch = new SignalWatch(storage);
    const known = new Map(listed.map((session) => [session, true]));
    const options = { tables: [table(unfinished), table(id)], listed: known, signal: watch.signal };
    await expectCommitsListed({ ...repository, storage: watch.storage }, repository.root, options);
    t.same([...watch.withoutSignal], []);
    return watch.seen.has(`storage.list ${objectPrefixes.snapshots}`);
  };
  t.equal(await expected(repository.storage, [id]), false, 'all is listed');
  t.equal(await expected(repository.storage), true, 'it was stored after the listing: it is looked again');
  const hiding = withOverrides(repository.storage, {
    async *list(prefix: string, options: object) {
      for await (const object of repository.storage.list(prefix, options)) if (object.name !== name) yield object;
    },
  });
  t.equal(await expected(hiding, [id]), false);
  await t.rejects(expected(hiding), { code: 'unavailable', object: name });
  const away = withOverrides(hiding, {
    size: async () => {
      throw new LaganError('io', 'no answer');
    },
  });
  await t.rejects(expected(away), { code: 'io' }, 'no answer is none');
  await repository.storage.delete([name]);
  t.equal(await expected(repository.storage), false, 'a backup that has not ended');
});
