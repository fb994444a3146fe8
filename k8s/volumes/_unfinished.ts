/**
 * A mark in the folder of a volume while it is restored: what is there meanwhile is neither backed up nor taken for the data of an application. It stays when
 * a restore is killed; the next one goes on and takes it away.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { LaganError } from '../../engine/mod.ts';
import { applyMetadata, statDescriptor } from '../../engine/system/mod.ts';

export const unfinishedName = '.lagan-restoring';

/** Which snapshot is restored into the folder and has not come to its end: the start of its id. Null: none. */
export async function unfinishedRestore(folder: string): Promise<string | null> {
  try {
    return (await fs.readFile(path.join(folder, unfinishedName), 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Code: half-restored. */
export async function expectWhole(folder: string): Promise<void> {
  const snapshot = await unfinishedRestore(folder);
  if (snapshot === null) return;
  throw new LaganError(
    'half-restored',
    `${folder} holds a part of snapshot ${snapshot.slice(0, 8)} only: a restore has not come to its end`,
    {
      object: folder,
      found: snapshot,
      hint: `restore it again; or remove ${unfinishedName} there to take the volume as it is`,
    },
  );
}

/** Durable when it resolves. Whatever a volume may hold under that name is followed nowhere. */
export async function markUnfinished(folder: string, snapshot: string): Promise<void> {
  const file = path.join(folder, unfinishedName);
  await fs.rm(file, { force: true });
  const handle = await fs.open(file, 'wx', 0o600);
  try {
    await handle.writeFile(`${snapshot}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await withFolder(folder, (opened) => opened.sync());
}

/** The folder keeps the times that the restore gave it. */
export async function unmark(folder: string): Promise<void> {
  await withFolder(folder, async (opened) => {
    const { modifiedSeconds, modifiedNanoseconds, accessedSeconds, accessedNanoseconds } = statDescriptor(opened.fd);
    await fs.rm(path.join(folder, unfinishedName), { force: true });
    const modified = { seconds: modifiedSeconds, nanoseconds: modifiedNanoseconds };
    const accessed = { seconds: accessedSeconds, nanoseconds: accessedNanoseconds };
    applyMetadata(opened.fd, { type: 'directory', modified, accessed });
    await opened.sync();
  });
}

async function withFolder(folder: string, use: (opened: fs.FileHandle) => Promise<void>): Promise<void> {
  const opened = await fs.open(folder, 'r');
  try {
    await use(opened);
  } finally {
    await opened.close();
  }
}
