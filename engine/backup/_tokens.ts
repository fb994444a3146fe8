/** What the scan hands to the assembly, in the order of the tree: depth first, names of a folder ascending. */
import type { Content, DirectoryEntry, Entry, Extensions, FileEntry, NodeReference, PackId, Time } from '../../repo-format/mod.ts';
import type { FileOutcome } from './_files.ts';

/** The fields that all entries have. */
export interface EntryFields {
  readonly name: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly userName: string;
  readonly groupName: string;
  readonly mtime: Time;
  readonly ctime: Time;
  readonly inode: number | bigint;
  readonly extensions: Extensions;
}

/** The content of a file as it becomes known. */
export interface StoredContent {
  readonly content: Content;
  readonly outcome: FileOutcome;
}

export type Token =
  /** A folder begins. `above`: it only leads to what is backed up. `previous`: its entry in the parent snapshot, if its own metadata did not change since; `previousNode`: the parent snapshot's nodes. */
  | {
      readonly type: 'enter';
      readonly fields: EntryFields;
      readonly previous: DirectoryEntry | undefined;
      readonly previousNode: NodeReference | null | undefined;
      readonly above: boolean;
    }
  /** It ends. `previousPacks`: all names of the parent snapshot's folder were met again, and its nodes, in these packs, are good. */
  | { readonly type: 'leave'; readonly previousPacks: readonly PackId[] | undefined }
  /** Anything that is complete. `unchanged`: it is the parent snapshot's entry. */
  | { readonly type: 'entry'; readonly entry: Entry; readonly unchanged: boolean }
  /** A file whose content is being stored. */
  | {
      readonly type: 'file';
      readonly fields: EntryFields;
      readonly size: number;
      readonly stored: Promise<StoredContent>;
      readonly path: Uint8Array;
      readonly previous: FileEntry | undefined;
    };
