/** Copies one snapshot: a session of the target in which its tree is built anew from the source's. */
import {
  type Content,
  type FileEntry,
  idToBytes,
  type NodeReference,
  type PackId,
  type SessionId,
  type Snapshot,
} from '../../repo-format/mod.ts';
import { Assembler, BackupSession, backupLimits, isPassed, type Token, TokenQueue, WantedNames } from '../backup/mod.ts';
import { movedChunks } from '../index/mod.ts';
import { PackReader } from '../packs/mod.ts';
import { program } from '../program/mod.ts';
import {
  commitSnapshot,
  copiedExtension,
  listCheckpoints,
  type Repository,
  type SnapshotInfo,
  withoutCopied,
  writeCheckpoint,
} from '../repository/mod.ts';
import { TreeReader } from '../trees/mod.ts';
import type { Contents } from './_contents.ts';
import { CopiedChunks } from './_copied-chunks.ts';
import type { KnownCopies } from './_known-copies.ts';
import { copyLimits } from './_limits.ts';
import type { ProgressReporter } from './_progress.ts';
import { RecutFiles } from './_recut-files.ts';
import { type CopiedFolder, SourceWalk } from './_source-walk.ts';
import { untilAborted } from './_until-aborted.ts';
import type { CopyOptions, CopyResult } from './options.ts';

/** What all snapshots of one call are copied with. */
export interface CopyParts {
  readonly source: Repository;
  readonly target: Repository;
  readonly method: CopyResult['method'];
  readonly known: KnownCopies;
  readonly progress: ProgressReporter;
  readonly options: CopyOptions;
}

export interface StoredCopyOf {
  readonly info: SnapshotInfo;
  readonly newBytes: number;
  readonly newChunks: number;
  readonly storedBytes: number;
}

/** A session of this copy that the collector has passed, and the tree of its last checkpoint. */
interface Predecessor {
  readonly id: SessionId;
  readonly tree: NodeReference | null | undefined;
}

/**
 * Begins anew when the collector passes the session meanwhile. Codes: those of damage in the source, of the stores, and interrupted.
 */
export async function copySnapshot(parts: CopyParts, info: SnapshotInfo): Promise<StoredCopyOf> {
  const { source, target, options, method } = parts;
  const { compression = 'auto', workers, limits, signal } = options;
  for (const predecessors: Predecessor[] = []; ; ) {
    const wanted = method === 'blocks' ? new WantedNames({ names: aboutHowManyChunks(info) }) : undefined;
    const begin = { workers, compression, dryRun: false, limits, signal, source: { repository: source, wanted } };
    const session = await BackupSession.begin(target, begin);
    const copy = new SnapshotCopy(parts, { info, session, wanted, predecessors });
    try {
      return await copy.run();
    } catch (error) {
      if (predecessors.length >= session.limits.sessions || !(await isPassed(target, session, { error, signal }))) throw error;
      predecessors.push({ id: session.session.id, tree: copy.reached });
    } finally {
      await session.end();
    }
  }
}

interface CopyTask {
  readonly info: SnapshotInfo;
  readonly session: BackupSession;
  /** To be filled with the chunks that are needed; undefined where files are cut anew. */
  readonly wanted: WantedNames | undefined;
  readonly predecessors: readonly Predecessor[];
}

class SnapshotCopy {
  /** The tree of the last checkpoint; undefined before the first. */
  reached: NodeReference | null | undefined;
  readonly #parts: CopyParts;
  readonly #task: CopyTask;
  readonly #reader: TreeReader;
  readonly #walk: SourceWalk;
  readonly #contents: Contents;

  constructor(parts: CopyParts, task: CopyTask) {
    const { storage, keys } = parts.source;
    const { session } = task;
    this.#parts = parts;
    this.#task = task;
    this.#reader = new TreeReader(new PackReader({ storage, keys, moved: movedChunks(parts.source) }));
    this.#walk = new SourceWalk({ reader: this.#reader, session, signal: parts.options.signal });
    const Kind = parts.method === 'blocks' ? CopiedChunks : RecutFiles;
    this.#contents = new Kind(session.copies, this.#reader, { ...copyLimits, ...parts.options.limits });
  }

