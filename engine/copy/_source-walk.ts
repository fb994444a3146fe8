import type { Content, DirectoryEntry, Entry, FileEntry, NodeReference, PackId } from '../../repo-format/mod.ts';
import type { BackupSession } from '../backup/mod.ts';
import { Breather } from '../look/mod.ts';
import type { TreeReader } from '../trees/mod.ts';
import { DirectoryCursor } from './_directory-cursor.ts';
import { isSameContent } from './_same-content.ts';

/** A folder of the source of which the target has a copy. `same`: the very folder that is copied now, as far as an interrupted copy came. */
export interface CopiedFolder {
  readonly source: NodeReference | null | 'same';
  readonly target: NodeReference | null;
}

/** A content that the target has, and the packs that it relies on there. */
export interface StoredCopy {
  readonly content: Content;
  readonly packs: ReadonlySet<PackId>;
}

export type WalkStep =
  | { readonly type: 'enter'; readonly entry: DirectoryEntry; readonly path: Uint8Array }
  | { readonly type: 'leave' }
  | { readonly type: 'entry'; readonly entry: Entry; readonly path: Uint8Array }
  /** `copy`: what an earlier copy has, if it is the same. */
  | { readonly type: 'file'; readonly entry: FileEntry; readonly path: Uint8Array; readonly copy: StoredCopy | undefined };

export interface SourceWalkOptions {
  /** Reads trees of the source. */
  readonly reader: TreeReader;
  readonly session: BackupSession;
  readonly signal: AbortSignal | undefined;
}

interface Cursors {
  readonly source: DirectoryCursor | 'same';
  readonly target: DirectoryCursor;
}

/** Walks a tree of the source, depth first, names of a folder ascending, and beside it what earlier copies have at the same paths. */
export class SourceWalk {
  readonly #options: SourceWalkOptions;
  readonly #breather: Breather;

  constructor(options: SourceWalkOptions) {
    this.#options = options;
    this.#breather = new Breather(options.signal);
  }

  /** The steps of a folder without its own `enter` and `leave`. Codes: those of damaged trees, and interrupted. */
  steps(root: NodeReference | null, earlier: readonly CopiedFolder[]): AsyncGenerator<WalkStep> {
    return this.#folder(root, earlier, Buffer.from('/'));
  }

  async *#folder(node: NodeReference | null, earlier: readonly CopiedFolder[], place: Uint8Array): AsyncGenerator<WalkStep> {
    const cursors = earlier.map((copied) => this.#cursorsOf(copied));
    for await (const entries of this.#options.reader.entries(node)) {
      for (const entry of entries) {
        const waiting = this.#breather.breathe();
        if (waiting !== undefined) await waiting;
        yield* this.#entry(entry, cursors, place);
      }
    }
  }

  async *#entry(entry: Entry, cursors: readonly Cursors[], place: Uint8Array): AsyncGenerator<WalkStep> {
    const path = Buffer.concat([place, entry.name]);
    if (entry.type === 'directory') {
      yield { type: 'enter', entry, path };
      yield* this.#folder(entry.node, await foldersAt(cursors, entry), Buffer.concat([path, Buffer.from('/')]));
      yield { type: 'leave' };
    } else if (entry.type === 'file') yield { type: 'file', entry, path, copy: await this.#copyOf(entry, cursors) };
    else yield { type: 'entry', entry, path };
  }

  /** What an earlier copy has of the file, if it is the same content and all of it is still there. */
  async #copyOf(entry: FileEntry, cursors: readonly Cursors[]): Promise<StoredCopy | undefined> {
    const { reader, isAlive } = this.#options.session;
    for (const { source, target } of await entriesAt(cursors, entry)) {
      if (source.type !== 'file' || target.type !== 'file' || target.size !== entry.size) continue;
      if (!isSameContent(source.content, entry.content)) continue;
      const packs = await reader.contentPacks(target.content);
      if ([...packs].every(isAlive)) return { content: target.content, packs };
    }
    return undefined;
  }

  #cursorsOf({ source, target }: CopiedFolder): Cursors {
    const { reader, session } = this.#options;
    return {
      source: source === 'same' ? source : new DirectoryCursor(reader, source),
      target: new DirectoryCursor(session.reader, target),
    };
  }
}

interface CopiedEntry {
  readonly source: Entry;
  readonly target: Entry;
  readonly isSame: boolean;
}

/** The entries of the same name that earlier copies have. */
async function entriesAt(cursors: readonly Cursors[], entry: Entry): Promise<CopiedEntry[]> {
  const found: CopiedEntry[] = [];
  for (const cursor of cursors) {
    const target = await cursor.target.seek(entry.name);
    const source = cursor.source === 'same' ? entry : await cursor.source.seek(entry.name);
    if (source !== undefined && target !== undefined) found.push({ source, target, isSame: cursor.source === 'same' });
  }
  return found;
}

async function foldersAt(cursors: readonly Cursors[], entry: DirectoryEntry): Promise<CopiedFolder[]> {
  return (await entriesAt(cursors, entry)).flatMap(({ source, target, isSame }) =>
    source.type === 'directory' && target.type === 'directory' ? [{ source: isSame ? 'same' : source.node, target: target.node }] : [],
  );
}
