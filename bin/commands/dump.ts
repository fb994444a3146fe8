/** `lagan dump`: prints a snapshot as a tar archive. */
import type { Command } from 'commander';
import { defineArchive } from '../shared/archive-command.ts';
import { addExamples } from '../shared/options.ts';

export function define(command: Command): void {
  defineArchive(command, ({ folder }) => ({ top: folder, detail: 'plain' })).description(
    'Prints a snapshot, or a folder of it, as a tar archive (POSIX pax, with times to the nanosecond, hard links, devices and extended attributes). Paths in the archive are those of the snapshot without the first slash; after a colon, PATH is where the archive begins.',
  );
  addExamples(command, [
    ['lagan dump latest | ssh host tar x --xattrs --xattrs-include=* -C /restore', 'restore on another machine'],
    ['lagan dump latest:/srv/data -o data.tar', 'a folder, from its own top'],
    ['lagan dump latest /etc | zstd > etc.tar.zst', 'compressed'],
  ]);
}
