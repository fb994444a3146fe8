import { setImmediate } from 'node:timers/promises';
import {
  type DirectoryEntry,
  type Entry,
  type FileEntry,
  isLaganError,
  type LaganError,
  type NodeReference,
} from '../../repo-format/mod.ts';
import { objectDropped } from '../memory/mod.ts';
import { Descent, type TreeReader } from '../trees/mod.ts';
import { Deletion } from './_deletion.ts';
import type { DirectoryLeaf, DirectoryLeaves } from './_directory-leaves.ts';
import { Dispatcher, type LeafPlace, type RestorePool } from './_dispatcher.ts';
import { EntryRestorer, type LeafEntry } from './_entry-restorer.ts';
import { JobReport } from './_job-report.ts';
import { restoreLimits } from './_limits.ts';
import { LinkGroups } from './_link-groups.ts';
import type { JobResult, RestoreRules } from './_messages.ts';
import type { RestoreReport } from './_report.ts';
import { isSegmented, SegmentedContent } from './_segmented-content.ts';
import { type FolderSelection, type Selection, sortedNames } from './_selection.ts';
import { endsRestore } from './_target-errors.ts';
import { TargetFolder, TargetFolders } from './_target-folders.ts';

export interface WalkOptions {
  readonly purpose: 'restore' | 'verify';
  readonly target: string | Uint8Array;
  /** Path in the snapshot, relative to `/`, of what becomes the target. */
  readonly from: Uint8Array;
  /** The folder that the target is to be like; undefined: the snapshot says nothing of it. */
  readonly top: DirectoryEntry | undefined;
  readonly tree: NodeReference | null;
  readonly selection: Selection;
  /** Paths relative to `/`: folders at or below them were backed up whole. */
  readonly wholePaths: readonly Uint8Array[];
  readonly rules: RestoreRules;
  readonly leaves: DirectoryLeaves;
  readonly trees: TreeReader;
  readonly pool: RestorePool;
  readonly report: RestoreReport;
  readonly signal: AbortSignal | undefined;
}

/** Some entries of a leaf: all of them, or one that was asked for. */
interface Stretch {
  readonly leaf: DirectoryLeaf;
  readonly end: number;
  index: number;
}

interface Frame {
  readonly folder: TargetFolder;
  readonly stretches: AsyncGenerator<Stretch>;
  stretch: Stretch | undefined;
  readonly taken: FolderSelection;
  /** At or below a path that was backed up. */
  readonly isWhole: boolean;
  deletion: Deletion | undefined;
}

/**
 * Walks the tree of a snapshot depth first, in its order: makes folders, gives everything else to the workers, links names of the same file. Memory does not grow with
 * the number of entries (but with that of hard links whose other names are still to come): one leaf for each level, and what is under way.
 */
export class RestoreWalk {
  /** Paths that were asked for and found. */
  foundPaths = 0;
  readonly #options: WalkOptions;
  readonly #folders: TargetFolders;
  readonly #dispatcher: Dispatcher;
  readonly #links: LinkGroups;
  readonly #frames: Frame[] = [];
  readonly #descent: Descent;
  readonly #segmented = new Set<Promise<void>>();
  #sliceEnd = performance.now() + restoreLimits.walkSliceMs;

