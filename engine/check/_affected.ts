/** Which snapshots and files need what is lost. */
import {
  type Content,
  type Entry,
  isLaganError,
  type NodeReference,
  type PackId,
  type PackKind,
  type SnapshotId,
} from '../../repo-format/mod.ts';
import { NameMap } from '../names/mod.ts';
import type { MovedChunks, PackReader } from '../packs/mod.ts';
import type { SnapshotInfo } from '../repository/mod.ts';
import type { TreeReader } from '../trees/mod.ts';
import { isDamage, type OpenFinding } from './_findings.ts';
import type { Hurt } from './_hurt.ts';
import type { KnownPacks } from './_known-packs.ts';

const [isWhole, isHurt] = [0, 1];

/** Where the walk is. */
interface Place {
  readonly snapshot: SnapshotId;
  readonly path: Buffer;
}

/** Walks snapshots for the files that rely on lost packs and chunks; what is whole in one snapshot is not walked again in the next. */
export class AffectedFiles {
  readonly #trees: TreeReader;
  readonly #packReader: PackReader;
  readonly #hurt: Hurt;
  readonly #packs: KnownPacks;
  readonly #moved: MovedChunks;
  readonly #breathe: () => Promise<void> | undefined;
  readonly #known = new NameMap();

  constructor(parts: {
    trees: TreeReader;
    packReader: PackReader;
    hurt: Hurt;
    packs: KnownPacks;
    moved: MovedChunks;
    breathe: () => Promise<void> | undefined;
  }) {
    this.#trees = parts.trees;
    this.#packReader = parts.packReader;
    this.#hurt = parts.hurt;
    this.#packs = parts.packs;
    this.#moved = parts.moved;
    this.#breathe = parts.breathe;
  }

  /** Notes at each finding the files of this snapshot that it hurts. */
  async addSnapshot({ id, snapshot }: SnapshotInfo): Promise<void> {
    if (snapshot.tree !== null) await this.#visit(snapshot.tree, { snapshot: id, path: Buffer.alloc(0) });
  }

  /** Whether anything below a node of the folder `place` is lost. */
  async #visit(reference: NodeReference, place: Place): Promise<boolean> {
    if (this.#known.get(reference.name, 0) === isWhole) return false;
    await this.#breathe();
    const finding = await this.#findingOf(reference.pack, reference.name, 'metadata-pack');
    if (finding !== undefined) {
      finding.hurts(place.snapshot, place.path.length === 0 ? Buffer.from('/') : place.path);
      return true;
    }
    const hurts = await this.#visitItems(reference, place);
    this.#known.add(reference.name, 0, hurts ? isHurt : isWhole);
    return hurts;
  }

  async #visitItems(reference: NodeReference, place: Place): Promise<boolean> {
    const node = await this.#node(reference);
    if (node?.kind !== 'directory') return false;
    let hurts = false;
    if (node.leaf) for (const entry of node.items) hurts = (await this.#visitEntry(entry, place)) || hurts;
    else for (const { node: child } of node.items) hurts = (await this.#visit(child, place)) || hurts;
    return hurts;
  }

  async #visitEntry(entry: Entry, folder: Place): Promise<boolean> {
    if (entry.type === 'directory') {
      return entry.node !== null && this.#visit(entry.node, placeOf(entry, folder));
    }
    if (entry.type !== 'file' || !this.#mayBeHurt(entry.content)) return false;
    return this.#visitContent(entry.content, placeOf(entry, folder));
  }

  /** The finding by which a chunk is lost, if it is: also in the pack that has it now, if its own was replaced. It is not if another pack has it, too. */
  async #findingOf(pack: PackId, name: Uint8Array, kind: PackKind): Promise<OpenFinding | undefined> {
    let finding = this.#hurt.findingOf(pack, name);
    if (finding === undefined && this.#isHurt(pack) && this.#packs.get(pack).storedSizeBytes === undefined) {
      for await (const now of this.#moved.packsOf(name, pack)) {
        finding = this.#hurt.findingOf(now, name);
        break;
      }
    }
    if (finding === undefined || !(await this.#isElsewhere(pack, name, kind))) return finding;
    finding.spares();
    return undefined;
  }

  /** False also where the key does not let it be seen. */
  async #isElsewhere(pack: PackId, name: Uint8Array, kind: PackKind): Promise<boolean> {
    try {
      for await (const other of this.#packReader.otherHolders(name, pack, kind))
        if (this.#hurt.findingOf(other.pack, name) === undefined) return true;
    } catch (error) {
      if (!isLaganError(error, 'no-key')) throw error;
    }
    return false;
  }

  /** Whether anything of a pack, or of those that replaced it, is lost. */
  #isHurt(pack: PackId): boolean {
    const { storedSizeBytes, replacedBy = [] } = this.#packs.get(pack);
    return this.#hurt.has(pack) || (storedSizeBytes === undefined && replacedBy.some(({ id }) => this.#hurt.has(id)));
  }

  #mayBeHurt(content: Content): boolean {
    if (content.form === 'none') return false;
    if (content.form === 'inline') return content.extents.some((extent) => extent.kind === 'data' && this.#isHurt(extent.pack));
    return content.packs.length === 0 || this.#isHurt(content.node.pack) || content.packs.some((pack) => this.#isHurt(pack));
  }

  async #visitContent(content: Content, place: Place): Promise<boolean> {
    if (content.form === 'none') return false;
    if (content.form === 'node') return this.#visitContentNode(content.node, place);
    let hurts = false;
    for (const extent of content.extents) {
      const finding = extent.kind === 'data' ? await this.#findingOf(extent.pack, extent.name, 'pack') : undefined;
      finding?.hurts(place.snapshot, place.path);
      hurts ||= finding !== undefined;
    }
    return hurts;
  }

  async #visitContentNode(reference: NodeReference, place: Place): Promise<boolean> {
    const finding = await this.#findingOf(reference.pack, reference.name, 'metadata-pack');
    finding?.hurts(place.snapshot, place.path);
    const node = finding === undefined ? await this.#node(reference) : undefined;
    if (node?.kind !== 'content') return finding !== undefined;
    if (node.leaf) return this.#visitContent({ form: 'inline', extents: node.items }, place);
    let hurts = false;
    for (const { node: child } of node.items) hurts = (await this.#visitContentNode(child, place)) || hurts;
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

function placeOf(entry: Entry, { snapshot, path }: Place): Place {
  return { snapshot, path: Buffer.concat([path, Buffer.from('/'), entry.name]) };
}
