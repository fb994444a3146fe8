import assert from 'node:assert/strict';
import { type DirectoryEntry, LaganError } from '../../repo-format/mod.ts';
import {
  applyCreationFlags,
  applyMetadata,
  closeDescriptor,
  currentIdentity,
  type Descriptor,
  errnoOf,
  FileStatus,
  inheritance,
  joinPath,
  makeWritable,
  openHandle,
  openTarget,
  readNames,
  removeTree,
  statDescriptor,
  systemError,
  tryChangeMode,
  tryMakeDirectory,
  tryOpenBeneath,
  tryOpenDirectory,
  tryRemoveFile,
  tryStat,
} from '../system/mod.ts';
import { metadataOf, ownerOf } from './_entry-metadata.ts';
import { restoreLimits } from './_limits.ts';
import type { FolderState, Identity, RestoreRules } from './_messages.ts';
import { isNewer } from './_overwrite.ts';
import type { RestoreReport } from './_report.ts';
import { endsRestore, orThrow } from './_target-errors.ts';

/** `look`: nothing is made or changed, only counted (a dry run); `verify`: not even counted. */
export type Purpose = 'restore' | 'look' | 'verify';

/** `planned`: to be made when something is to be put into it; `absent`: it would have been made (dry run); `failed`: it cannot be had, which was reported. */
type Phase = 'planned' | 'there' | 'absent' | 'failed';

/** A folder of the target on its way to be as in the snapshot. */
export class TargetFolder {
  readonly parent: TargetFolder | undefined;
  /** Empty for the target itself. */
  readonly name: Uint8Array;
  /** Undefined for the target, unless it is to be like a folder of the snapshot. */
  readonly entry: DirectoryEntry | undefined;
  /** It only leads to what was asked for: if it exists, it stays as it is. */
  readonly isAbove: boolean;
  /** How many folders below the target; 0 is the target itself. */
  readonly depth: number;
  phase: Phase = 'planned';
  existed = false;
  inherits = false;
  getsMetadata = true;
  /** -1 while closed. */
  descriptor: Descriptor = -1;
  identity: Identity | undefined;
  /** The walk through it, folders in it and jobs for it that are not done. */
  pending = 1;
  /** Jobs that use the descriptor. */
  pins = 0;

  constructor({
    parent,
    name,
    entry,
    isAbove,
  }: { parent: TargetFolder | undefined; name: Uint8Array; entry: DirectoryEntry | undefined; isAbove: boolean }) {
    this.parent = parent;
    this.name = name;
    this.entry = entry;
    this.isAbove = isAbove;
    this.depth = parent === undefined ? 0 : parent.depth + 1;
    if (parent !== undefined) parent.pending++;
  }

  /** Names from below a folder that it is in (the target, if not said otherwise) down to this one. */
  names(above?: TargetFolder): Uint8Array[] {
    const names: Uint8Array[] = [];
    for (let folder: TargetFolder = this; folder.parent !== undefined && folder !== above; folder = folder.parent) names.push(folder.name);
    return names.reverse();
  }

  /** One of those that are kept open so that the way to a folder far below is short. */
  get isLanding(): boolean {
    return this.depth % restoreLimits.landingEvery === 0;
  }
}

/** While folders are made, their owner alone may use them: what the snapshot says comes when all is in them. */
const modeWhileRestoring = 0o700;
/** STATX_ATTR_IMMUTABLE and STATX_ATTR_APPEND. */
const protectingAttributes = 0x30;

/**
 * Makes folders, keeps a bounded number of them open, and gives each its metadata once all in it is done, from the bottom up.
 *
 * Invariants: every folder is reached by descriptors from the target down, never through a symbolic link; one that had to be closed is opened again, beneath the nearest
 * one above it that is open, only if it is the same folder (ESTALE otherwise). So that this way is short however deep the folder is, every so many levels one stays open.
 */