  constructor(options: WalkOptions) {
    this.#options = options;
    this.#descent = new Descent(options.tree);
    const { purpose, rules, report, pool } = options;
    const root = new TargetFolder({
      parent: undefined,
      name: new Uint8Array(0),
      entry: options.top,
      isAbove: options.selection.top.names !== undefined,
    });
    const pathOf = (folder: TargetFolder, name?: Uint8Array) => this.#pathOf(folder, name);
    this.#folders = new TargetFolders(root, {
      rules,
      report,
      pathOf,
      purpose: purpose === 'verify' ? 'verify' : rules.dryRun ? 'look' : 'restore',
    });
    this.#dispatcher = new Dispatcher({
      pool,
      folders: this.#folders,
      type: purpose,
      onResult: (result, folders) => this.#onResult(result, folders),
    });
    this.#links = new LinkGroups({
      folders: this.#folders,
      rules,
      report,
      pathOf,
      restore: ({ entry, ...place }) => this.#restoreNow(place, entry),
    });
  }

  /** Resolves when all is restored; {@link close} is still needed. */
  async run(): Promise<void> {
    const { selection, tree, from, report } = this.#options;
    report.currentPath = () => (this.#frames.length === 0 ? Buffer.from('/') : this.#pathOf(this.#frames.at(-1)!.folder));
    this.#folders.openRoot(this.#options.target);
    this.#frames.push(this.#frameOf(this.#folders.root, { node: tree, taken: selection.top, isWhole: this.#isWhole(from) }));
    while (this.#frames.length > 0) {
      await this.#step(this.#frames.at(-1)!);
      if (performance.now() > this.#sliceEnd) await this.#breathe();
    }
    await this.#dispatcher.drain();
    this.#links.finish();
  }

  /** Closes everything; to be called after the workers have stopped. */
  async close(): Promise<void> {
    await this.#dispatcher.settled();
    for (const { deletion } of this.#frames) deletion?.close();
    this.#folders.close();
  }

  /** All entries of a stretch of a leaf, or the way down, or the way up. */
  async #step(frame: Frame): Promise<void> {
    const { stretch } = frame;
    if (stretch === undefined || stretch.index >= stretch.end) {
      await this.#nextStretch(frame);
      return;
    }
    while (stretch.index < stretch.end) {
      const entry = stretch.leaf.items[stretch.index++]!;
      objectDropped();
      frame.deletion?.meet(entry.name);
      const taken = this.#options.selection.within(frame.taken, entry, () => this.#folderPathOf(frame.folder));
      if (taken === undefined) this.#options.report.expect(entry, -1);
      else {
        if (frame.taken.names !== undefined && !this.#chooses(frame, entry, taken)) continue;
        if (entry.type === 'directory') {
          this.#enter(frame, entry, taken);
          return;
        }
        const waiting = this.#visit(frame, stretch, entry);
        if (waiting !== undefined) await waiting;
      }
      if (performance.now() > this.#sliceEnd) return;
    }
  }

  /** An entry that was asked for, or leads there. False if it cannot lead anywhere. */
  #chooses({ folder }: Frame, entry: Entry, taken: FolderSelection): boolean {
    const { report } = this.#options;
    if (taken.names === undefined) {
      this.foundPaths++;
      report.expect(entry, 1);
    } else if (entry.type !== 'directory') {
      report.fault({
        path: this.#pathOf(folder, entry.name),
        code: 'path-not-found',
        message: `a folder was asked for, the snapshot has a ${entry.type} there`,
      });
      return false;
    }
    return true;
  }

  async #nextStretch(frame: Frame): Promise<void> {
    try {
      const next = await frame.stretches.next();
      if (next.done !== true) {
        frame.stretch = next.value;
        if (this.#frames.length === 1) this.#expectAll(frame, next.value);
        return;
      }
      frame.deletion?.finish();
    } catch (error) {
      if (endsRestore(error) || this.#frames.length === 1) throw error;
      this.#options.report.error(this.#pathOf(frame.folder), error as LaganError);
    }
    this.#leave(frame);
  }

  /** The top of the tree tells how much there is below. */
  #expectAll({ taken }: Frame, { leaf }: Stretch): void {
    if (taken.names === undefined) for (const entry of leaf.items) this.#options.report.expect(entry, 1);
  }

  async #breathe(): Promise<void> {
    await setImmediate();
    this.#options.signal?.throwIfAborted();
    this.#dispatcher.throwFailure();
    this.#sliceEnd = performance.now() + restoreLimits.walkSliceMs;
  }

  #frameOf(
    folder: TargetFolder,
    { node, taken, isWhole }: { node: NodeReference | null; taken: FolderSelection; isWhole: boolean },
  ): Frame {
    const frame: Frame = {
      folder,
      stretches: this.#stretches(folder, node, taken),
      stretch: undefined,
      taken,
      isWhole,
      deletion: undefined,
    };
    if (this.#mayDelete(frame)) frame.deletion = this.#deletionOf(frame);
    return frame;
  }

  #mayDelete({ folder, taken, isWhole }: Frame): boolean {
    const { rules, purpose } = this.#options;
    return (
      rules.delete &&
      purpose === 'restore' &&
      isWhole &&
      taken.isIncluded &&
      taken.names === undefined &&
      folder.phase === 'there' &&
      folder.existed
    );
  }

  #deletionOf({ folder, taken }: Frame): Deletion {
    const { selection, rules, report } = this.#options;
    return new Deletion(folder, taken, {
      folders: this.#folders,
      selection,
      rules,
      report,
      pathOf: (at, name) => this.#pathOf(at, name),
      folderPathOf: (at) => this.#folderPathOf(at),
    });
  }

  async *#stretches(folder: TargetFolder, node: NodeReference | null, { names }: FolderSelection): AsyncGenerator<Stretch> {
    const { leaves, report } = this.#options;
    if (names === undefined) {
      for await (const leaf of leaves.of(node)) yield { leaf, index: 0, end: leaf.items.length };
      return;
    }
    for (const name of sortedNames(names)) {
      const found = await leaves.find(node, name);
      if (found !== undefined) yield { leaf: found.leaf, index: found.index, end: found.index + 1 };
      else report.fault({ path: this.#pathOf(folder, name), code: 'path-not-found', message: 'the snapshot does not have it' });
    }
  }

  #enter(frame: Frame, entry: DirectoryEntry, taken: FolderSelection): void {
    const { report } = this.#options;
    const folder = new TargetFolder({ parent: frame.folder, name: entry.name, entry, isAbove: taken.names !== undefined });
    if (taken.isIncluded && !this.#folders.make(folder)) {
      this.#folders.release(folder);
      report.done(entry.filesBelow, entry.bytesBelow);
      return;
    }
    if (!this.#mayDescend(folder, entry)) return;
    const { readError } = entry.extensions;
    if (readError !== undefined)
      report.fault({ path: this.#pathOf(folder), code: 'incomplete', message: `it is incomplete in the snapshot: ${readError.message}` });
    const isWhole = frame.isWhole || (this.#options.rules.delete && this.#isWhole(this.#folderPathOf(folder)));
    this.#frames.push(this.#frameOf(folder, { node: entry.node, taken, isWhole }));
  }

  /** False, and reported, if the tree goes too deep. One that leads into itself was forged: the restore would go round until the disk is full, so it ends here. */
  #mayDescend(folder: TargetFolder, entry: DirectoryEntry): boolean {
    try {
      this.#descent.enter(entry);
      return true;
    } catch (error) {
      if (!isLaganError(error, 'limit-exceeded')) throw error;
      this.#options.report.error(this.#pathOf(folder), error);
      this.#folders.release(folder);
      return false;
    }
  }

  #leave(frame: Frame): void {
    frame.deletion?.close();
    this.#frames.pop();
    this.#descent.leave();
    this.#folders.release(frame.folder);
  }

  #visit(frame: Frame, { leaf, index }: Stretch, entry: LeafEntry): Promise<void> | undefined {
    const { folder } = frame;
    if (folder.phase !== 'there' && !this.#folders.make(folder)) {
      this.#options.report.done(entry.type === 'file' ? 1 : 0, entry.type === 'file' ? entry.size : 0);
      return undefined;
    }
    const place = { folder, leaf, index: index - 1 };
    if (this.#options.purpose === 'verify')
      return entry.type === 'file' && folder.phase === 'there' ? this.#dispatcher.add(place, entry) : undefined;
    if (entry.extensions.link !== undefined && this.#links.claim({ ...place, entry }) === 'later') return undefined;
    if (this.#isForAll(entry)) return this.#restoreByAll(place, entry);
    return this.#dispatcher.add(place, entry);
  }

  #isForAll(entry: Entry): entry is FileEntry {
    return entry.type === 'file' && isSegmented(entry) && !this.#options.rules.dryRun;
  }

  #restoreNow(place: LeafPlace, entry: LeafEntry): void {
    if (this.#isForAll(entry)) this.#startForAll(place, entry);
    else this.#dispatcher.addNow(place, entry);
  }

  /** A large file: all workers write it while the walk goes on. */
  async #restoreByAll(place: LeafPlace, entry: FileEntry): Promise<void> {
    this.#startForAll(place, entry);
    while (this.#segmented.size >= restoreLimits.segmentedFilesAtOnce) await Promise.race(this.#segmented);
    this.#dispatcher.throwFailure();
  }

  #startForAll({ folder }: LeafPlace, entry: FileEntry): void {
    this.#folders.pin(folder);
    const work = this.#writeByAll(folder, entry);
    const done = work.catch(() => undefined).finally(() => this.#segmented.delete(done));
    this.#segmented.add(done);
    this.#dispatcher.track(work);
  }

  async #writeByAll(folder: TargetFolder, entry: FileEntry): Promise<void> {
    const { pool, trees, rules, report } = this.#options;
    let shown = 0;
    const onSegment = (sizeBytes: number) => {
      shown += sizeBytes;
      report.done(0, sizeBytes);
    };
    const jobReport = new JobReport();
    const restorer = new EntryRestorer({ rules, report: jobReport, content: new SegmentedContent({ pool, trees, onSegment }) });
    await restorer.restore(entry, this.#folders.stateOf(folder), 0);
    report.done(0, -shown);
    this.#onResult(jobReport.take(), [folder]);
    this.#folders.unpin(folder);
  }

  #onResult(result: JobResult, folders: readonly TargetFolder[]): void {
    this.#options.report.job(result, (part, name) => this.#pathOf(folders[part]!, name));
    for (const linked of result.linked) this.#links.settle(linked, folders[linked.part]!);
  }

  /** Whether a path in the snapshot (relative to `/`) is at or below one that was backed up. */
  #isWhole(path: Uint8Array): boolean {
    const text = withSlash(path);
    return this.#options.wholePaths.some((whole) => text.startsWith(withSlash(whole)));
  }

  /** Path in the snapshot, absolute. */
  #pathOf(folder: TargetFolder, name?: Uint8Array): Uint8Array {
    const path = this.#folderPathOf(folder);
    return name === undefined ? Buffer.concat([slash, path.subarray(0, Math.max(0, path.length - 1))]) : Buffer.concat([slash, path, name]);
  }

  /** Path in the snapshot, relative to `/`, with a trailing `/` unless empty. */
  #folderPathOf(folder: TargetFolder): Uint8Array {
    const { from } = this.#options;
    const names = from.length === 0 ? folder.names() : [from, ...folder.names()];
    return Buffer.concat(names.flatMap((name) => [name, slash]));
  }
}

const slash = Buffer.from('/');

/** A path relative to `/` as latin1 text that ends with `/`, unless it is empty. */
function withSlash(path: Uint8Array): string {
  return path.length === 0 ? '' : `${Buffer.from(path).toString('latin1')}/`;
}
