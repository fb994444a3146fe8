/** The bytes of a block device, out of the repository and into it. */
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import {
  LaganError,
  lookup,
  type OpenedFile,
  openFile,
  type Repository,
  type RestoreProgress,
  type SnapshotInfo,
} from '../../engine/mod.ts';
import type { VolumeClaim } from './_claim.ts';
import { onVolume } from './_errors.ts';
import { markBytes } from './_mark.ts';
import type { VolumePlace, VolumeRestoreResult } from './volume.ts';

/** The name of the file that a block device is in its snapshot. */
export const deviceName = 'device';
const pieceBytes = 1024 * 1024;
/** From its first byte to its last. */
export function readDevice(path: string): AsyncIterable<Uint8Array> {
  return createReadStream(path, { highWaterMark: pieceBytes });
}

export interface DeviceRestoreOptions {
  readonly place: VolumePlace;
  /** Its mark stands in the first block until all else is there. */
  readonly claim: VolumeClaim | undefined;
  /** Reads all again and compares it. */
  readonly verify?: boolean | undefined;
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes all bytes, the first block last and at once; where the snapshot has a hole, zeros, but only if something else is there. Durable when it resolves.
 *
 * Codes: no-space if the device is too small; io if it does not keep what was written (`verify`).
 */
export async function restoreDevice(
  repository: Repository,
  info: SnapshotInfo,
  { place, claim, verify = false, onProgress, signal }: DeviceRestoreOptions,
): Promise<VolumeRestoreResult> {
  const begunMs = performance.now();
  const name = new Uint8Array(Buffer.from(`/${deviceName}`));
  const file = openFile(repository, (await lookup(repository, info, name, { signal })).entry, { signal });
  let bytesDone = 0;
  const onBytes = (count: number): void => {
    bytesDone += count;
    onProgress?.({ phase: 'restore', filesDone: 0, filesTotal: 1, bytesDone, bytesTotal: file.size, currentPath: name, errors: 0 });
  };
  await onVolume(place, 'restore', async () => {
    const device = await open(place.path, 'r+');
    try {
      await expectRoom(device, place.path, file.size);
      const headEnd = Math.min(markBytes, file.size);
      const rest = { start: headEnd, end: file.size, onBytes, signal };
      await write(file, device, rest);
      await device.sync();
      if (verify) await compare(file, device, { ...rest, path: place.path });
      const head = await bytesOf(file, headEnd);
      const complete = async () => {
        await writeAll(device, head, 0);
        await device.sync();
        onBytes(headEnd);
      };
      await (claim === undefined ? complete() : claim.finish(complete));
    } finally {
      await device.close();
    }
  });
  return { bytes: file.size, files: 1, errors: [], errorCount: 0, notRestored: [], durationMs: performance.now() - begunMs };
}

/** From the first byte to `end`. */
async function bytesOf(file: OpenedFile, end: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of file.stream({ start: 0, end })) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}

async function compare(
  file: OpenedFile,
  device: FileHandle,
  { start, end, path, signal }: { start: number; end: number; path: string; signal: AbortSignal | undefined },
): Promise<void> {
  let at = start;
  const found = Buffer.alloc(pieceBytes);
  for await (const piece of file.stream({ start, end })) {
    for (let offset = 0; offset < piece.length; ) {
      signal?.throwIfAborted();
      const { bytesRead } = await device.read(found, 0, Math.min(pieceBytes, piece.length - offset), at);
      if (bytesRead === 0 || !found.subarray(0, bytesRead).equals(piece.subarray(offset, offset + bytesRead)))
        throw new LaganError('io', `${path} does not keep what is written to it: it reads otherwise at ${at}`, {
          object: path,
          offset: at,
        });
      offset += bytesRead;
      at += bytesRead;
    }
  }
}

interface WrittenRange {
  readonly start: number;
  readonly end: number;
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal | undefined;
}

async function write(file: OpenedFile, device: FileHandle, { start: from, end: to, onBytes, signal }: WrittenRange): Promise<void> {
  for await (const stretch of file.stretches()) {
    const [start, end] = [Math.max(stretch.start, from), Math.min(stretch.end, to)];
    if (start >= end) continue;
    if (stretch.kind === 'hole') {
      await clear(device, { start, end, signal });
      onBytes(end - start);
    } else await copy(file, device, { start, end, onBytes });
  }
}

async function copy(file: OpenedFile, device: FileHandle, { start, end, onBytes }: Omit<WrittenRange, 'signal'>): Promise<void> {
  let at = start;
  for await (const piece of file.stream({ start, end })) {
    await writeAll(device, piece, at);
    at += piece.length;
    onBytes(piece.length);
  }
}

async function clear(device: FileHandle, { start, end, signal }: Omit<WrittenRange, 'onBytes'>): Promise<void> {
  const [zeros, found] = [Buffer.alloc(pieceBytes), Buffer.alloc(pieceBytes)];
  for (let at = start; at < end; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await device.read(found, 0, Math.min(pieceBytes, end - at), at);
    if (bytesRead === 0) return;
    if (!found.subarray(0, bytesRead).equals(zeros.subarray(0, bytesRead))) await writeAll(device, zeros.subarray(0, bytesRead), at);
    at += bytesRead;
  }
}

async function writeAll(device: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await device.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
}

/** A device does not grow. Nothing has been written yet. */
async function expectRoom(device: FileHandle, path: string, sizeBytes: number): Promise<void> {
  if (sizeBytes === 0) return;
  const { bytesRead } = await device.read(Buffer.alloc(1), 0, 1, sizeBytes - 1);
  if (bytesRead === 1) return;
  throw new LaganError('no-space', `${path} is too small: the snapshot has ${sizeBytes} bytes`, {
    object: path,
    expected: sizeBytes,
    hint: 'make a claim that is at least as large',
  });
}
