import type { LaganError } from '../../repo-format/mod.ts';
import {
  applyMetadata,
  closeDescriptor,
  errnoName,
  errnoOf,
  FileStatus,
  joinPath,
  readLink,
  tryCreateLinkFromHandle,
  tryOpenBeneath,
  tryRemoveFile,
  tryRename,
  tryStat,
  tryStatDescriptor,
} from '../system/mod.ts';
import type { LeafPlace } from './_dispatcher.ts';
import { ownerOf } from './_entry-metadata.ts';
import { type LeafEntry, temporaryName } from './_entry-restorer.ts';
import type { Identity, LinkedOutcome, RestoreRules } from './_messages.ts';
import { decide } from './_overwrite.ts';
import type { RestoreReport } from './_report.ts';
import { endsRestore } from './_target-errors.ts';
import type { TargetFolder, TargetFolders } from './_target-folders.ts';

/** One name of something with several. */
export interface LinkMember extends LeafPlace {
  readonly entry: LeafEntry;
}

interface LinkGroup {
  /** The name that is restored as a thing of its own; the others become links to it. */
  first: LinkMember;
  /** `under way`: a worker has the first name; `there`: it is whole; `none`: it could not be had. */
  state: 'under way' | 'there' | 'none';
  /** Where {@link first} is, once it is whole. */
  identity: Identity | undefined;
  /** Names that wait for it. */
  waiting: LinkMember[];
  /** Names that the backup knew of and the walk has not met. */
  namesLeft: number;
}

/**
 * Hard links, of whatever type: the first name that is restored becomes a file, the others links to it, made when it is whole. If it cannot be had, the next name is the first;
 * where the system refuses a link, the name becomes a file of its own, and that is said.
 */
export class LinkGroups {
  readonly #folders: TargetFolders;
  readonly #rules: RestoreRules;
  readonly #report: RestoreReport;
  readonly #pathOf: (folder: TargetFolder, name?: Uint8Array) => Uint8Array;
  readonly #restore: (member: LinkMember) => void;
  /** By device and inode where they were backed up. */
  readonly #groups = new Map<number | bigint, Map<number | bigint, LinkGroup>>();
  /** Flags may forbid further links: they come at the end. */
  readonly #flagged: LinkGroup[] = [];
  readonly #status = new FileStatus();

  constructor(parts: {
    folders: TargetFolders;
    rules: RestoreRules;
    report: RestoreReport;
    pathOf: (folder: TargetFolder, name?: Uint8Array) => Uint8Array;
    restore: (member: LinkMember) => void;
  }) {
    this.#folders = parts.folders;
    this.#rules = parts.rules;
    this.#report = parts.report;
    this.#pathOf = parts.pathOf;
    this.#restore = parts.restore;
  }

  /** `first`: to be restored by the caller; `later`: seen to here. */
  claim(member: LinkMember): 'first' | 'later' {
    const { entry } = member;
    const groups = this.#groupsOf(entry);
    const group = groups.get(entry.inode);
    if (group === undefined) {
      groups.set(entry.inode, {
        first: member,
        state: 'under way',
        identity: undefined,
        waiting: [],
        namesLeft: entry.extensions.link!.count - 1,
      });
      return 'first';
    }
    // An inode that was used again while the backup ran.
    if (!isSameThing(group.first.entry, entry)) return 'first';
    group.namesLeft--;
    if (group.state === 'none') {
      this.#begin(group, member);
      return 'first';
    }
    this.#addName(group, member);
    this.#forgetIfComplete(group);
    return 'later';
  }

  /** The first name of a group is done. `folder`: where it is. */
  settle({ device, inode, name, outcome, identity }: LinkedOutcome, folder: TargetFolder): void {
    const group = this.#groups.get(device)?.get(inode);
    if (group === undefined || group.first.folder !== folder || Buffer.compare(group.first.entry.name, name) !== 0) return;
    const isThere = (outcome === 'restored' || outcome === 'same') && (identity !== undefined || this.#rules.dryRun);
    group.state = isThere ? 'there' : 'none';
    group.identity = identity;
    if (isThere && !this.#rules.dryRun && (group.first.entry.extensions.flags ?? 0) !== 0) this.#flagged.push({ ...group, waiting: [] });
    const { waiting } = group;
    group.waiting = [];
    for (const member of waiting) {
      if (group.state === 'none') this.#restoreAsFirst(member, group);
      else this.#addName(group, member);
      this.#folders.release(member.folder);
    }
    this.#forgetIfComplete(group);
  }

  /** Sets the flags of linked files, when no more links will be made. */
  finish(): void {
    for (const { first, identity } of this.#flagged) this.#setFlags(first, identity!);
  }

  #groupsOf({ extensions }: LeafEntry): Map<number | bigint, LinkGroup> {
    const { device } = extensions.link!;
    let groups = this.#groups.get(device);
    if (groups === undefined) this.#groups.set(device, (groups = new Map()));
    return groups;
  }

  #addName(group: LinkGroup, member: LinkMember): void {
    if (group.state === 'there') {
      this.#link(member, group);
      return;
    }
    group.waiting.push(member);
    member.folder.pending++;
  }

  #forgetIfComplete({ first, state, namesLeft, waiting }: LinkGroup): void {
    if (state === 'there' && namesLeft <= 0 && waiting.length === 0) this.#groupsOf(first.entry).delete(first.entry.inode);
  }

