import type { LaganError, Time } from '../../repo-format/mod.ts';
import {
  applyMetadata,
  closeDescriptor,
  errnoName,
  errnoOf,
  FileStatus,
  joinPath,
  type Place,
  readLink,
  tryCreateLinkFromHandle,
  tryOpenBeneath,
  tryRemoveFile,
  tryStat,
  tryStatDescriptor,
} from '../system/mod.ts';
import type { LeafPlace } from './_dispatcher.ts';
import { ownerOf } from './_entry-metadata.ts';
import type { LeafEntry } from './_entry-restorer.ts';
import type { Identity, LinkedOutcome, RestoreRules } from './_messages.ts';
import { decide } from './_overwrite.ts';
import { temporaryName, tryPutIntoPlace } from './_placing.ts';
import type { RestoreReport } from './_report.ts';
import { endsRestore } from './_target-errors.ts';
import type { TargetFolder, TargetFolders } from './_target-folders.ts';

/** One name of something with several. */
export interface LinkMember extends LeafPlace {
  readonly entry: LeafEntry;
}

interface LinkGroup {
  readonly thing: LinkedThing;
  /** `under way`: a worker has the first name; `there`: it is whole; `none`: it could not be had. */
  state: 'under way' | 'there' | 'none';
  /** The name that is restored as a thing of its own; the others become links to it. Only while it is under way: it holds much of the tree. */
  first: LinkMember | undefined;
  /** Once it is there. */
  place: LinkPlace | undefined;
  /** Names that wait for it. */
  waiting: LinkMember[];
  /** Names that the backup knew of and the walk has not met. */
  namesLeft: number;
}

/** What all names of a thing have in common. */
interface LinkedThing {
  readonly type: LeafEntry['type'];
  readonly mtime: Time;
  readonly sizeBytes: number;
  readonly flags: number;
}

