import type { DirectoryEntry, Entry, NodeReference, PackId } from '../../repo-format/mod.ts';
import { noExtensions } from '../../repo-format/mod.ts';
import { type NodeStore, recordingPacks, TreeBuilder } from '../trees/mod.ts';
import type { AssemblyCounts } from './_assembler.ts';
import type { ReadFault } from './_files.ts';

/** An entry as it waits for its place in the tree: a folder has no nodes yet. */
export type PlacedEntry = Exclude<Entry, DirectoryEntry> | Omit<DirectoryEntry, 'node' | 'filesBelow' | 'bytesBelow'>;

interface OpenFolder {
  /** Undefined for the root. */
  readonly entry: Extract<PlacedEntry, { type: 'directory' }> | undefined;
  readonly builder: TreeBuilder;
  files: number;
  bytes: number;
}

/** Makes the tree of a snapshot of entries that come in its order: depth first, names of a folder ascending. */
export class EntryTree {
  readonly counts: AssemblyCounts = { files: 0, directories: 0, others: 0, bytes: 0, unchangedFiles: 0 };
  readonly #nodes: Pick<NodeStore, 'put'>;
  readonly #onFault: (path: Uint8Array, fault: ReadFault) => void;
  readonly #open: OpenFolder[] = [];
  readonly #names: Uint8Array[] = [];
  /** The entry before, if it was no folder: nothing can be below it. */
  #leaf: readonly Uint8Array[] | undefined;

  /** `packs` gets all packs of the tree's nodes. */
  constructor(nodes: NodeStore, packs: Set<PackId>, onFault: (path: Uint8Array, fault: ReadFault) => void) {
    this.#nodes = recordingPacks(nodes, packs);
    this.#onFault = onFault;
    this.#open.push(this.#folder(undefined));
  }

  /** `names`: from the top, the entry's own is the last. Folders on the way that nobody told of are made up. */
  async add(names: readonly Uint8Array[], entry: PlacedEntry): Promise<void> {
    if (this.#leaf !== undefined && startsWith(names, this.#leaf)) {
      const path = Buffer.concat(names.flatMap((name) => [Buffer.from('/'), name]));
      this.#onFault(path, { code: 'ENOTDIR', message: 'lies below something that is no folder, and is left out' });
      return;
    }
    this.#leaf = undefined;
    while (!startsWith(names.slice(0, -1), this.#names)) await this.#leave();
    for (const name of names.slice(this.#names.length, -1)) this.#enter(madeUpFolder(name));
    if (entry.type === 'directory') return this.#enter(entry);
    this.#leaf = names;
    await this.#addLeaf(entry);
  }

  /** Returns the root node; null if there was no entry. */
  async finish(): Promise<NodeReference | null> {
    while (this.#names.length > 0) await this.#leave();
    return (await this.#open[0]!.builder.finish())?.node ?? null;
  }

  async #addLeaf(entry: Exclude<Entry, DirectoryEntry>): Promise<void> {
    const folder = this.#open.at(-1)!;
    if (entry.type === 'file') {
      this.counts.files++;
      this.counts.bytes += entry.size;
      folder.files++;
      folder.bytes += entry.size;
    } else this.counts.others++;
    await folder.builder.addEntry(entry);
  }

  #enter(entry: Extract<PlacedEntry, { type: 'directory' }>): void {
    this.#names.push(entry.name);
    this.#open.push(this.#folder(entry));
  }

  async #leave(): Promise<void> {
    this.#names.pop();
    const { entry, builder, files, bytes } = this.#open.pop()!;
    const above = this.#open.at(-1)!;
    this.counts.directories++;
    above.files += files;
    above.bytes += bytes;
    const node = (await builder.finish())?.node ?? null;
    await above.builder.addEntry({ ...entry!, node, filesBelow: files, bytesBelow: bytes });
  }

  #folder(entry: OpenFolder['entry']): OpenFolder {
    return { entry, builder: new TreeBuilder(this.#nodes, 'directory'), files: 0, bytes: 0 };
  }
}

function madeUpFolder(name: Uint8Array): Extract<PlacedEntry, { type: 'directory' }> {
  const never = { seconds: 0, nanoseconds: 0 };
  const owner = { uid: 0, gid: 0, userName: '', groupName: '' };
  return { ...owner, name, type: 'directory', mode: 0o755, mtime: never, ctime: never, inode: 0, extensions: noExtensions };
}

function startsWith(names: readonly Uint8Array[], start: readonly Uint8Array[]): boolean {
  return names.length >= start.length && start.every((name, index) => Buffer.compare(name, names[index]!) === 0);
}