  #begin(group: LinkGroup, first: LinkMember): void {
    group.first = first;
    group.state = 'under way';
    group.identity = undefined;
  }

  #restoreAsFirst(member: LinkMember, group: LinkGroup): void {
    this.#begin(group, member);
    this.#restore(member);
  }

  #link(member: LinkMember, group: LinkGroup): void {
    const { folder, entry } = member;
    try {
      const existing = this.#decide(member, group.identity);
      const isDone = existing === 'skipped' || this.#rules.dryRun || this.#make(member, group, { replaces: existing === 'replaced' });
      if (!isDone) return;
      if (entry.type === 'file') this.#report.done(1, entry.size);
      if (existing === 'skipped') this.#report.counts.skipped++;
      else this.#report.counts[entry.type === 'file' ? 'files' : 'others']++;
    } catch (error) {
      if (endsRestore(error)) throw error;
      this.#report.error(this.#pathOf(folder, entry.name), error as LaganError);
    }
  }

  #decide({ folder, entry }: LinkMember, identity: Identity | undefined): 'skipped' | 'replaced' | 'new' {
    const descriptor = this.#folders.descriptorOf(folder);
    if (!folder.existed || descriptor < 0 || tryStat(descriptor, entry.name, this.#status) < 0) return 'new';
    if (isSame(this.#status, identity)) return 'skipped';
    const owner = ownerOf(entry, this.#rules.numericOwner);
    const decision = decide(this.#rules.overwrite, entry, {
      status: this.#status,
      owner,
      readTarget: () => readLink(descriptor, entry.name),
    });
    return decision === 'keep' ? 'skipped' : 'replaced';
  }

  /** False if it could not be linked: then it will be restored as a file of its own, to which later names are linked. */
  #make(member: LinkMember, group: LinkGroup, { replaces }: { replaces: boolean }): boolean {
    const error = this.#tryMake(member, group.first, { identity: group.identity!, replaces });
    if (error === 0) return true;
    this.#report.loss('link', { path: this.#pathOf(member.folder, member.entry.name), reason: errnoName(-error), count: 1 });
    this.#restoreAsFirst(member, group);
    return false;
  }

  /** Returns 0 or −errno. */
  #tryMake({ folder, entry }: LinkMember, first: LinkMember, { identity, replaces }: { identity: Identity; replaces: boolean }): number {
    const handle = this.#openFirst(first, identity, 'handle');
    if (handle < 0) return handle;
    try {
      const parent = this.#folders.descriptorOf(folder);
      const name = replaces ? temporaryName(entry.name) : entry.name;
      let result = tryCreateLinkFromHandle(handle, { parent, name });
      if (result === -errnoOf.EEXIST && replaces && tryRemoveFile(parent, name) === 0)
        result = tryCreateLinkFromHandle(handle, { parent, name });
      if (result < 0 || !replaces) return result;
      const renamed = tryRename({ parent, name }, { parent, name: entry.name }, 'replace');
      if (renamed < 0) tryRemoveFile(parent, name);
      return renamed;
    } finally {
      closeDescriptor(handle);
    }
  }

  /** Opens the first name of a group, if it still is what was restored there. Returns a descriptor or −errno. */
  #openFirst({ folder, entry }: LinkMember, identity: Identity, use: 'handle' | 'file'): number {
    const path = joinPath([...folder.names(), entry.name]);
    const descriptor = tryOpenBeneath(this.#folders.root.descriptor, path, use);
    if (descriptor < 0) return descriptor;
    const result = tryStatDescriptor(descriptor, this.#status);
    if (result === 0 && isSame(this.#status, identity)) return descriptor;
    closeDescriptor(descriptor);
    return result < 0 ? result : -errnoOf.ESTALE;
  }

  #setFlags(first: LinkMember, identity: Identity): void {
    const { folder, entry } = first;
    const descriptor = this.#openFirst(first, identity, 'file');
    const path = this.#pathOf(folder, entry.name);
    if (descriptor < 0) {
      this.#report.loss('flags', { path, reason: errnoName(-descriptor), count: 1 });
      return;
    }
    try {
      const losses = applyMetadata(descriptor, { type: entry.type, flags: entry.extensions.flags }, { surplus: 'remove' });
      for (const { kind, errno } of losses) this.#report.loss(kind, { path, reason: errno, count: 1 });
    } finally {
      closeDescriptor(descriptor);
    }
  }
}

/** Device and inode are the same; that the rest is too shows that the inode was not used for something else in between. */
function isSameThing(a: LeafEntry, b: LeafEntry): boolean {
  if (a.type !== b.type || a.mtime.seconds !== b.mtime.seconds || a.mtime.nanoseconds !== b.mtime.nanoseconds) return false;
  return a.type !== 'file' || b.type !== 'file' || a.size === b.size;
}

function isSame({ device, inode }: FileStatus, identity: Identity | undefined): boolean {
  return identity !== undefined && identity.device === device && identity.inode === inode;
}
