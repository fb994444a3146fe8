/**
 * Copies the tree of a snapshot so that nothing in it relies on a damaged pack: what other packs have is referred to there, what is lost is left out and said. In the place of bytes that are
 * lost a file has a hole of the same length, so that all others stay where they were, and its entry has a read error (spec/node.md, ENTRY-8); so has a folder that lost entries.
 */
import {
  type Content,
  type DirectoryEntry,
  type Entry,
  type Extent,
  expectChild,
  type FileEntry,
  isLaganError,
  type Node,
  type NodeKind,
  type NodeReference,
  objectNames,
  type PackId,
} from '../../repo-format/mod.ts';
import type { BackupSession } from '../backup/mod.ts';
import { isDamage } from '../packs/mod.ts';
import { Descent, recordingPacks, TreeBuilder } from '../trees/mod.ts';
import { repairLimits } from './_limits.ts';
import type { Loss } from './result.ts';

type NodeOf<Kind extends NodeKind> = Extract<Node, { kind: Kind }>;

interface CopiedFolder {
  readonly node: NodeReference | null;
  readonly files: number;
  readonly bytes: number;
  readonly lostEntries: number;
}

/** What is known to be damaged. */
export interface TreeDamage {
  readonly packs: ReadonlySet<PackId>;
  /** Whether a chunk cannot be read in that pack. */
  isHurt(pack: PackId, name: Uint8Array): boolean;
}

/** A folder that is being copied. */
interface OpenFolder {
  readonly builder: TreeBuilder;
  /** Absolute, without a `/` at its end; empty for the root. */
  readonly path: Buffer;
  files: number;
  bytes: number;
  lostEntries: number;
}

/** The content of a file that is being copied. */
interface OpenContent {
  readonly target: ReturnType<BackupSession['dispatcher']['newContent']>;
  lostBytes: number;
}

const root = Buffer.alloc(0);

export class TreeRepair {
  /** All packs that the copy relies on. */
  readonly packs = new Set<PackId>();
  readonly counts = { files: 0, directories: 0, others: 0, bytes: 0 };
  /** The first of all losses. */
  readonly losses: Loss[] = [];
  lossCount = 0;
  lostBytes = 0;
  /** Whether something could not be read where the original says that it is. */
  isHurt = false;
  readonly #session: BackupSession;
  readonly #damage: TreeDamage;
  readonly #breathe: () => Promise<void> | undefined;
  #descent = new Descent(null);

  constructor(session: BackupSession, { damage, breathe }: { damage: TreeDamage; breathe: () => Promise<void> | undefined }) {
    this.#session = session;
    this.#damage = damage;
    this.#breathe = breathe;
  }

  /** Returns the root node of the copy; null if nothing is left. */
  async copy(tree: NodeReference): Promise<NodeReference | null> {
    this.#descent = new Descent(tree);
    return (await this.#copyFolder(tree, root)).node;
  }

  async #copyFolder(reference: NodeReference, path: Buffer): Promise<CopiedFolder> {
    const builder = new TreeBuilder(recordingPacks(this.#session.nodes, this.packs), 'directory');
    const folder: OpenFolder = { builder, path, files: 0, bytes: 0, lostEntries: 0 };
    const node = await this.#node(reference, 'directory');
    if (node === undefined) this.#lose(path, { message: 'all entries of the folder are lost' });
    else await this.#copyItems(node, folder);
    const { files, bytes, lostEntries } = folder;
    return { node: (await builder.finish())?.node ?? null, files, bytes, lostEntries: node === undefined ? 1 : lostEntries };
  }

  async #copyItems(node: NodeOf<'directory'>, folder: OpenFolder): Promise<void> {
    if (node.leaf) {
      for (const entry of node.items) await this.#copyInto(folder, entry);
      return;
    }
    for (const [index, { node: reference, entriesBelow, lastName }] of node.items.entries()) {
      const child = await this.#childOf(node, { index, reference });
      if (child !== undefined) await this.#copyItems(child, folder);
      else {
        folder.lostEntries += entriesBelow;
        const message = `${entriesBelow} entries of the folder are lost, the last of them ${JSON.stringify(Buffer.from(lastName).toString())}`;
        this.#lose(folder.path, { message, lostEntries: entriesBelow });
      }
    }
  }

  async #copyInto(folder: OpenFolder, entry: Entry): Promise<void> {
    const waiting = this.#breathe();
    if (waiting !== undefined) await waiting;
    const copied = await this.#copyEntry(entry, Buffer.concat([folder.path, Buffer.from('/'), entry.name]));
    if (copied.type === 'file') [folder.files, folder.bytes] = [folder.files + 1, folder.bytes + copied.size];
    else if (copied.type === 'directory')
      [folder.files, folder.bytes] = [folder.files + copied.filesBelow, folder.bytes + copied.bytesBelow];
    await folder.builder.addEntry(copied);
  }

