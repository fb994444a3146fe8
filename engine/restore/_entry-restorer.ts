import type { Entry, FileEntry, LaganError } from '../../repo-format/mod.ts';
import {
  type ApplyOptions,
  applyCreationFlags,
  applyMetadata,
  applyMetadataAt,
  closeDescriptor,
  currentIdentity,
  type Descriptor,
  errnoOf,
  FileStatus,
  readLink,
  tryCreateFile,
  tryCreateNode,
  tryCreateSymlink,
  tryOpenFile,
  tryRemoveFile,
  tryStat,
} from '../system/mod.ts';
import type { ContentTarget } from './_content-writer.ts';
import { metadataOf, ownerOf } from './_entry-metadata.ts';
import type { JobReport, Subject } from './_job-report.ts';
import { restoreLimits } from './_limits.ts';
import type { FolderState, Identity, Outcome, RestoreRules } from './_messages.ts';
import { decide } from './_overwrite.ts';
import { clearTheWay, temporaryName, tryPutIntoPlace } from './_placing.ts';
import { endsRestore, orThrow } from './_target-errors.ts';

/** Entries of every type but folders. */
export type LeafEntry = Exclude<Entry, { type: 'directory' }>;

/** An entry on its way into its folder. */
interface Placing {
  readonly entry: LeafEntry;
  readonly folder: FolderState;
  readonly subject: Subject;
  readonly owner: { readonly uid: number; readonly gid: number };
  /** What it is called while it is made. */
  readonly name: Uint8Array;
  /** Something else has its name until it is renamed. */
  readonly isTemporary: boolean;
}

/**
 * Restores single entries of any type but folders, relative to the descriptor of their folder.
 *
 * Invariants: nothing is followed and nothing that exists is written to: what is replaced is made under another name and renamed over it, so that the old one stays if the
 * new one cannot be had. A file that could not be written wholly is removed. Times come after the content, flags last.
 */
export class EntryRestorer {
  readonly #rules: RestoreRules;
  readonly #content: ContentTarget;
  readonly #report: JobReport;
  readonly #me: { readonly uid: number; readonly gid: number };
  /** Valid until the next call of the system, and never across an `await`. */
  readonly #status = new FileStatus();

  constructor({ rules, content, report }: { rules: RestoreRules; content: ContentTarget; report: JobReport }) {
    this.#rules = rules;
    this.#content = content;
    this.#report = report;
    this.#me = currentIdentity();
  }

  /** Restores an entry as the rules say. What befalls it is reported; only what ends the whole restore is thrown. */
  async restore(entry: LeafEntry, folder: FolderState, part: number): Promise<Outcome> {
    const subject = { part, name: entry.name };
    let outcome: Outcome = 'failed';
    let identity: Identity | undefined;
    try {
      outcome = this.#decide(entry, folder, subject) ?? (await this.#make(entry, folder, subject));
      if (entry.extensions.link !== undefined && outcome !== 'refused') identity = this.#identityAt(folder, entry.name);
    } catch (error) {
      if (endsRestore(error)) throw error;
      this.#report.fault(subject, error as LaganError);
    }
    this.#count(entry, outcome);
    const { link } = entry.extensions;
    if (link !== undefined)
      this.#report.linked({ part, name: entry.name.slice(), device: link.device, inode: entry.inode, outcome, identity });
    return outcome;
  }

