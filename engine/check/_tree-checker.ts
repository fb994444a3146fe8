/**
 * Walks the trees of all snapshots, each node once however many of them share it: every node opens and is what its parent says, every chunk of every
 * file is in its pack, and every pack in the store.
 */
import {
  type Content,
  type ContentInner,
  type ContentLeaf,
  type DirectoryEntry,
  type DirectoryInner,
  type DirectoryLeaf,
  type Entry,
  type Extent,
  type FileEntry,
  LaganError,
  type Node,
  type NodeKind,
  type NodeReference,
  objectNames,
  type PackId,
  type PackKind,
} from '../../repo-format/mod.ts';
import { nodeDropped } from '../memory/mod.ts';
import { NameMap } from '../names/mod.ts';
import { locateChunk, type PackReader } from '../packs/mod.ts';
import { Descent, type TreeReader } from '../trees/mod.ts';
import type { ChunkSet } from './_chunk-set.ts';
import { type Findings, isDamage, packMissing } from './_findings.ts';
import type { Hurt } from './_hurt.ts';
import type { KnownPack, KnownPacks } from './_known-packs.ts';
import { PackSets } from './_pack-sets.ts';

/** What a parent says of a node. */
interface Expected<Kind extends NodeKind = NodeKind> {
  readonly kind: Kind;
  /** Undefined for a root of a directory, whose height nobody says. */
  readonly height?: number | undefined;
  /** Entries, bytes or packs below it. */
  readonly below?: number | undefined;
  readonly lastName?: Uint8Array | undefined;
  /** Last name of the node before it. */
  readonly afterName?: Uint8Array | undefined;
  readonly lastPack?: PackId | undefined;
}

/** A node that is being walked. */
interface Visit {
  /** Ordinals of the packs that it and all below it rely on. */
  readonly relied: Set<number>;
  /** It was not met before. */
  readonly isNew: boolean;
}

export interface TreeCheckerOptions {
  readonly packReader: PackReader;
  readonly trees: TreeReader;
  readonly packs: KnownPacks;
  /** Rows of the index. */
  readonly chunks: ChunkSet;
  /** Whether a chunk's row would be in `chunks`. */
  readonly isCovered: (names: Uint8Array, offset: number) => boolean;
  /** False in a later pass: all but the covered chunks was looked at before, and is not told again. */
  readonly isFirst: boolean;
  /** Whether packs of content can be opened with this key. */
  readonly mayOpenContent: boolean;
  readonly findings: Findings;
  readonly hurt: Hurt;
  /** Awaited now and then. */
  readonly breathe: () => Promise<void> | undefined;
}

export class TreeChecker {
  nodes = 0;
  files = 0;
  /** Chunks that could only be looked for in the index, where they are not. */
  unverified = 0;
  readonly #options: TreeCheckerOptions;
  /** Name of a node and its pack → number of the set of packs that it and all below it rely on. A node may be in several packs, and each must be there. */
  readonly #seen = new NameMap();
  readonly #sets = new PackSets();
  #descent = new Descent(null);

  constructor(options: TreeCheckerOptions) {
    this.#options = options;
  }

  /** Walks a tree; returns the ordinals of all packs that it relies on. */
  async check(root: NodeReference): Promise<Uint32Array> {
    this.#descent = new Descent(root);
    return this.#visit(root, { kind: 'directory' });
  }

  /** The packs that a list names, and those that hold the list. */
  async readPackList(
    root: NodeReference,
    expected: { height: number; below: number },
  ): Promise<{ listed: Set<PackId>; holders: Set<PackId> } | undefined> {
    const listed = new Set<PackId>();
    const holders = new Set<PackId>();
    const read = async (reference: NodeReference, expects: Expected<'pack-list'>): Promise<boolean> => {
      holders.add(reference.pack);
      const node = await this.#open(reference, { expected: expects, isNew: true });
      if (node?.leaf) for (const pack of node.items) listed.add(pack);
      if (node === undefined || node.leaf) return node !== undefined;
      for (const { node: child, packsBelow: below, lastPack } of node.items) {
        if (!(await read(child, { kind: 'pack-list', height: node.height - 1, below, lastPack }))) return false;
      }
      return true;
    };
    return (await read(root, { kind: 'pack-list', ...expected })) ? { listed, holders } : undefined;
  }