export class TargetFolders {
  readonly root: TargetFolder;
  readonly #rules: RestoreRules;
  readonly #report: RestoreReport;
  readonly #pathOf: (folder: TargetFolder, name?: Uint8Array) => Uint8Array;
  readonly #purpose: Purpose;
  readonly #status = new FileStatus();
  readonly #me = currentIdentity();
  /** Open and not pinned, the longest unused first. */
  readonly #idle = new Set<TargetFolder>();
  /** The same, of every so many levels one. */
  readonly #landings = new Set<TargetFolder>();
  readonly #pinned = new Set<TargetFolder>();

  constructor(
    root: TargetFolder,
    {
      rules,
      report,
      pathOf,
      purpose,
    }: { rules: RestoreRules; report: RestoreReport; pathOf: (folder: TargetFolder, name?: Uint8Array) => Uint8Array; purpose: Purpose },
  ) {
    this.root = root;
    this.#rules = rules;
    this.#report = report;
    this.#pathOf = pathOf;
    this.#purpose = purpose;
  }

  /** Opens the target, makes it if need be. Errors: what the system says. */
  openRoot(path: string | Uint8Array): void {
    const { root } = this;
    const before = tryOpenTarget(path);
    if (before < 0 && this.#purpose !== 'restore') {
      root.phase = 'absent';
      if (root.entry !== undefined) this.#count();
      return;
    }
    root.descriptor = before < 0 ? openTarget(path, { create: true }) : before;
    this.#take(root, { existed: before >= 0 && !isEmpty(root.descriptor) });
    root.getsMetadata = root.entry !== undefined && this.#mayChange(root);
    if (root.existed && root.getsMetadata) this.#makeUsable(root);
  }

  /** How many folders jobs keep open. */
  get pinned(): number {
    return this.#pinned.size;
  }

  /** Makes a folder, and those above it that are only planned. False if it cannot be had; that is reported, once. */
  make(folder: TargetFolder): boolean {
    if (folder.phase === 'planned') {
      const chain = [folder];
      for (let above = folder.parent!; above.phase === 'planned'; above = above.parent!) chain.push(above);
      for (const next of chain.reverse()) this.#makeOne(next);
    }
    return folder.phase !== 'failed';
  }

  /** Descriptor of a folder that is made, valid until the next call; -1 if it is absent. */
  descriptorOf(folder: TargetFolder): Descriptor {
    assert(folder.phase === 'there' || folder.phase === 'absent', 'the folder was made');
    if (folder.phase === 'absent' || folder.descriptor >= 0) return folder.descriptor;
    this.#reopen(folder);
    return folder.descriptor;
  }

  /** Keeps a folder open for a job, until {@link unpin}. */
  pin(folder: TargetFolder): void {
    this.descriptorOf(folder);
    folder.pending++;
    if (folder.pins++ > 0) return;
    this.#pinned.add(folder);
    this.#openSetOf(folder).delete(folder);
  }

  unpin(folder: TargetFolder): void {
    if (--folder.pins === 0) {
      this.#pinned.delete(folder);
      if (folder.descriptor >= 0) this.#keepOpen(folder);
    }
    this.release(folder);
  }

  /** What a worker is told of a pinned folder. */
  stateOf({ descriptor, existed, inherits }: TargetFolder): FolderState {
    return { descriptor, existed, inherits };
  }

  /** One thing less to be done for a folder; after the last it gets its metadata, and the folder above has one thing less to be done. */
  release(folder: TargetFolder): void {
    for (let at: TargetFolder | undefined = folder; at !== undefined && --at.pending === 0; at = at.parent) this.#finish(at);
  }

