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
import type { VolumeRestoreResult } from './volume.ts';

/** The name of the file that a block device is in its snapshot. */
export const deviceName = 'device';
const pieceBytes = 1024 * 1024;
/** What a file system, a partition table or a database on a bare device is known by. */
export const headBytes = 1024 * 1024;

/** From its first byte to its last. */
export function readDevice(path: string): AsyncIterable<Uint8Array> {
  return createReadStream(path, { highWaterMark: pieceBytes });
}

export interface DeviceRestoreOptions {
  readonly path: string;
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes all bytes; where the snapshot has a hole, zeros, but only if something else is there. The head is empty until all else is durable: a part is not taken for the
 * whole. Durable when it resolves.
 */
export async function restoreDevice(
  repository: Repository,
  info: SnapshotInfo,
  { path, onProgress, signal }: DeviceRestoreOptions,
): Promise<VolumeRestoreResult> {
  const begunMs = performance.now();
  const name = new Uint8Array(Buffer.from(`/${deviceName}`));
  const file = openFile(repository, (await lookup(repository, info, name, { signal })).entry, { signal });
  const device = await open(path, 'r+');
  let bytesDone = 0;
  const onBytes = (count: number): void => {
    bytesDone += count;
    onProgress?.({ phase: 'restore', filesDone: 0, filesTotal: 1, bytesDone, bytesTotal: file.size, currentPath: name, errors: 0 });
  };
  const headEnd = Math.min(headBytes, file.size);
  try {
    await expectRoom(device, path, file.size);
    await clear(device, { start: 0, end: headEnd, signal });
    await device.sync();
    await write(file, device, { start: headEnd, end: file.size, onBytes, signal });
    await device.sync();
    await write(file, device, { start: 0, end: headEnd, onBytes, signal });
    await device.sync();
  } finally {
    await device.close();
  }
  return { bytes: file.size, files: 1, errors: [], durationMs: performance.now() - begunMs };
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
