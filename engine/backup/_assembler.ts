import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual as isDeepEqual } from 'node:util';
import type { DirectoryEntry, Entry, FileEntry, NodeReference, PackId } from '../../repo-format/mod.ts';
import { objectDropped } from '../memory/mod.ts';
import { type NodeStore, recordingPacks, TreeBuilder } from '../trees/mod.ts';
import { fieldsWhenOpened } from './_entry-fields.ts';
import type { ReadFault } from './_files.ts';
import type { BackupLimits } from './_limits.ts';
import type { TokenQueue } from './_token-queue.ts';
import type { EntryFields, StoredContent, Token } from './_tokens.ts';

/** What the assembly has counted. */
export interface AssemblyCounts {
  files: number;
  directories: number;
  others: number;
  /** Bytes of all files, read or not. */
  bytes: number;
  unchangedFiles: number;
}

interface OpenDirectory {
  /** Undefined for the root. */
  readonly fields: EntryFields | undefined;
  readonly previous: DirectoryEntry | undefined;
  readonly previousNode: NodeReference | null | undefined;
  readonly builder: TreeBuilder;
  /** It only leads to what is backed up. */
  readonly above: boolean;
  /** Entries that wait for the first change; undefined after it. */
  held: Entry[] | undefined;
  /** Every entry so far is the parent snapshot's. */
  unchanged: boolean;
  files: number;
  bytes: number;
}

export interface AssemblerOptions {
  readonly nodes: NodeStore;
  readonly queue: TokenQueue<Token>;
  /** Root of the snapshot that is compared with: its nodes are used again where nothing changed. */
  readonly previousRoot: NodeReference | null | undefined;
  /** Called between tokens; what it returns is awaited. */
  readonly betweenTokens: () => Promise<void> | undefined;
  readonly onFault: (path: Uint8Array, fault: ReadFault) => void;
  readonly onFile: (size: number) => void;
  /** What is kept of an entry, if not all of it. */
  readonly asKept?: (entry: Entry) => Entry;
  readonly limits: BackupLimits;
}

/**
 * Makes trees of nodes from the tokens of the scan, in their order. A folder in which everything is as it was keeps its nodes; all others are built anew (and
 * nodes that are the same bytes are not stored again).
 */
export class Assembler {
  readonly counts: AssemblyCounts = { files: 0, directories: 0, others: 0, bytes: 0, unchangedFiles: 0 };
  /** Something that was to be backed up is not as the parent snapshot has it; the folders above it do not count. */
  changed = false;
  /** All packs that the snapshot relies on. */
  readonly packs = new Set<PackId>();
  readonly #options: AssemblerOptions;
  readonly #open: OpenDirectory[];
  #heldEntries = 0;

  constructor(options: AssemblerOptions) {
    this.#options = options;
    this.#open = [this.#newDirectory({ fields: undefined, previous: undefined, previousNode: options.previousRoot, above: true })];
  }

  /** Takes tokens until the scan ends. Returns the root node, null if nothing was backed up. */
  async run(): Promise<NodeReference | null> {
    const { queue, betweenTokens } = this.#options;
    for (;;) {
      const taken = queue.take();
      const token = taken instanceof Promise ? await taken : taken;
      if (token === undefined) break;
      const applied = this.#apply(token);
      if (applied !== undefined) await applied;
      objectDropped();
      const waiting = betweenTokens();
      if (waiting !== undefined) await waiting;
    }
    return this.#finish(this.#open[0]!, undefined);
  }

  /** The root node of all that is complete so far, and the packs that it relies on; the assembly goes on undisturbed. */
  async partialTree(): Promise<{ root: NodeReference | null; packs: Set<PackId> }> {
    const packs = new Set(this.packs);
    const nodes = recordingPacks(this.#options.nodes, packs);
    let below: DirectoryEntry | undefined;
    let root: NodeReference | null = null;
    for (const directory of this.#open.toReversed()) {
      const builder = directory.builder.clone(nodes);
      for (const entry of directory.held ?? []) await builder.addEntry(entry);
      if (below !== undefined) await builder.addEntry(below);
      root = (await builder.finish())?.node ?? null;
      if (directory.fields !== undefined)
        below = { ...directory.fields, type: 'directory', node: root, filesBelow: directory.files, bytesBelow: directory.bytes };
    }
    return { root, packs };
  }

  #apply(token: Token): Promise<void> | undefined {
    if (token.type === 'entry') return this.#addEntry(token.entry, token.unchanged);
    if (token.type === 'file') return this.#addFile(token);
    if (token.type === 'leave') return this.#leave(token.previousPacks);
    this.#open.push(this.#newDirectory(token));
    return undefined;
  }