/** Where a first name is. */
interface LinkPlace {
  /** Relative to the target. */
  readonly path: Uint8Array;
  /** In the snapshot, for reports. */
  readonly snapshotPath: Uint8Array;
  /** Undefined in a dry run. */
  readonly identity: Identity | undefined;
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
  readonly #flagged: { readonly thing: LinkedThing; readonly place: LinkPlace }[] = [];
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
      const namesLeft = entry.extensions.link!.count - 1;
      groups.set(entry.inode, { thing: thingOf(entry), state: 'under way', first: member, place: undefined, waiting: [], namesLeft });
      return 'first';
    }
    // An inode that was used again while the backup ran.
    if (!isSameThing(group.thing, thingOf(entry))) return 'first';
    group.namesLeft--;
    if (group.state === 'none') {
      this.#begin(group, member);
      return 'first';
    }
    this.#addName(group, member);
    this.#forgetIfComplete(group, entry);
    return 'later';
  }

  /** The first name of a group is done. `folder`: where it is. */
  settle({ device, inode, name, outcome, identity }: LinkedOutcome, folder: TargetFolder): void {
    const group = this.#groups.get(device)?.get(inode);
    const { first } = group ?? {};
    if (group === undefined || first === undefined || first.folder !== folder || Buffer.compare(first.entry.name, name) !== 0) return;
    const isThere = (outcome === 'restored' || outcome === 'same') && (identity !== undefined || this.#rules.dryRun);
    group.state = isThere ? 'there' : 'none';
    group.first = undefined;
    if (isThere) this.#rememberPlace(group, { folder, name, identity });
    const { waiting } = group;
    group.waiting = [];
    for (const member of waiting) {
      if (group.state === 'none') this.#restoreAsFirst(member, group);
      else this.#addName(group, member);
      this.#folders.release(member.folder);
    }
    this.#forgetIfComplete(group, first.entry);
  }

  /** Sets the flags of linked files, when no more links will be made. */
  finish(): void {
    for (const { thing, place } of this.#flagged) this.#setFlags(thing, place);
  }

  #groupsOf({ extensions }: LeafEntry): Map<number | bigint, LinkGroup> {
    const { device } = extensions.link!;
    let groups = this.#groups.get(device);
    if (groups === undefined) this.#groups.set(device, (groups = new Map()));
    return groups;
  }

  #rememberPlace(
    group: LinkGroup,
    { folder, name, identity }: { folder: TargetFolder; name: Uint8Array; identity: Identity | undefined },
  ): void {
    const { thing } = group;
    const place = { path: joinPath([...folder.names(), name]), snapshotPath: this.#pathOf(folder, name), identity };
    group.place = place;
    if (thing.flags !== 0 && !this.#rules.dryRun) this.#flagged.push({ thing, place });
  }

  #addName(group: LinkGroup, member: LinkMember): void {
    if (group.state === 'there') {
      this.#link(member, group);
      return;
    }
    group.waiting.push(member);
    member.folder.pending++;
  }

  #forgetIfComplete({ state, namesLeft, waiting }: LinkGroup, entry: LeafEntry): void {
    if (state === 'there' && namesLeft <= 0 && waiting.length === 0) this.#groupsOf(entry).delete(entry.inode);
  }

  #begin(group: LinkGroup, first: LinkMember): void {
    group.first = first;
    group.state = 'under way';
    group.place = undefined;
  }

  #restoreAsFirst(member: LinkMember, group: LinkGroup): void {
    this.#begin(group, member);
    this.#restore(member);
  }

  #link(member: LinkMember, group: LinkGroup): void {
    const { folder, entry } = member;
    try {
      const existing = this.#decide(member, group.place!);
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

  #decide({ folder, entry }: LinkMember, { identity }: LinkPlace): 'skipped' | 'replaced' | 'new' {
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

  /** False if it could not be linked: then it is restored as a thing of its own. If the first has all the names that it may have, later names are linked to this one. */
  #make(member: LinkMember, group: LinkGroup, { replaces }: { replaces: boolean }): boolean {
    const error = this.#tryMake(member, group.place!, { replaces });
    if (error === 0) return true;
    this.#report.loss('link', { path: this.#pathOf(member.folder, member.entry.name), reason: errnoName(-error), count: 1 });
    if (error === -errnoOf.EMLINK) this.#restoreAsFirst(member, group);
    else this.#restore(member);
    return false;
  }

  /** Returns 0 or −errno. */
  #tryMake({ folder, entry }: LinkMember, place: LinkPlace, { replaces }: { replaces: boolean }): number {
    const handle = this.#openFirst(place, 'handle');
    if (handle < 0) return handle;
    try {
      const parent = this.#folders.descriptorOf(folder);
      const to = { parent, name: replaces ? temporaryName(entry.name) : entry.name };
      let result = tryCreateLinkFromHandle(handle, to);
      if (result === -errnoOf.EEXIST && replaces && tryRemoveFile(parent, to.name) === 0) result = tryCreateLinkFromHandle(handle, to);
      return result < 0 || !replaces ? result : this.#tryReplace(to, entry.name);
    } finally {
      closeDescriptor(handle);
    }
  }

  #tryReplace(from: Place, name: Uint8Array): number {
    let result: number | undefined;
    try {
      result = tryPutIntoPlace(from, name, this.#rules);
      return result;
    } finally {
      if (result !== 0) tryRemoveFile(from.parent, from.name);
    }
  }

  /** Opens the first name of a group, if it still is what was restored there. Returns a descriptor or −errno. */
  #openFirst({ path, identity }: LinkPlace, use: 'handle' | 'file'): number {
    const descriptor = tryOpenBeneath(this.#folders.root.descriptor, path, use);
    if (descriptor < 0) return descriptor;
    const result = tryStatDescriptor(descriptor, this.#status);
    if (result === 0 && isSame(this.#status, identity)) return descriptor;
    closeDescriptor(descriptor);
    return result < 0 ? result : -errnoOf.ESTALE;
  }

  #setFlags({ type, flags }: LinkedThing, place: LinkPlace): void {
    const descriptor = this.#openFirst(place, 'file');
    const report = (reason: string) => this.#report.loss('flags', { path: place.snapshotPath, reason, count: 1 });
    if (descriptor < 0) {
      report(errnoName(-descriptor));
      return;
    }
    try {
      for (const { errno } of applyMetadata(descriptor, { type, flags }, { surplus: 'remove' })) report(errno);
    } finally {
      closeDescriptor(descriptor);
    }
  }
}

function thingOf(entry: LeafEntry): LinkedThing {
  const { type, mtime, extensions } = entry;
  return { type, mtime, sizeBytes: entry.type === 'file' ? entry.size : 0, flags: extensions.flags ?? 0 };
}

/** Device and inode are the same; that the rest is too shows that the inode was not used for something else in between. */
function isSameThing(a: LinkedThing, b: LinkedThing): boolean {
  return (
    a.type === b.type && a.mtime.seconds === b.mtime.seconds && a.mtime.nanoseconds === b.mtime.nanoseconds && a.sizeBytes === b.sizeBytes
  );
}

function isSame({ device, inode }: FileStatus, identity: Identity | undefined): boolean {
  return identity !== undefined && identity.device === device && identity.inode === inode;
}
