/** Patterns that a person keeps in a file. */
import { readFile } from 'node:fs/promises';
import { systemError } from './errors.ts';
import { textOfBytes } from './text.ts';

/** Lines of a file as in .gitignore: blank ones and comments count for nothing, blanks at the end neither unless after a backslash. */
export async function readPatterns(path: string): Promise<string[]> {
  try {
    const lines = textOfBytes(await readFile(path)).split(/\r?\n/);
    return lines.map((line) => line.replace(/(?<!\\)\s+$/, '')).filter((line) => line !== '' && !line.startsWith('#'));
  } catch (error) {
    throw systemError('read the patterns of --exclude-file from', path, error);
  }
}