  async #addFile({ fields, size, stored, path, previous }: Extract<Token, { type: 'file' }>): Promise<void> {
    const { content, outcome } = await this.#whenStored(stored, size);
    const { error, metadata, extras } = outcome;
    for (const fault of [...(error === undefined ? [] : [error]), ...(extras?.faults ?? [])]) this.#options.onFault(path, fault);
    if (error?.code === 'vanished' || error?.code === 'replaced') return;
    const opened = fieldsWhenOpened(fields, metadata, extras);
    const finalSize = error === undefined ? outcome.bytes : (metadata?.size ?? size);
    const entry: FileEntry = {
      ...opened,
      type: 'file',
      size: finalSize,
      content,
      extensions: error === undefined ? opened.extensions : { ...opened.extensions, readError: error },
    };
    const unchanged = error === undefined && previous !== undefined && isSameEntry(previous, entry);
    await this.#addEntry(unchanged ? previous : entry, unchanged);
  }

  /** A large file takes long: what is due between tokens is done meanwhile, too. */
  async #whenStored(stored: Promise<StoredContent>, size: number): Promise<StoredContent> {
    const { segmentSizeBytes, largeFilePollMs } = this.#options.limits;
    if (size <= 2 * segmentSizeBytes) return stored;
    for (;;) {
      const content = await Promise.race([stored, setTimeout(largeFilePollMs, undefined, { ref: false })]);
      if (content !== undefined) return content;
      await this.#options.betweenTokens();
    }
  }

  #addEntry(given: Entry, unchanged: boolean, isAbove = false): Promise<void> | undefined {
    const directory = this.#open.at(-1)!;
    const entry = this.#options.asKept?.(given) ?? given;
    if (directory.above && !isAbove && !unchanged) this.changed = true;
    this.#countEntry(directory, entry, unchanged);
    this.#relyOn(entry);
    if (directory.held === undefined) return directory.builder.addEntry(entry);
    directory.held.push(entry);
    this.#heldEntries++;
    directory.unchanged &&= unchanged;
    const { heldEntries, heldEntriesOfAll } = this.#options.limits;
    const mayHold = directory.unchanged && directory.held.length < heldEntries && this.#heldEntries < heldEntriesOfAll;
    return mayHold ? undefined : this.#releaseHeld(directory);
  }

  /** The folder has changed, or is large: from here on its nodes are built as entries come. */
  async #releaseHeld(directory: OpenDirectory): Promise<void> {
    const held = directory.held ?? [];
    directory.held = undefined;
    this.#heldEntries -= held.length;
    for (const entry of held) {
      const waiting = directory.builder.addEntry(entry);
      if (waiting !== undefined) await waiting;
    }
  }

  async #leave(previousPacks: readonly PackId[] | undefined): Promise<void> {
    const directory = this.#open.pop()!;
    const node = await this.#finish(directory, previousPacks);
    const { fields, previous } = directory;
    const unchanged = previous !== undefined && isSameNode(previous.node, node);
    const entry: DirectoryEntry = unchanged
      ? previous
      : { ...fields!, type: 'directory', node, filesBelow: directory.files, bytesBelow: directory.bytes };
    this.counts.directories++;
    await this.#addEntry(entry, unchanged, directory.above);
  }

  /** The root of the folder's nodes: the parent snapshot's, if all entries are its and its nodes are good. */
  async #finish(directory: OpenDirectory, previousPacks: readonly PackId[] | undefined): Promise<NodeReference | null> {
    const { previousNode, held, unchanged } = directory;
    if (held !== undefined && unchanged && previousPacks !== undefined && previousNode !== undefined) {
      this.#heldEntries -= held.length;
      for (const pack of previousPacks) this.packs.add(pack);
      return previousNode;
    }
    await this.#releaseHeld(directory);
    const root = await directory.builder.finish();
    return root?.node ?? null;
  }

  #countEntry(directory: OpenDirectory, entry: Entry, unchanged: boolean): void {
    if (entry.type === 'file') {
      this.counts.files++;
      this.counts.bytes += entry.size;
      if (unchanged) this.counts.unchangedFiles++;
      directory.files++;
      directory.bytes += entry.size;
      this.#options.onFile(entry.size);
    } else if (entry.type === 'directory') {
      directory.files += entry.filesBelow;
      directory.bytes += entry.bytesBelow;
    } else this.counts.others++;
  }

  #relyOn(entry: Entry): void {
    if (entry.type === 'directory') {
      if (entry.node !== null) this.packs.add(entry.node.pack);
    } else if (entry.type === 'file') {
      const { content } = entry;
      if (content.form === 'inline') {
        for (const extent of content.extents) if (extent.kind === 'data') this.packs.add(extent.pack);
      } else if (content.form === 'node') {
        this.packs.add(content.node.pack);
        for (const pack of content.packs) this.packs.add(pack);
      }
    }
  }

  #newDirectory({
    fields,
    previous,
    previousNode,
    above,
  }: Pick<OpenDirectory, 'fields' | 'previous' | 'previousNode' | 'above'>): OpenDirectory {
    const builder = new TreeBuilder(recordingPacks(this.#options.nodes, this.packs), 'directory');
    return { fields, previous, previousNode, above, builder, held: [], unchanged: true, files: 0, bytes: 0 };
  }
}

function isSameNode(a: NodeReference | null, b: NodeReference | null): boolean {
  if (a === null || b === null) return a === b;
  return a.pack === b.pack && Buffer.compare(a.name, b.name) === 0;
}

/** Whether a file that was read again is what the parent snapshot has: it then keeps the parent's entry (the time of the last access aside). */
function isSameEntry(previous: FileEntry, entry: FileEntry): boolean {
  if (previous.size !== entry.size || previous.content.form !== entry.content.form) return false;
  const [a, b] = [withoutAccessTime(previous), withoutAccessTime(entry)];
  return isDeepEqual(a, b);
}

function withoutAccessTime(entry: FileEntry): FileEntry {
  const { accessTime: _, ...extensions } = entry.extensions;
  return { ...entry, extensions };
}
