/**
 * A mark on a volume while it is restored: a file in its folder, or the first block of a device. What is there meanwhile is neither backed up nor taken for the data of an
 * application. It stays when a restore is killed, and goes when all is there.
 */
import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { LaganError } from '../../engine/mod.ts';
import { applyMetadata, statDescriptor } from '../../engine/system/mod.ts';
import { onVolume } from './_errors.ts';
import type { VolumePlace } from './volume.ts';

export interface Mark {
  /** What is restored. */
  readonly snapshot: string;
  /** Who does it. */
  readonly owner: string;
  /** Grows as long as they are at it. */
  readonly beat: number;
}

export const markName = '.lagan-restoring';
/** Where the next mark is written before it takes the place of the one before. */
export const nextMarkName = '.lagan-restoring.next';
const magic = 'LAGAN RESTORING\n';
/** Of a device: what is written at once. */
export const markBytes = 4096;
/** Of something under the name of a mark that none of ours made. */
const illegible: Mark = { snapshot: '', owner: '', beat: 0 };

/** Null: there is none. */
export function readMark(place: VolumePlace): Promise<Mark | null> {
  return onVolume(place, 'look for an unfinished restore in', async () => {
    const text = place.kind === 'folder' ? await readText(path.join(place.path, markName)) : await readHead(place.path);
    if (text === null) return null;
    if (!text.startsWith(magic)) return place.kind === 'folder' ? illegible : null;
    return parsed(text.slice(magic.length));
  });
}

function parsed(text: string): Mark {
  try {
    const { snapshot, owner, beat } = JSON.parse(text.replaceAll('\0', '')) as Partial<Mark>;
    return { snapshot: String(snapshot), owner: String(owner), beat: Number(beat) };
  } catch {
    return illegible;
  }
}

/** Whoever writes into the volume owns that name: nothing is followed, waited for or read without end. Null: there is nothing of it. */
async function readText(file: string): Promise<string | null> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let handle: fs.FileHandle;
  try {
    handle = await fs.open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') return '';
    throw error;
  }
  try {
    return (await handle.stat()).isFile() ? await readStart(handle) : '';
  } finally {
    await handle.close();
  }
}

async function readHead(device: string): Promise<string> {
  const handle = await fs.open(device, 'r');
  try {
    return await readStart(handle);
  } finally {
    await handle.close();
  }
}

async function readStart(handle: fs.FileHandle): Promise<string> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(markBytes), 0, markBytes, 0);
  return buffer.toString('latin1', 0, bytesRead);
}

/** False if a folder has one already. Durable when it resolves. */
export function makeMark(place: VolumePlace, mark: Mark): Promise<boolean> {
  return onVolume(place, 'mark', async () => {
    if (place.kind === 'device') return writeHead(place.path, mark).then(() => true);
    try {
      await writeNew(path.join(place.path, markName), mark);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
    await syncFolder(place.path);
    return true;
  });
}

/** There is a mark at every moment. Durable when it resolves. */
export function replaceMark(place: VolumePlace, mark: Mark): Promise<void> {
  return onVolume(place, 'mark', async () => {
    if (place.kind === 'device') return writeHead(place.path, mark);
    const next = path.join(place.path, nextMarkName);
    await keepingTimes(place.path, async () => {
      await fs.rm(next, { force: true, recursive: true });
      await writeNew(next, mark);
      await fs.rename(next, path.join(place.path, markName));
    });
  });
}

/** Of a folder; a device loses its mark to what belongs there. */
export function removeMark(place: VolumePlace & { readonly kind: 'folder' }): Promise<void> {
  return onVolume(place, 'take the mark off', () =>
    keepingTimes(place.path, async () => {
      for (const name of [nextMarkName, markName]) await fs.rm(path.join(place.path, name), { force: true, recursive: true });
    }),
  );
}

/** The folder keeps the times that the restore gave it. Durable when it resolves. */
async function keepingTimes(name: string, change: () => Promise<void>): Promise<void> {
  const folder = await fs.open(name, 'r');
  try {
    const { modifiedSeconds, modifiedNanoseconds, accessedSeconds, accessedNanoseconds } = statDescriptor(folder.fd);
    await change();
    const modified = { seconds: modifiedSeconds, nanoseconds: modifiedNanoseconds };
    const accessed = { seconds: accessedSeconds, nanoseconds: accessedNanoseconds };
    applyMetadata(folder.fd, { type: 'directory', modified, accessed });
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Code: half-restored. */
export async function expectWhole(place: VolumePlace): Promise<void> {
  const mark = await readMark(place);
  if (mark !== null) throw halfRestored(place, mark);
}

export function halfRestored({ kind, path: object }: VolumePlace, { snapshot }: Mark): LaganError {
  const what = snapshot === '' ? 'something' : `snapshot ${snapshot.slice(0, 8)}`;
  const rid = kind === 'folder' ? `remove ${markName} there` : `overwrite its first ${markBytes} bytes`;
  return new LaganError('half-restored', `${object} holds a part of ${what} only: a restore has not come to its end`, {
    object,
    found: snapshot,
    hint: `restore it again; or ${rid} to take the volume as it is`,
  });
}

function textOf(mark: Mark): string {
  return `${magic}${JSON.stringify(mark)}\n`;
}

async function writeNew(file: string, mark: Mark): Promise<void> {
  const handle = await fs.open(file, 'wx', 0o644);
  try {
    await handle.writeFile(textOf(mark));
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeHead(device: string, mark: Mark): Promise<void> {
  const handle = await fs.open(device, 'r+');
  try {
    const block = Buffer.alloc(markBytes);
    block.write(textOf(mark));
    await handle.write(block, 0, markBytes, 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