  async run(): Promise<StoredCopyOf> {
    const { target, progress, options } = this.#parts;
    const { info, session } = this.#task;
    const { signal } = options;
    const parent = this.#parts.known.nearest(info);
    const { folders, continues } = await this.#earlierCopies(parent);
    progress.begin(info.snapshot.statistics);
    await this.#findWanted(folders);
    const snapshotOf = (more: Partial<Snapshot>) => this.#snapshot({ parent: parent?.target.id ?? null, continues, ...more });
    const { tree, packs } = await this.#copyTree(folders, snapshotOf);
    const stored = tree === null ? { tree, packs: null, listPacks: [] } : await untilAborted(signal, session.finish(tree, packs));
    const snapshot = { ...snapshotOf({}), ...stored };
    const committed = await commitSnapshot(target, { session: session.session, snapshot, signal });
    const { newBytes, newChunks } = session.dispatcher.counts;
    return { info: committed, newBytes, newChunks, storedBytes: session.storedBytes };
  }

  /** Trees of the target that have parts of this one: what this copy, or one that was interrupted, has stored; the nearest snapshot. */
  async #earlierCopies(parent: ReturnType<KnownCopies['nearest']>): Promise<{ folders: CopiedFolder[]; continues: SessionId[] }> {
    const { target, options } = this.#parts;
    const { predecessors, info } = this.#task;
    const own = predecessors.map(({ id }) => id);
    const reading = { signal: options.signal, onDamage: () => undefined };
    const label = this.#label;
    const unfinished = (await listCheckpoints(target, reading)).filter(
      ({ id, snapshot }) => snapshot.source === label && !own.includes(id),
    );
    const furthest = unfinished
      .toSorted((a, b) => b.snapshot.statistics.bytes - a.snapshot.statistics.bytes)
      .slice(0, backupLimits.comparedCheckpoints);
    const ownTrees = predecessors.flatMap(({ tree }) => (tree === undefined ? [] : [tree])).slice(-1);
    const partial = [...ownTrees, ...furthest.map(({ snapshot }) => snapshot.tree)];
    const folders: CopiedFolder[] = partial.map((tree) => ({ source: 'same', target: tree }));
    if (parent !== undefined && parent.source.id !== info.id)
      folders.push({ source: parent.source.snapshot.tree, target: parent.target.snapshot.tree });
    return { folders, continues: [...own, ...unfinished.map(({ id }) => id)] };
  }

  /** The names of all chunks that are to be copied: a worker that meets a block then knows what of it is needed. */
  async #findWanted(folders: readonly CopiedFolder[]): Promise<void> {
    const { wanted, info } = this.#task;
    if (wanted === undefined) return;
    for await (const step of this.#walk.steps(info.snapshot.tree, folders)) {
      if (step.type !== 'file' || step.copy !== undefined) continue;
      for await (const extents of this.#reader.extents(step.entry.content))
        for (const extent of extents) if (extent.kind === 'data') wanted.add(extent.name, 0);
    }
  }

  /** Walks the source and builds the tree beside it. When this resolves or rejects, both have ended. */
  async #copyTree(
    folders: readonly CopiedFolder[],
    snapshotOf: (more: Partial<Snapshot>) => Snapshot,
  ): Promise<{ tree: NodeReference | null; packs: ReadonlySet<PackId> }> {
    const { session } = this.#task;
    const { progress, options } = this.#parts;
    const queue = new TokenQueue<Token>(copyLimits.waitingTokens);
    const assembler = new Assembler({
      nodes: session.nodes,
      queue,
      previousRoot: undefined,
      betweenTokens: () => this.#betweenTokens(assembler, snapshotOf),
      onFault: () => undefined,
      onFile: (size) => progress.fileDone(size),
      limits: session.limits,
    });
    const walking = this.#giveTokens(folders, { queue, packs: assembler.packs }).catch((error: unknown) => queue.end({ error }));
    const assembling = assembler.run();
    try {
      const tree = await untilAborted(options.signal, assembling);
      await walking;
      return { tree, packs: assembler.packs };
    } catch (error) {
      queue.abandon();
      await session.end();
      throw error;
    } finally {
      await Promise.allSettled([walking, assembling]);
    }
  }

  async #giveTokens(folders: readonly CopiedFolder[], { queue, packs }: { queue: TokenQueue<Token>; packs: Set<PackId> }): Promise<void> {
    const push = async (token: Token): Promise<void> => {
      const waiting = queue.push(token);
      if (waiting === undefined) return;
      // Whoever empties the queue may wait for a content that has not been given yet.
      await this.#contents.flush();
      await waiting;
    };
    for await (const step of this.#walk.steps(this.#task.info.snapshot.tree, folders)) {
      if (step.type === 'leave') await push({ type: 'leave', previousPacks: undefined });
      else {
        this.#parts.progress.currentPath = step.path as Uint8Array<ArrayBuffer>;
        if (step.type === 'enter')
          await push({ type: 'enter', fields: step.entry, previous: undefined, previousNode: undefined, above: false });
        else if (step.type === 'entry') await push({ type: 'entry', entry: step.entry, unchanged: false });
        else if (step.copy === undefined) await this.#giveFile(step.entry, step.path, push);
        else {
          for (const pack of step.copy.packs) packs.add(pack);
          await push({ type: 'entry', entry: { ...step.entry, content: step.copy.content }, unchanged: false });
        }
      }
    }
    await this.#contents.flush();
    queue.end();
  }

  async #giveFile(file: FileEntry, path: Uint8Array, push: (token: Token) => Promise<void>): Promise<void> {
    const { stored, given } = this.#contents.store(file);
    const outcome = { start: 0, extents: 0, bytes: file.size, metadata: undefined, extras: undefined, error: undefined };
    const known = stored.then((content: Content) => ({ content, outcome }));
    known.catch(() => undefined); // The assembler is told.
    given?.catch(() => undefined);
    await push({ type: 'file', fields: file, size: file.size, stored: known, path, previous: undefined });
    await given;
  }

  #betweenTokens(assembler: Assembler, snapshotOf: (more: Partial<Snapshot>) => Snapshot): Promise<void> | undefined {
    const { progress } = this.#parts;
    const { session } = this.#task;
    progress.newBytes = session.dispatcher.counts.newBytes;
    progress.storedBytes = session.storedBytes;
    return session.checkpointIsDue ? this.#checkpoint(assembler, snapshotOf) : undefined;
  }

  /** Hidden, and of a source of its own: a backup of the same folder does not take it for one of its own. */
  async #checkpoint(assembler: Assembler, snapshotOf: (more: Partial<Snapshot>) => Snapshot): Promise<void> {
    const { session } = this.#task;
    const { number, ...stored } = await session.checkpoint(() => assembler.partialTree());
    this.reached = stored.tree;
    const { files, directories, others, bytes } = assembler.counts;
    const statistics = { ...this.#statistics(), files, directories, others, bytes };
    const snapshot = snapshotOf({ ...stored, statistics, partial: true, source: this.#label });
    await writeCheckpoint(this.#parts.target, { session: session.session, number, snapshot, signal: this.#parts.options.signal });
  }

  get #label(): string {
    return `copy of ${this.#parts.source.id}/${this.#task.info.id}`;
  }

  #snapshot({ continues, ...more }: Partial<Snapshot> & { readonly continues: readonly SessionId[] }): Snapshot {
    const { info, session } = this.#task;
    const { snapshot: original, tags, description } = info;
    const { continues: _, ...extensions } = withoutCopied(original.extensions);
    return {
      ...original,
      session: session.session.id,
      generation: session.session.generation,
      program,
      tags,
      description,
      tree: null,
      packs: null,
      listPacks: [],
      statistics: this.#statistics(),
      extensions: {
        ...extensions,
        ...copiedExtension(this.#parts.known.placesOf(info)),
        ...(continues.length > 0 && { continues: continues.map(idToBytes) }),
      },
      ...more,
    };
  }

  #statistics(): Snapshot['statistics'] {
    const { info, session } = this.#task;
    const { chunks, newChunks, newBytes } = session.dispatcher.counts;
    return { ...info.snapshot.statistics, chunks, newChunks, newBytes, storedBytes: session.storedBytes };
  }
}

/** More rather than fewer. */
function aboutHowManyChunks({ snapshot }: SnapshotInfo): number {
  const { files, bytes } = snapshot.statistics;
  return files + Math.ceil(bytes / copyLimits.leastChunkBytes);
}
