/** Entries of snapshots as lines for people. */
import type { Entry, EntryType } from './engine.ts';
import type { Output } from './output.ts';
import { textOfBytes } from './text.ts';
import { formatTime } from './times.ts';

const typeLetters: Record<EntryType, string> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  fifo: 'p',
  socket: 's',
  'character-device': 'c',
  'block-device': 'b',
};

/** `drwxr-sr-x`, as ls prints it. */
export function formatMode(type: EntryType, mode: number): string {
  const letters = [6, 3, 0].map((shift) => ['r', 'w', 'x'].map((letter, bit) => ((mode >> (shift + 2 - bit)) & 1 ? letter : '-')).join(''));
  const special = (text: string, isSet: boolean, letter: string) =>
    isSet ? text.slice(0, 2) + (text.endsWith('x') ? letter : letter.toUpperCase()) : text;
  return (
    typeLetters[type] +
    special(letters[0]!, (mode & 0o4000) !== 0, 's') +
    special(letters[1]!, (mode & 0o2000) !== 0, 's') +
    special(letters[2]!, (mode & 0o1000) !== 0, 't')
  );
}

/** Mode, owner, group, size and time, as `ls -l` prints them; the path comes after. */
export function formatDetails(entry: Entry): string {
  const owner = `${entry.userName || entry.uid} ${entry.groupName || entry.gid}`;
  return `${formatMode(entry.type, entry.mode)} ${owner.padEnd(15)} ${sizeOf(entry).padStart(12)} ${formatTime(entry.mtime)}`;
}

/** The path, with the target of a symbolic link if details are wanted. */
export function formatPath(output: Output, path: Uint8Array, entry: Entry, detail: 'short' | 'long'): string {
  const text = output.name(textOfBytes(path));
  const coloured = entry.type === 'directory' ? output.style('blue', text) : entry.type === 'symlink' ? output.style('cyan', text) : text;
  return detail === 'long' && entry.type === 'symlink' ? `${coloured} -> ${output.name(textOfBytes(entry.target))}` : coloured;
}

function sizeOf(entry: Entry): string {
  if (entry.type === 'file') return String(entry.size);
  return entry.type === 'character-device' || entry.type === 'block-device' ? `${entry.major}, ${entry.minor}` : '-';
}
