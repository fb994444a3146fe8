/**
 * The door to the operating system: all that Node's `fs` lacks, by descriptors and raw names, safe against swapped symbolic links.
 *
 * Only this folder calls the C library. Conventions: a name is one path component, raw bytes; functions called `try…` return −errno instead of
 * throwing; all others throw LaganError with the field `errno` ('ENOENT'). Everything works in any thread; descriptors belong to the process.
 */

export * from './create.ts';
export {
  closeDescriptor,
  type Descriptor,
  joinPath,
  type OpenUse,
  openBeneath,
  openDirectory,
  openFile,
  openForUpdate,
  openHandle,
  openRoot,
  reopenDirectory,
  splitPath,
  tryOpenBeneath,
  tryOpenDirectory,
  tryOpenFile,
  tryOpenForUpdate,
  tryOpenHandle,
} from './descriptors.ts';
export * from './directory.ts';
export { errnoName, errnoOf, printable, systemError } from './errno.ts';
export {
  type ExtendedAttribute,
  type ExtendedAttributes,
  noExtendedAttributes,
  readExtendedAttributes,
  readExtendedAttributesAt,
} from './extended-attributes.ts';
export { fileFlag, readFileFlags, readProjectId, restorableFlags } from './file-flags.ts';
export * from './holes.ts';
export * from './links.ts';
export * from './metadata.ts';
export * from './names.ts';
export * from './path-walk.ts';
export * from './process.ts';
export * from './remove.ts';
export {
  attributeMountRoot,
  type EntryType,
  FileStatus,
  mayHaveHoles,
  type NameRange,
  statAt,
  statDescriptor,
  statPath,
  tryStat,
  tryStatDescriptor,
  tryStatName,
} from './stat.ts';