  async #visit(reference: NodeReference, expected: Expected<'directory' | 'content'>): Promise<Uint32Array> {
    const ordinal = this.#ordinalOf(reference.pack, 'metadata-pack');
    const known = this.#seen.get(placeOf(reference, ordinal), 0);
    const remembered = this.#sets.get(known);
    if (remembered !== undefined) return remembered;
    await this.#options.breathe();
    const visit: Visit = { relied: new Set([ordinal]), isNew: known < 0 };
    const node = await this.#open(reference, { expected, isNew: visit.isNew });
    if (node?.kind === 'directory') await this.#visitDirectory(node, visit);
    else if (node !== undefined) await this.#visitContentNode(node, visit);
    const set = Uint32Array.from(visit.relied).sort();
    if (visit.isNew) this.#seen.add(placeOf(reference, ordinal), 0, this.#sets.numberOf(set));
    return set;
  }

  async #visitDirectory(node: DirectoryLeaf | DirectoryInner, visit: Visit): Promise<void> {
    if (node.leaf) {
      for (const entry of node.items) await this.#visitEntry(entry, visit);
      return;
    }
    let afterName: Uint8Array | undefined;
    for (const { node: child, entriesBelow: below, lastName } of node.items) {
      addAll(visit.relied, await this.#visit(child, { kind: 'directory', height: node.height - 1, below, lastName, afterName }));
      afterName = lastName;
    }
  }

  async #visitContentNode(node: ContentLeaf | ContentInner, visit: Visit): Promise<void> {
    if (node.leaf) {
      await this.#visitExtents(node.items, visit);
      return;
    }
    for (const { node: child, bytesBelow: below } of node.items) {
      addAll(visit.relied, await this.#visit(child, { kind: 'content', height: node.height - 1, below }));
    }
  }

  async #visitEntry(entry: Entry, visit: Visit): Promise<void> {
    if (entry.type === 'directory') {
      if (entry.node !== null) addAll(visit.relied, await this.#visitFolder(entry, entry.node, visit));
    } else if (entry.type === 'file') {
      if (visit.isNew) this.files++;
      const { content } = entry;
      if (content.form === 'inline') await this.#visitExtents(content.extents, visit);
      else if (content.form === 'node') addAll(visit.relied, await this.#visitContent(entry, content));
    }
  }

  async #visitFolder(entry: DirectoryEntry, node: NodeReference, { isNew }: Visit): Promise<Uint32Array> {
    const { findings, hurt, isFirst } = this.#options;
    try {
      this.#descent.enter(entry);
    } catch (error) {
      if (!isDamage(error)) throw error;
      if (isNew && isFirst) hurt.chunks(node.pack, node.name, findings.addError(error, { object: objectNames.pack(node.pack) }));
      return new Uint32Array(0);
    }
    const relied = await this.#visit(node, { kind: 'directory' });
    this.#descent.leave();
    return relied;
  }

  async #visitContent({ size, extensions, name }: FileEntry, content: Extract<Content, { form: 'node' }>): Promise<Uint32Array> {
    const below = extensions.readError === undefined ? size : undefined;
    const relied = await this.#visit(content.node, { kind: 'content', height: content.height, below });
    if (content.packs.length > 0 && this.#options.isFirst) this.#expectListed(relied, content, name);
    return relied;
  }

  /** A file's entry lists the packs of its content: those who look only there must not miss one. */
  #expectListed(relied: Uint32Array, { node, packs }: Extract<Content, { form: 'node' }>, fileName: Uint8Array): void {
    const listed = new Set(packs.map((pack) => this.#ordinalOf(pack)));
    const missing = relied.filter((ordinal) => !listed.has(ordinal)).length;
    if (missing === 0) return;
    const message = `the entry of ${JSON.stringify(Buffer.from(fileName).toString())} lists ${packs.length} packs, but its content relies on ${missing} more`;
    this.#options.findings.add({ code: 'malformed', message, object: objectNames.pack(node.pack) });
  }

  async #visitExtents(extents: readonly Extent[], { relied, isNew }: Visit): Promise<void> {
    for (const extent of extents) {
      if (extent.kind !== 'data') continue;
      const ordinal = this.#ordinalOf(extent.pack, 'pack');
      relied.add(ordinal);
      if (!isNew || !this.#options.isCovered(extent.name, 0) || this.#options.chunks.has(extent.name, 0, ordinal)) continue;
      await this.#lookInPack(extent.name, extent.pack);
    }
  }

  /** The index does not say that the chunk is in its pack: another pack may be listed for it, or the table is damaged. The pack itself knows. */
  async #lookInPack(name: Uint8Array, pack: PackId): Promise<void> {
    const { packs, findings, hurt, packReader, mayOpenContent, chunks } = this.#options;
    const { storedSizeBytes, replacedBy } = packs.get(pack);
    if (storedSizeBytes === undefined && (replacedBy === undefined || replacedBy.some(({ ordinal }) => chunks.has(name, 0, ordinal))))
      return;
    if (!mayOpenContent) {
      this.unverified++;
      return;
    }
    try {
      locateChunk(await packReader.holder(name, pack, 'pack'), name);
    } catch (error) {
      if (!isDamage(error)) throw error;
      if (error.code !== 'chunk-missing') return hurt.pack(pack, findings.addError(error, { object: objectNames.pack(pack) }));
      hurt.chunks(pack, name, findings.addError(error));
    }
  }

  /** The node, if it can be opened and is what is expected; otherwise there is a finding. */
  async #open<Kind extends NodeKind>(
    reference: NodeReference,
    { expected, isNew }: { expected: Expected<Kind>; isNew: boolean },
  ): Promise<Extract<Node, { kind: Kind }> | undefined> {
    const { trees, findings, hurt, isFirst } = this.#options;
    try {
      const node = await trees.node(reference);
      nodeDropped();
      if (isNew && isFirst) {
        this.nodes++;
        expectNode(node, expected, reference);
      }
      return node as Extract<Node, { kind: Kind }>;
    } catch (error) {
      if (!isDamage(error)) throw error;
      if (isNew && isFirst)
        hurt.chunks(reference.pack, reference.name, findings.addError(error, { object: objectNames.pack(reference.pack) }));
      findings.complete = false;
      return undefined;
    }
  }

  /** A pack that is gone must have been replaced by packs that are there. */
  #expectReplaced({ id, replacedBy }: KnownPack, use: PackKind): void {
    const { findings, hurt } = this.#options;
    if (replacedBy === undefined) hurt.pack(id, findings.add(packMissing(id, 'snapshots rely on it')));
    for (const replacement of replacedBy ?? []) this.#ordinalOf(replacement.id, use);
  }

  /** The pack's number. Met for the first time, it must be in the store. */
  #ordinalOf(id: PackId, use?: 'pack' | 'metadata-pack'): number {
    const pack = this.#options.packs.get(id);
    if (use !== undefined && pack.usedAs === undefined) {
      pack.usedAs = use;
      if (pack.storedSizeBytes === undefined) this.#expectReplaced(pack, use);
    }
    return pack.ordinal;
  }
}