  /** What becomes of it if nothing has to be made. */
  #decide(entry: LeafEntry, folder: FolderState, subject: Subject): Outcome | undefined {
    if (!folder.existed || folder.descriptor < 0) return undefined;
    const found = tryStat(folder.descriptor, entry.name, this.#status);
    if (found === -errnoOf.ENOENT) return undefined;
    orThrow(found, 'look at', entry.name);
    const owner = ownerOf(entry, this.#rules.numericOwner);
    const readTarget = () => readLink(folder.descriptor, entry.name);
    const decision = decide(this.#rules.overwrite, entry, { status: this.#status, owner, readTarget });
    if (decision === 'replace') {
      if (this.#status.type === 'directory' && !this.#rules.dryRun) clearTheWay(folder.descriptor, entry.name, this.#rules);
      return undefined;
    }
    if (decision === 'keep') return 'kept';
    if (decision === 'metadata' && !this.#rules.dryRun) this.#repairMetadata(entry, folder, { subject, owner });
    return 'same';
  }

  #repairMetadata(entry: LeafEntry, folder: FolderState, { subject, owner }: { subject: Subject; owner: Placing['owner'] }): void {
    const metadata = metadataOf(entry, owner, { withoutFlags: entry.extensions.link !== undefined });
    const options: ApplyOptions = { surplus: 'remove' };
    const descriptor = entry.type === 'file' ? tryOpenFile(folder.descriptor, entry.name) : -errnoOf.EACCES;
    // What cannot be opened, even a file of one's own, has a handle.
    if (descriptor === -errnoOf.EACCES) {
      this.#report.metadataLosses(subject, applyMetadataAt(folder.descriptor, entry.name, { metadata, ...options }));
      return;
    }
    orThrow(descriptor, 'open', entry.name);
    try {
      this.#report.metadataLosses(subject, applyMetadata(descriptor, metadata, options));
    } finally {
      closeDescriptor(descriptor);
    }
  }

  async #make(entry: LeafEntry, folder: FolderState, subject: Subject): Promise<Outcome> {
    if (this.#rules.dryRun) {
      if (entry.type === 'file') this.#report.bytes += entry.size;
      return 'restored';
    }
    const isTemporary = this.#isTaken(folder, entry.name) || (entry.type === 'file' && entry.size >= restoreLimits.temporaryFromBytes);
    const name = isTemporary ? temporaryName(entry.name) : entry.name;
    const placing: Placing = { entry, folder, subject, owner: ownerOf(entry, this.#rules.numericOwner), name, isTemporary };
    return entry.type === 'file' ? this.#makeFile(entry, placing) : this.#makeOther(entry, placing);
  }

  /** In a folder that the restore made only what others put there meanwhile is found, by EEXIST. */
  #isTaken(folder: FolderState, name: Uint8Array): boolean {
    return folder.existed && tryStat(folder.descriptor, name, this.#status) !== -errnoOf.ENOENT;
  }

  async #makeFile(entry: FileEntry, placing: Placing): Promise<Outcome> {
    const { folder, subject, owner, name } = placing;
    const isMine = owner.uid === this.#me.uid && owner.gid === this.#me.gid;
    const mode = isMine && !placing.isTemporary ? entry.mode & 0o777 : 0o600;
    const descriptor = orThrow(
      this.#create(placing, () => tryCreateFile(folder.descriptor, name, mode)),
      'make the file',
      entry.name,
    );
    try {
      if (entry.extensions.flags !== undefined) applyCreationFlags(descriptor, entry.extensions.flags);
      const bytes = await this.#content.write(descriptor, entry);
      const metadata = metadataOf(entry, owner, { withoutFlags: placing.isTemporary || entry.extensions.link !== undefined });
      const losses = applyMetadata(descriptor, metadata, this.#applyOptions(folder, mode));
      if (losses.length > 0) this.#report.metadataLosses(subject, losses);
      if (placing.isTemporary) this.#finish(placing, descriptor);
      this.#report.bytes += bytes;
    } catch (error) {
      tryRemoveFile(folder.descriptor, name);
      throw error;
    } finally {
      closeDescriptor(descriptor);
    }
    if (entry.extensions.readError !== undefined) this.#report.incomplete(subject, entry.extensions.readError);
    return 'restored';
  }

  #makeOther(entry: Exclude<LeafEntry, FileEntry>, placing: Placing): Outcome {
    const { folder, subject, owner, name } = placing;
    const { descriptor: parent } = folder;
    const made = this.#create(placing, () =>
      entry.type === 'symlink' ? tryCreateSymlink(parent, name, entry.target) : tryCreateNode(parent, name, entry),
    );
    if (made === -errnoOf.EPERM && (entry.type === 'character-device' || entry.type === 'block-device')) {
      this.#report.loss(subject, 'device', 'EPERM');
      return 'refused';
    }
    orThrow(made, `make the ${entry.type}`, entry.name);
    try {
      const metadata = metadataOf(entry, owner, { withoutFlags: true });
      this.#report.metadataLosses(subject, applyMetadataAt(parent, name, { metadata, ...this.#applyOptions(folder, undefined) }));
      if (placing.isTemporary) this.#finish(placing, undefined);
    } catch (error) {
      tryRemoveFile(parent, name);
      throw error;
    }
    return 'restored';
  }

  /** Creates something; what an earlier, killed restore left under the temporary name is removed first. Returns a descriptor or 0, or −errno. */
  #create({ folder, name, isTemporary }: Placing, create: () => number): number {
    const result = create();
    if (result !== -errnoOf.EEXIST || !isTemporary) return result;
    orThrow(tryRemoveFile(folder.descriptor, name), 'remove', name);
    return create();
  }

  /** Gives a finished entry its name, and then the flags that might have forbidden this. */
  #finish({ entry, folder, subject, name }: Placing, descriptor: Descriptor | undefined): void {
    orThrow(tryPutIntoPlace({ parent: folder.descriptor, name }, entry.name, this.#rules), 'put into its place', entry.name);
    const { flags, link } = entry.extensions;
    if (descriptor === undefined || link !== undefined || (flags === undefined && !folder.inherits)) return;
    this.#report.metadataLosses(subject, applyMetadata(descriptor, { type: entry.type, flags: flags ?? 0 }, { surplus: 'remove' }));
  }

  #applyOptions({ inherits }: FolderState, mode: number | undefined): ApplyOptions {
    if (inherits) return { surplus: 'remove' };
    const { uid, gid } = this.#me;
    return mode === undefined ? { known: { uid, gid } } : { known: { uid, gid, mode: mode & ~this.#rules.umask } };
  }

  #identityAt(folder: FolderState, name: Uint8Array): Identity | undefined {
    if (folder.descriptor < 0 || tryStat(folder.descriptor, name, this.#status) < 0) return undefined;
    return { device: this.#status.device, inode: this.#status.inode };
  }

  #count(entry: LeafEntry, outcome: Outcome): void {
    const report = this.#report;
    if (entry.type === 'file') {
      report.filesDone++;
      report.bytesDone += entry.size;
    }
    if (outcome === 'same' || outcome === 'kept') report.skipped++;
    else if (outcome === 'restored') {
      if (entry.type === 'file') report.files++;
      else report.others++;
    }
  }
}
