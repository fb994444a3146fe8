import type { Entry, Snapshot } from '../../repo-format/mod.ts';
import type { ImportedFrom } from './options.ts';

/** The key of a snapshot's extension that says of which backup of another program it was made. */
const importedKey = 'imported';

/** The extension of a snapshot that was made of another backup; none if that is not known. */
export function importedExtension(from: ImportedFrom | undefined): Snapshot['extensions'] {
  return from === undefined ? {} : { [importedKey]: { ...from } };
}

/** Of which backup of another program, or of another repository, a snapshot was made, if it was. */
export function importedFrom({ extensions }: Pick<Snapshot, 'extensions'>): ImportedFrom | null {
  const { program, repository, snapshot } = (extensions[importedKey] ?? {}) as Partial<Record<keyof ImportedFrom, unknown>>;
  const isKnown = typeof program === 'string' && typeof repository === 'string' && typeof snapshot === 'string';
  return isKnown ? { program, repository, snapshot } : null;
}

/**
 * What is kept of an entry that was restored from another backup. Its times of change and access and its inode are those of the restore: they say nothing, and would make
 * equal files differ. Where the inode says which names are one file, it stays.
 */
export function asRestored(entry: Entry): Entry {
  const { accessTime: _, ...extensions } = entry.extensions;
  const link = extensions.link && { ...extensions.link, device: 0 };
  return {
    ...entry,
    ctime: entry.mtime,
    inode: link === undefined ? 0 : entry.inode,
    extensions: link ? { ...extensions, link } : extensions,
  };
}