/** A name for a node in one of its packs: of a node's name, of which a map keeps 16 bytes, with the pack's number mixed in. */
function placeOf({ name }: NodeReference, ordinal: number): Uint8Array {
  const place = name.slice(0, 16);
  for (let byte = 0; byte < 4; byte++) place[12 + byte]! ^= ordinal >>> (8 * byte);
  return place;
}

function addAll(target: Set<number>, source: Uint32Array): void {
  for (const ordinal of source) target.add(ordinal);
}

/** Throws `malformed` unless a node is what its parent says. */
function expectNode(node: Node, expected: Expected, { pack }: NodeReference): void {
  const expect = (what: string, wanted: unknown, found: unknown) => {
    if (wanted === undefined || wanted === found) return;
    const object = objectNames.pack(pack);
    throw new LaganError('malformed', `a node in ${object}: ${what} is ${found}, its parent says ${wanted}`, {
      object,
      expected: wanted,
      found,
    });
  };
  expect('its kind', expected.kind, node.kind);
  expect('its height', expected.height, node.height);
  expect('what is below it', expected.below, below(node));
  if (expected.lastName !== undefined) expect('its last name', textOf(expected.lastName), textOf(lastName(node)));
  if (expected.afterName !== undefined && Buffer.compare(firstName(node), expected.afterName) <= 0)
    expect('its first name', `after ${textOf(expected.afterName)}`, textOf(firstName(node)));
  if (node.kind === 'pack-list') {
    const last = node.leaf ? node.items.at(-1) : node.items.at(-1)?.lastPack;
    expect('its last pack', expected.lastPack, last);
  }
}

/** Entries, bytes or packs below a node. */
function below(node: Node): number {
  let total = 0;
  if (node.kind === 'content') for (const item of node.items) total += 'length' in item ? item.length : item.bytesBelow;
  else if (node.leaf) total = node.items.length;
  else if (node.kind === 'directory') for (const { entriesBelow } of node.items) total += entriesBelow;
  else for (const { packsBelow } of node.items) total += packsBelow;
  return total;
}

function lastName(node: Node): Uint8Array {
  if (node.kind !== 'directory') return new Uint8Array(0);
  return node.leaf ? node.items.at(-1)!.name : node.items.at(-1)!.lastName;
}

function firstName(node: Node): Uint8Array {
  if (node.kind !== 'directory') return new Uint8Array(0);
  return node.leaf ? node.items[0]!.name : node.items[0]!.lastName;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
