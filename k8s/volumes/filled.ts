import fs from 'node:fs/promises';
import { headBytes } from './_device.ts';
import { unfinishedName } from './_unfinished.ts';
import type { VolumePlace } from './volume.ts';

/** What a file system has of itself. */
const ownNames = new Set(['lost+found', unfinishedName]);

/**
 * Whether there is data in the volume: anything in its folder but what a file system has of itself and a restore that has not come to its end; anything
 * but zeros at the head of a device.
 */
export async function isFilled(place: VolumePlace): Promise<boolean> {
  if (place.kind === 'folder') return (await fs.readdir(place.path)).some((name) => !ownNames.has(name));
  const device = await fs.open(place.path, 'r');
  try {
    const { buffer, bytesRead } = await device.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    return buffer.subarray(0, bytesRead).some((byte) => byte !== 0);
  } finally {
    await device.close();
  }
}