  async #copyEntry(entry: Entry, path: Buffer): Promise<Entry> {
    if (entry.type === 'directory') return this.#copyDirectory(entry, path);
    if (entry.type === 'file') return this.#copyFile(entry, path);
    this.counts.others++;
    return entry;
  }

  async #copyDirectory(entry: DirectoryEntry, path: Buffer): Promise<DirectoryEntry> {
    this.counts.directories++;
    if (entry.node === null) return entry;
    if (!this.#enters(entry, path))
      return withReadError({ ...entry, node: null, filesBelow: 0, bytesBelow: 0 }, 'the folder leads into itself');
    const { node, files, bytes, lostEntries } = await this.#copyFolder(entry.node, path);
    this.#descent.leave();
    const copied = { ...entry, node, filesBelow: files, bytesBelow: bytes };
    return lostEntries === 0 ? copied : withReadError(copied, 'entries of the folder were lost in the repository');
  }

  /** False for a folder that leads into itself, or too deep. */
  #enters(entry: DirectoryEntry, path: Buffer): boolean {
    try {
      this.#descent.enter(entry);
      return true;
    } catch (error) {
      undefinedIfLost(error);
      this.#lose(path, { message: 'the folder leads into itself, or too deep' });
      return false;
    }
  }

  async #copyFile(entry: FileEntry, path: Buffer): Promise<FileEntry> {
    this.counts.files++;
    this.counts.bytes += entry.size;
    const { content } = entry;
    if (content.form === 'none' || this.#keep(content)) return entry;
    const open: OpenContent = { target: this.#session.dispatcher.newContent(), lostBytes: 0 };
    if (content.form === 'inline') await this.#copyExtents(content.extents, open);
    else await this.#copyContentNode(content.node, { length: entry.size, height: content.height, open });
    const copied = { ...entry, content: await open.target.finish() };
    for (const pack of open.target.packs) this.packs.add(pack);
    const { lostBytes } = open;
    if (lostBytes === 0) return copied;
    const message = `${lostBytes} of ${entry.size} bytes were lost in the repository: zeros are in their place`;
    this.#lose(path, { message, lostBytes });
    return withReadError(copied, message);
  }

  /** Whether the content relies on good packs alone: they are noted then, and it stays as it is. */
  #keep(content: Exclude<Content, { form: 'none' }>): boolean {
    const listed =
      content.form === 'inline'
        ? content.extents.flatMap((extent) => (extent.kind === 'data' ? [extent.pack] : []))
        : [content.node.pack, ...content.packs];
    const isListed = content.form === 'inline' || content.packs.length > 0;
    if (!isListed || !listed.every((pack) => this.#isGood(pack))) return false;
    for (const pack of listed) this.packs.add(pack);
    return true;
  }

  async #copyExtents(extents: readonly Extent[], open: OpenContent): Promise<void> {
    const copied: Extent[] = [];
    for (const extent of extents) {
      const pack = extent.kind === 'data' ? await this.#packOf(extent.name, extent.pack) : undefined;
      if (extent.kind !== 'data') copied.push(extent);
      else if (pack !== undefined) copied.push({ ...extent, pack });
      else {
        copied.push({ kind: 'hole', length: extent.length });
        open.lostBytes += extent.length;
      }
    }
    await open.target.add(copied);
  }

  /** `length`: of all that is below the node. */
  async #copyContentNode(
    reference: NodeReference,
    { length, height, open }: { length: number; height: number; open: OpenContent },
  ): Promise<void> {
    const waiting = this.#breathe();
    if (waiting !== undefined) await waiting;
    const node = await this.#node(reference, 'content');
    if (node?.height !== height) {
      open.lostBytes += length;
      if (length > 0) await open.target.add([{ kind: 'hole', length }]);
    } else if (node.leaf) await this.#copyExtents(node.items, open);
    else for (const item of node.items) await this.#copyContentNode(item.node, { length: item.bytesBelow, height: node.height - 1, open });
  }

  async #childOf(
    parent: Extract<NodeOf<'directory'>, { leaf: false }>,
    { index, reference }: { index: number; reference: NodeReference },
  ): Promise<NodeOf<'directory'> | undefined> {
    const child = await this.#node(reference, 'directory');
    if (child === undefined) return undefined;
    try {
      expectChild(parent, index, child, objectNames.pack(reference.pack));
      return child;
    } catch (error) {
      return undefinedIfLost(error);
    }
  }

  /** Undefined if the node is lost, or another one than it should be. */
  async #node<Kind extends NodeKind>({ name, pack }: NodeReference, kind: Kind): Promise<NodeOf<Kind> | undefined> {
    const place = await this.#packOf(name, pack);
    if (place === undefined) return undefined;
    try {
      const node = await this.#session.reader.node({ name, pack: place });
      return node.kind === kind ? (node as NodeOf<Kind>) : undefined;
    } catch (error) {
      return undefinedIfLost(error);
    }
  }

  /** A good pack that has the chunk; failing that, the damaged one that has it still. */
  async #packOf(name: Uint8Array, pack: PackId): Promise<PackId | undefined> {
    if (this.#isGood(pack)) return pack;
    const other = await this.#session.packOf(name);
    const isHere = this.#damage.packs.has(pack) && !this.#damage.isHurt(pack, name);
    if (!isHere && this.#damage.packs.has(pack)) this.isHurt = true;
    return other ?? (isHere ? pack : undefined);
  }

  #isGood(pack: PackId): boolean {
    return !this.#damage.packs.has(pack) && this.#session.isAlive(pack);
  }

  #lose(path: Buffer, { message, lostBytes = 0, lostEntries = 0 }: { message: string; lostBytes?: number; lostEntries?: number }): void {
    this.isHurt = true;
    this.lossCount++;
    this.lostBytes += lostBytes;
    const shown = path.length === 0 ? Buffer.from('/') : path;
    if (this.losses.length < repairLimits.listedLosses) this.losses.push({ path: shown, message, lostBytes, lostEntries });
  }
}

function withReadError<Kind extends Entry>(entry: Kind, message: string): Kind {
  return { ...entry, extensions: { ...entry.extensions, readError: { code: 'chunk-missing', message } } };
}

/** Errors that are not damage, such as of a store that does not answer, are thrown. */
function undefinedIfLost(error: unknown): undefined {
  if (isDamage(error) || isLaganError(error, 'io')) return undefined;
  throw error;
}
