import { closeDescriptor, type Descriptor, type FileStatus, mayHaveHoles, openBeneath, statDescriptor } from '../system/mod.ts';
import { readExtras } from './_entry-fields.ts';
import type { ExpectedFile, FileExtras, FileMetadata, ReadFault } from './_files.ts';
import { backupLimits } from './_limits.ts';
import { ofSource, SourceError } from './_source-errors.ts';

/** A file of the source, and what it was like when it was opened: before its first byte is read, so that a later change shows in the next backup. */
export interface OpenedFile {
  readonly descriptor: Descriptor;
  readonly size: number;
  readonly mayHaveHoles: boolean;
  /** Undefined if it is what the scan saw. */
  readonly metadata: FileMetadata | undefined;
  readonly extras: FileExtras | undefined;
}

/** Opens a file that the scan saw, through no symbolic link. Throws SourceError: `vanished`, `replaced`, or what the system says. `status` is filled. */
export function openExpected(root: Descriptor, file: ExpectedFile, status: FileStatus): OpenedFile {
  const descriptor = ofSource(() => openBeneath(root, file.path, 'file'));
  try {
    ofSource(() => statDescriptor(descriptor, status));
    if (changedJustNow(status)) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, backupLimits.clockTickMs);
      ofSource(() => statDescriptor(descriptor, status));
    }
    if (status.type !== 'file')
      throw new SourceError({ code: 'replaced', message: `was a file when its folder was listed, is a ${status.type} now` });
    const metadata = isSame(status, file) ? undefined : metadataOf(status);
    return { descriptor, size: status.size, mayHaveHoles: mayHaveHoles(status), metadata, extras: readExtras(descriptor, status.device) };
  } catch (error) {
    closeDescriptor(descriptor);
    throw error;
  }
}

/** What is known of a file, now that it is read: it may have grown. What it had when it was opened is stored, so its entry is whole, but it is told. `status` is filled. */
export function extrasAfterReading(opened: OpenedFile, status: FileStatus): FileExtras | undefined {
  const { extras } = opened;
  const growth = growthOf(opened, status);
  if (growth === undefined) return extras;
  return { extendedAttributes: [], unread: undefined, flags: 0, projectId: 0, ...extras, faults: [...(extras?.faults ?? []), growth] };
}

function growthOf({ descriptor, size }: OpenedFile, status: FileStatus): ReadFault | undefined {
  try {
    ofSource(() => statDescriptor(descriptor, status));
  } catch (error) {
    if (error instanceof SourceError) return error.fault;
    throw error;
  }
  if (status.size <= size) return undefined;
  return { code: 'grew', message: `grew from ${size} to ${status.size} bytes while it was read; the first ${size} are stored` };
}

/** A second change within one tick of the kernel's clock may leave no trace in a file's times: then nobody would notice that what was read is old. */
function changedJustNow({ changedSeconds, changedNanoseconds }: FileStatus): boolean {
  const ageMs = Date.now() - (changedSeconds * 1000 + changedNanoseconds / 1e6);
  return ageMs > -1 && ageMs < backupLimits.clockTickMs;
}

function isSame(status: FileStatus, file: ExpectedFile): boolean {
  return (
    status.size === file.size &&
    status.inode === file.inode &&
    status.modifiedSeconds === file.modifiedSeconds &&
    status.modifiedNanoseconds === file.modifiedNanoseconds &&
    status.changedSeconds === file.changedSeconds &&
    status.changedNanoseconds === file.changedNanoseconds
  );
}

function metadataOf(status: FileStatus): FileMetadata {
  return {
    size: status.size,
    mode: status.mode,
    uid: status.uid,
    gid: status.gid,
    inode: status.inode,
    device: status.device,
    linkCount: status.linkCount,
    modified: { seconds: status.modifiedSeconds, nanoseconds: status.modifiedNanoseconds },
    changed: { seconds: status.changedSeconds, nanoseconds: status.changedNanoseconds },
  };
}
