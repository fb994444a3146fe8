/** `lagan export`: a snapshot as a tar archive that `lagan import tar` makes the same snapshot of. */
import type { Command } from 'commander';
import { defineArchive } from '../shared/archive-command.ts';
import { archiveComment } from '../shared/exported.ts';
import { addExamples } from '../shared/options.ts';
import { bytesOfText } from '../shared/text.ts';

export function define(command: Command): void {
  defineArchive(command, ({ repositoryId, info, start }) => ({
    top: bytesOfText('/'),
    detail: 'all',
    comment: archiveComment(repositoryId, info, start),
  })).description(
    'Writes a snapshot as a tar archive with all that it has: host, user, times, tags and description, and of the files also holes, flags, project ids and sockets. lagan import tar makes an equal snapshot of it, in any repository. Any tar program can read it; what is beyond tar it passes over.',
  );
  addExamples(command, [
    ['lagan export latest -o web1.tar', 'a whole snapshot'],
    ['lagan export latest | lagan import tar - -r /mnt/other', 'into another repository'],
    ['lagan export latest /etc | zstd > etc.tar.zst', 'a folder, compressed'],
  ]);
}