  /** Closes all that is open. */
  close(): void {
    for (const folder of new Set([this.root, ...this.#pinned, ...this.#idle, ...this.#landings])) {
      if (folder.descriptor >= 0) closeDescriptor(folder.descriptor);
      folder.descriptor = -1;
    }
    this.#idle.clear();
    this.#landings.clear();
    this.#pinned.clear();
  }

  #count(): void {
    if (this.#purpose !== 'verify') this.#report.counts.directories++;
  }

  #makeOne(folder: TargetFolder): void {
    const parent = folder.parent!;
    if (parent.phase === 'failed' || parent.phase === 'absent') {
      folder.phase = parent.phase;
      if (parent.phase === 'absent') this.#count();
      return;
    }
    try {
      const above = this.descriptorOf(parent);
      if (this.#purpose !== 'restore') this.#look(folder, above);
      else this.#makeIn(folder, above);
    } catch (error) {
      if (endsRestore(error)) throw error;
      folder.phase = 'failed';
      this.#report.error(this.#pathOf(folder), error as LaganError);
    }
  }

  #makeIn(folder: TargetFolder, above: Descriptor): void {
    const { name } = folder;
    let made = tryMakeDirectory(above, name, modeWhileRestoring);
    if (made === -errnoOf.EEXIST && !this.#isDirectory(above, name)) {
      this.#removeFromTheWay(folder, above);
      made = tryMakeDirectory(above, name, modeWhileRestoring);
    }
    const existed = made === -errnoOf.EEXIST;
    if (!existed) orThrow(made, 'make the folder', name);
    folder.descriptor = existed ? this.#openExisting(folder, above) : orThrow(tryOpenDirectory(above, name), 'open the folder', name);
    this.#take(folder, { existed });
    const flags = folder.entry?.extensions.flags;
    if (!existed && flags !== undefined) applyCreationFlags(folder.descriptor, flags);
    folder.getsMetadata = this.#mayChange(folder);
    if (existed && folder.getsMetadata) this.#makeUsable(folder);
  }

  #look(folder: TargetFolder, above: Descriptor): void {
    const result = tryOpenDirectory(above, folder.name);
    const isElse = result === -errnoOf.ENOTDIR || result === -errnoOf.ELOOP;
    if (result === -errnoOf.ENOENT || isElse) {
      folder.phase = 'absent';
      this.#count();
      if (isElse && this.#rules.overwrite === 'never') throw inTheWay();
      return;
    }
    folder.descriptor = orThrow(result, 'open the folder', folder.name);
    this.#take(folder, { existed: true });
    folder.getsMetadata = this.#mayChange(folder);
  }

  /** A folder was opened: what matters of it is remembered. */
  #take(folder: TargetFolder, { existed }: { existed: boolean }): void {
    const { device, inode } = statDescriptor(folder.descriptor, this.#status);
    folder.phase = 'there';
    folder.identity = { device, inode };
    folder.existed = existed;
    if (existed || folder.parent === undefined) {
      const { group, acl, flags } = inheritance(folder.descriptor);
      folder.inherits = group || acl || flags;
      statDescriptor(folder.descriptor, this.#status);
    } else folder.inherits = folder.parent.inherits;
    if (folder.parent !== undefined) this.#keepOpen(folder);
  }

  /** Whether a folder that was just opened may get the snapshot's metadata. */
  #mayChange({ existed, isAbove, entry }: TargetFolder): boolean {
    if (!existed) return true;
    if (isAbove || entry === undefined) return false;
    const { overwrite } = this.#rules;
    return overwrite === 'always' || overwrite === 'if-changed' || (overwrite === 'if-newer' && isNewer(entry, this.#status));
  }

  /** Takes away what forbids to put something into a folder that existed; it gets its flags and mode when it is done. */
  #makeUsable({ descriptor }: TargetFolder): void {
    if (this.#purpose !== 'restore') return;
    if ((this.#status.attributes & protectingAttributes) !== 0) makeWritable(descriptor);
    const { mode, uid } = this.#status;
    if (uid === this.#me.uid && (mode & modeWhileRestoring) !== modeWhileRestoring)
      tryChangeMode('descriptor', descriptor, mode | modeWhileRestoring);
  }

  /** One's own folder may be unreadable for oneself. */
  #openExisting({ name, isAbove }: TargetFolder, above: Descriptor): Descriptor {
    const opened = tryOpenDirectory(above, name);
    if (opened !== -errnoOf.EACCES || isAbove || this.#rules.overwrite === 'never') return orThrow(opened, 'open the folder', name);
    const handle = openHandle(above, name);
    try {
      const { type, mode } = statDescriptor(handle, this.#status);
      if (type === 'directory') tryChangeMode('handle', handle, mode | modeWhileRestoring);
    } finally {
      closeDescriptor(handle);
    }
    return orThrow(tryOpenDirectory(above, name), 'open the folder', name);
  }

  #isDirectory(above: Descriptor, name: Uint8Array): boolean {
    return tryStat(above, name, this.#status) === 0 && this.#status.type === 'directory';
  }

  /** Something that is no folder has the name; its status was just read. */
  #removeFromTheWay({ name, entry }: TargetFolder, above: Descriptor): void {
    const { overwrite } = this.#rules;
    const stays = overwrite === 'never' || (overwrite === 'if-newer' && entry !== undefined && !isNewer(entry, this.#status));
    if (stays) throw inTheWay();
    if (tryRemoveFile(above, name) === 0) return;
    const { failures } = removeTree(above, name);
    if (failures.length > 0) throw systemError(failures[0]!.errno, 'remove', name);
  }

  #reopen(folder: TargetFolder): void {
    let above = folder.parent!;
    while (above.descriptor < 0 && !above.isLanding) above = above.parent!;
    const path = joinPath(folder.names(above));
    const descriptor = orThrow(tryOpenBeneath(this.descriptorOf(above), path, 'directory'), 'return to the folder', path);
    const { device, inode } = statDescriptor(descriptor, this.#status);
    if (device !== folder.identity?.device || inode !== folder.identity.inode) {
      closeDescriptor(descriptor);
      throw systemError(errnoOf.ESTALE, 'return to the folder', path);
    }
    folder.descriptor = descriptor;
    this.#keepOpen(folder);
  }

  /** Marks a folder as used last and closes those that were not used for the longest time. */
  #keepOpen(folder: TargetFolder): void {
    if (folder.parent === undefined) return;
    const open = this.#openSetOf(folder);
    open.delete(folder);
    open.add(folder);
    for (const oldest of open) {
      if (open.size <= restoreLimits.openFolders) break;
      this.#close(oldest);
    }
  }

  #openSetOf(folder: TargetFolder): Set<TargetFolder> {
    return folder.isLanding ? this.#landings : this.#idle;
  }

  #close(folder: TargetFolder): void {
    this.#openSetOf(folder).delete(folder);
    closeDescriptor(folder.descriptor);
    folder.descriptor = -1;
  }

  #finish(folder: TargetFolder): void {
    if (folder.phase !== 'there') return;
    try {
      if (folder.getsMetadata && folder.entry !== undefined) this.#finishMetadata(folder, folder.entry);
    } catch (error) {
      if (endsRestore(error)) throw error;
      this.#report.error(this.#pathOf(folder), error as LaganError);
    }
    if (folder.descriptor >= 0 && folder.parent !== undefined) this.#close(folder);
  }

  #finishMetadata(folder: TargetFolder, entry: DirectoryEntry): void {
    this.#count();
    if (this.#purpose !== 'restore') return;
    const descriptor = this.descriptorOf(folder);
    const metadata = metadataOf(entry, ownerOf(entry, this.#rules.numericOwner), { withoutFlags: false });
    const { uid, gid } = this.#me;
    const isNew = !folder.existed && !folder.inherits && folder.parent !== undefined;
    const options = isNew ? { known: { uid, gid, mode: modeWhileRestoring & ~this.#rules.umask } } : { surplus: 'remove' as const };
    const losses = applyMetadata(descriptor, metadata, options);
    for (const [index, { kind, errno }] of losses.entries()) {
      if (losses.findIndex((loss) => loss.kind === kind) === index)
        this.#report.loss(kind, { path: this.#pathOf(folder), reason: errno, count: 1 });
    }
  }
}

/** The target if it is there, or −1. */
function tryOpenTarget(path: string | Uint8Array): Descriptor {
  try {
    return openTarget(path);
  } catch (error) {
    if (error instanceof LaganError && error.errno === 'ENOENT') return -1;
    throw error;
  }
}

function isEmpty(folder: Descriptor): boolean {
  const names = readNames(folder);
  names.close();
  return names.count === 0;
}

function inTheWay(): LaganError {
  return new LaganError('exists', 'something that is no folder is in the way and stays', { errno: 'ENOTDIR' });
}
