import { type DirectoryScan, FileStatus, readNames, removeTree, systemError, tryStat } from '../system/mod.ts';
import type { RestoreRules } from './_messages.ts';
import { isProtected } from './_placing.ts';
import type { RestoreReport } from './_report.ts';
import type { FolderSelection, Selection } from './_selection.ts';
import type { TargetFolder, TargetFolders } from './_target-folders.ts';

interface DeletionOptions {
  readonly folders: TargetFolders;
  readonly selection: Selection;
  readonly rules: RestoreRules;
  readonly report: RestoreReport;
  readonly pathOf: (folder: TargetFolder, name?: Uint8Array) => Uint8Array;
  readonly folderPathOf: (folder: TargetFolder) => Uint8Array;
}

/**
 * Removes from one folder what the snapshot does not have: names of the folder and of the snapshot are met in the same order. Never removed: what the patterns
 * leave out, the repository and the folders that it is in, what is mounted.
 */
export class Deletion {
  readonly #folder: TargetFolder;
  readonly #taken: FolderSelection;
  readonly #options: DeletionOptions;
  readonly #scan: DirectoryScan;
  readonly #status = new FileStatus();
  #hasName: boolean;

  constructor(folder: TargetFolder, taken: FolderSelection, options: DeletionOptions) {
    this.#folder = folder;
    this.#taken = taken;
    this.#options = options;
    this.#scan = readNames(options.folders.descriptorOf(folder));
    this.#hasName = this.#scan.next();
  }

  /** The snapshot has this name, and none between it and the one before. */
  meet(name: Uint8Array): void {
    while (this.#hasName) {
      const order = Buffer.compare(this.#scan.name, name);
      if (order > 0) return;
      if (order < 0) this.#remove(this.#scan.copyName());
      this.#next();
    }
  }

  /** The snapshot has no further name. */
  finish(): void {
    for (; this.#hasName; this.#next()) this.#remove(this.#scan.copyName());
  }

  close(): void {
    this.#scan.close();
  }

  #next(): void {
    this.#scan.rebind(this.#options.folders.descriptorOf(this.#folder));
    this.#hasName = this.#scan.next();
  }

  #remove(name: Uint8Array): void {
    const { folders, selection, rules, report, pathOf, folderPathOf } = this.#options;
    const parent = folders.descriptorOf(this.#folder);
    if (tryStat(parent, name, this.#status) < 0) return;
    const { type } = this.#status;
    if (selection.within(this.#taken, { name, type }, () => folderPathOf(this.#folder)) === undefined) return;
    const path = pathOf(this.#folder, name);
    if (isProtected(this.#status, rules.protectedFolders)) {
      report.note({ path, code: 'repository', message: 'holds the repository and is not deleted' });
      return;
    }
    if (rules.dryRun) {
      report.counts.deleted++;
      return;
    }
    const { removed, failures } = removeTree(parent, name);
    report.counts.deleted += removed;
    for (const failure of failures) report.error(pathOf(this.#folder, failure.path), systemError(failure.errno, 'delete'));
  }
}
