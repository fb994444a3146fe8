import t from 'tap';
import { NodeCursor } from '../../../engine/look/_node-cursor.ts';
import type { TreeReader } from '../../../engine/trees/mod.ts';
import type { Entry, Node, NodeReference, PackId } from '../../../repo-format/mod.ts';

const pack = '00'.repeat(16) as PackId;

/** Trees of nodes that are made up; counts the nodes that are read. */
class MadeUpTrees {
  readonly nodes = new Map<string, Node>();
  read = 0;

  leaf(names: readonly string[]): NodeReference {
    const items = names.map((name) => ({ name: Buffer.from(name) }) as unknown as Entry);
    return this.#add(names.join(), { kind: 'directory', leaf: true, height: 0, packs: [], items });
  }

  inner(children: readonly NodeReference[]): NodeReference {
    const height = Math.max(...children.map((child) => this.#of(child).height)) + 1;
    const items = children.map((node) => ({ node, lastName: this.#lastName(node), entriesBelow: 1 }));
    return this.#add(`(${children.map(({ name }) => Buffer.from(name).toString()).join(' ')})`, {
      kind: 'directory',
      leaf: false,
      height,
      packs: [],
      items,
    });
  }

  async node(reference: NodeReference): Promise<Node> {
    this.read++;
    return this.#of(reference);
  }

  #lastName(reference: NodeReference): Uint8Array {
    const item = this.#of(reference).items.at(-1) as Entry | { readonly lastName: Uint8Array };
    return 'lastName' in item ? item.lastName : item.name;
  }

  #of({ name }: NodeReference): Node {
    return this.nodes.get(Buffer.from(name).toString())!;
  }

  #add(name: string, node: Node): NodeReference {
    this.nodes.set(name, node);
    return { pack, name: Buffer.from(name) };
  }
}

/** Names that are in one of two folders only, as diff walks them. */
async function differences(trees: MadeUpTrees, left: NodeReference | null, right: NodeReference | null): Promise<string[]> {
  const cursors = [left, right].map((root) => new NodeCursor(trees as unknown as TreeReader, root)) as [NodeCursor, NodeCursor];
  const found: string[] = [];
  for (;;) {
    await NodeCursor.skipShared(...cursors);
    const [a, b] = [await cursors[0].peek(), await cursors[1].peek()];
    if (a === undefined && b === undefined) return found;
    const order = a === undefined ? 1 : b === undefined ? -1 : Buffer.compare(a.name, b.name);
    if (order <= 0) cursors[0].advance();
    if (order >= 0) cursors[1].advance();
    if (order !== 0) found.push(`${order < 0 ? '-' : '+'}${Buffer.from((order < 0 ? a! : b!).name).toString()}`);
  }
}

t.test('NodeCursor: nodes that both folders have are not read', async (t) => {
  const trees = new MadeUpTrees();
  const leaves = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((letter) => trees.leaf([`${letter}1`, `${letter}2`]));
  const changed = trees.leaf(['c1', 'c2', 'c3']);
  const halves = (nodes: NodeReference[]) => trees.inner([trees.inner(nodes.slice(0, 4)), trees.inner(nodes.slice(4))]);
  const [before, after] = [halves(leaves), halves(leaves.with(2, changed))];
  t.same(await differences(trees, before, after), ['+c3']);
  t.equal(trees.read, 8, 'of 22: two roots, two inner nodes, two leaves that differ and those behind them');
});

t.test('NodeCursor: trees of different heights, empty ones, and the same', async (t) => {
  const trees = new MadeUpTrees();
  const [first, second] = [trees.leaf(['a', 'b']), trees.leaf(['c', 'd'])];
  const tall = trees.inner([first, second]);
  t.same(await differences(trees, first, tall), ['+c', '+d']);
  t.same(await differences(trees, tall, second), ['-a', '-b']);
  t.same(await differences(trees, trees.inner([tall, trees.inner([trees.leaf(['e'])])]), first), ['-c', '-d', '-e']);
  t.same(await differences(trees, null, first), ['+a', '+b']);
  t.same(await differences(trees, null, null), []);
  trees.read = 0;
  t.same(await differences(trees, tall, tall), []);
  t.equal(trees.read, 0);
});

t.test('NodeCursor: what is the same whatever the nodes are', async (t) => {
  const trees = new MadeUpTrees();
  const names = Array.from({ length: 60 }, (_, index) => String(index).padStart(2, '0'));
  const cut = (size: number, from: readonly string[]) => {
    const leaves: NodeReference[] = [];
    for (let start = 0; start < from.length; start += size) leaves.push(trees.leaf(from.slice(start, start + size)));
    return trees.inner(leaves);
  };
  for (const [left, right] of [
    [7, 7],
    [7, 5],
    [1, 60],
    [13, 2],
  ] as const) {
    t.same(await differences(trees, cut(left, names), cut(right, names)), [], `leaves of ${left} and ${right}`);
    t.same(await differences(trees, cut(left, names), cut(right, names.toSpliced(31, 1))), ['-31']);
  }
});
