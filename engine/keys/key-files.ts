/** Key files on disk: read with a look at who else may read them; written for the owner only, durably, and never over something else. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { LaganError } from '../../repo-format/mod.ts';
import { errorOfFile } from './_file-errors.ts';
import { keyLimits } from './limits.ts';
import { keyFileText, parseSecretText, type Secret } from './secrets.ts';

export interface ReadKeyFile {
  readonly secret: Exclude<Secret, { kind: 'password' }>;
  /** Sentences for the user, such as that others can read the file. */
  readonly warnings: readonly string[];
}

/**
 * Reads a key file, an identity file, or a file with the words of a recovery key; a pipe is read, too.
 *
 * Codes: no-key (there is no such file), malformed-key, forbidden, io.
 */
export async function readKeyFile(file: string): Promise<ReadKeyFile> {
  const { text, warnings } = await readSecretText(file, 'key file');
  return { secret: await parseSecretText(text), warnings };
}

/** Reads a password from a file: its first line. Codes: no-key (no such file, or it is empty), malformed-key, forbidden, io. */
export async function readPasswordFile(
  file: string,
): Promise<{ secret: Extract<Secret, { kind: 'password' }>; warnings: readonly string[] }> {
  const { text, warnings } = await readSecretText(file, 'password file');
  const password = text.split(/\r?\n/, 1)[0]!;
  if (password === '') throw new LaganError('no-key', `the first line of the password file ${file} is empty`, { object: file });
  return { secret: { kind: 'password', password }, warnings };
}

/** Writes a new key file, readable by the owner only; folders that are missing are made so, too. Codes: exists, no-space, read-only, forbidden, io. */
export async function writeKeyFile(
  file: string,
  secret: Exclude<Secret, { kind: 'password' }>,
  { comment }: { comment?: string } = {},
): Promise<void> {
  const text = keyFileText(secret, { comment });
  try {
    await fs.mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await writeNew(file, text);
  } catch (error) {
    throw errorOfFile(error, { attempt: 'writing the key file', file });
  }
}

/** Under another name first, so that nobody ever reads a part of it. */
async function writeNew(file: string, text: string): Promise<void> {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString('hex')}`);
  const handle = await fs.open(temporary, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
    await fs.link(temporary, file);
  } finally {
    await handle.close();
    await fs.unlink(temporary);
  }
  const folder = await fs.open(path.dirname(file), 'r');
  await folder.sync().finally(() => folder.close());
}

async function readSecretText(file: string, what: string): Promise<{ text: string; warnings: string[] }> {
  try {
    const handle = await fs.open(file, 'r');
    try {
      const status = await handle.stat();
      const warnings = status.isFile() && (status.mode & 0o077) !== 0 ? [othersMayRead(file, { what, mode: status.mode })] : [];
      return { text: await readLimited(handle, { file, what }), warnings };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw errorOfFile(error, { attempt: `reading the ${what}`, file, missing: 'no-key' });
  }
}

async function readLimited(handle: fs.FileHandle, { file, what }: { file: string; what: string }): Promise<string> {
  const buffer = Buffer.alloc(keyLimits.fileSizeBytes + 1);
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, null);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  if (filled <= keyLimits.fileSizeBytes) return buffer.toString('utf8', 0, filled);
  const fields = { object: file, expected: keyLimits.fileSizeBytes, found: `more than ${keyLimits.fileSizeBytes}` };
  throw new LaganError('malformed-key', `the ${what} ${file} has more than ${keyLimits.fileSizeBytes} bytes`, fields);
}

function othersMayRead(file: string, { what, mode }: { what: string; mode: number }): string {
  const rights = (mode & 0o777).toString(8).padStart(3, '0');
  return `other users may read the ${what} ${file} (mode ${rights}); chmod 600 makes it yours alone`;
}
