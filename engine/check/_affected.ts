/** Which snapshots and files need what is lost. */
import type { Content, Entry, NodeReference, SnapshotId } from '../../repo-format/mod.ts';
import { NameMap } from '../names/mod.ts';
import type { SnapshotInfo } from '../repository/mod.ts';
import type { TreeReader } from '../trees/mod.ts';
import { isDamage } from './_findings.ts';
import type { Hurt } from './_hurt.ts';

const [isWhole, isHurt] = [0, 1];

/** Walks snapshots for the files that rely on lost packs and chunks; what is whole in one snapshot is not walked again in the next. */
export class AffectedFiles {
  readonly #trees: TreeReader;
  readonly #hurt: Hurt;
  readonly #breathe: () => Promise<void> | undefined;
  readonly #known = new NameMap();

  constructor(parts: { trees: TreeReader; hurt: Hurt; breathe: () => Promise<void> | undefined }) {
    this.#trees = parts.trees;
    this.#hurt = parts.hurt;
    this.#breathe = parts.breathe;
  }

  /** Notes at each finding the files of this snapshot that it hurts. */
  async addSnapshot({ id, snapshot }: SnapshotInfo): Promise<void> {
    if (snapshot.tree !== null) await this.#visit(id, snapshot.tree, Buffer.alloc(0));
  }

  /** Whether anything below a node of the folder `path` is lost. */
  async #visit(snapshot: SnapshotId, reference: NodeReference, path: Buffer): Promise<boolean> {
    if (this.#known.get(reference.name, 0) === isWhole) return false;
    await this.#breathe();
    const finding = this.#hurt.findingOf(reference.pack, reference.name);
    if (finding !== undefined) {
      finding.hurts(snapshot, path.length === 0 ? Buffer.from('/') : path);
      return true;
    }
    const hurts = await this.#visitItems(snapshot, reference, path);
    this.#known.add(reference.name, 0, hurts ? isHurt : isWhole);
    return hurts;
  }

  async #visitItems(snapshot: SnapshotId, reference: NodeReference, path: Buffer): Promise<boolean> {
    const node = await this.#node(reference);
    if (node?.kind !== 'directory') return false;
    let hurts = false;
    if (node.leaf) for (const entry of node.items) hurts = (await this.#visitEntry(snapshot, entry, path)) || hurts;
    else for (const { node: child } of node.items) hurts = (await this.#visit(snapshot, child, path)) || hurts;
    return hurts;
  }

  async #visitEntry(snapshot: SnapshotId, entry: Entry, folder: Buffer): Promise<boolean> {
    if (entry.type === 'directory') {
      return entry.node !== null && this.#visit(snapshot, entry.node, Buffer.concat([folder, Buffer.from('/'), entry.name]));
    }
    if (entry.type !== 'file' || !this.#mayBeHurt(entry.content)) return false;
    return this.#visitContent(snapshot, entry.content, Buffer.concat([folder, Buffer.from('/'), entry.name]));
  }

  #mayBeHurt(content: Content): boolean {
    if (content.form === 'none') return false;
    if (content.form === 'inline') return content.extents.some((extent) => extent.kind === 'data' && this.#hurt.has(extent.pack));
    return content.packs.length === 0 || this.#hurt.has(content.node.pack) || content.packs.some((pack) => this.#hurt.has(pack));
  }

  async #visitContent(snapshot: SnapshotId, content: Content, path: Buffer): Promise<boolean> {
    if (content.form === 'none') return false;
    if (content.form === 'node') return this.#visitContentNode(snapshot, content.node, path);
    let hurts = false;
    for (const extent of content.extents) {
      const finding = extent.kind === 'data' ? this.#hurt.findingOf(extent.pack, extent.name) : undefined;
      finding?.hurts(snapshot, path);
      hurts ||= finding !== undefined;
    }
    return hurts;
  }

  async #visitContentNode(snapshot: SnapshotId, reference: NodeReference, path: Buffer): Promise<boolean> {
    const finding = this.#hurt.findingOf(reference.pack, reference.name);
    finding?.hurts(snapshot, path);
    const node = finding === undefined ? await this.#node(reference) : undefined;
    if (node?.kind !== 'content') return finding !== undefined;
    if (node.leaf) return this.#visitContent(snapshot, { form: 'inline', extents: node.items }, path);
    let hurts = false;
    for (const { node: child } of node.items) hurts = (await this.#visitContentNode(snapshot, child, path)) || hurts;
    return hurts;
  }

  /** Undefined for a node that cannot be read: the walk of all trees told of it. */
  async #node(reference: NodeReference): Promise<Awaited<ReturnType<TreeReader['node']>> | undefined> {
    try {
      return await this.#trees.node(reference);
    } catch (error) {
      if (isDamage(error)) return undefined;
      throw error;
    }
  }
}
