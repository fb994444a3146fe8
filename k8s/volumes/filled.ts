import fs from 'node:fs/promises';
import { onVolume } from './_errors.ts';
import { markName, nextMarkName } from './_mark.ts';
import type { VolumePlace } from './volume.ts';

/** What file systems and stores have of themselves, and what restores leave. */
const ownNames = new Set(['lost+found', '.snapshot', markName, nextMarkName]);
const pieceBytes = 4 * 1024 * 1024;

/** Whether there is anything in the volume that could be somebody's: any name in its folder but what a file system has of itself; any byte of a device that is not zero, wherever it is. */
export function isFilled(place: VolumePlace, signal?: AbortSignal): Promise<boolean> {
  return onVolume(place, 'look into', async () => {
    if (place.kind === 'folder') return (await fs.readdir(place.path)).some((name) => !ownNames.has(name));
    const device = await fs.open(place.path, 'r');
    try {
      const [piece, zeros] = [Buffer.alloc(pieceBytes), Buffer.alloc(pieceBytes)];
      for (let at = 0; ; at += pieceBytes) {
        signal?.throwIfAborted();
        const { bytesRead } = await device.read(piece, 0, pieceBytes, at);
        if (bytesRead === 0) return false;
        if (!piece.subarray(0, bytesRead).equals(zeros.subarray(0, bytesRead))) return true;
      }
    } finally {
      await device.close();
    }
  });
}
