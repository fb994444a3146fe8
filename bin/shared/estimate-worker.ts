/** Thread that counts what is below some paths; see estimate.ts. Answers once, or not at all if there is too much. */
import { lstatSync, readdirSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { Estimate, EstimateRequest } from './estimate.ts';

const maximumEntries = 3_000_000;

const answer = count(workerData as EstimateRequest);
if (answer) parentPort?.postMessage(answer);

function count({ paths, oneFileSystem }: EstimateRequest): Estimate | undefined {
  const total = { files: 0, bytes: 0 };
  let entries = 0;
  for (const path of paths) {
    const open: Buffer[] = [Buffer.from(path)];
    const device = deviceOf(open[0]!);
    for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
      entries += countFolder(folder, { total, open, device: oneFileSystem ? device : undefined });
      if (entries > maximumEntries) return undefined;
    }
  }
  return total;
}

/** Adds what is in a folder, or a file, to the total; folders below go to `open`. Whatever cannot be read counts nothing. */
function countFolder(path: Buffer, { total, open, device }: { total: Estimate; open: Buffer[]; device: number | undefined }): number {
  try {
    const names = readdirSync(path, { encoding: 'buffer', withFileTypes: true });
    for (const name of names) {
      const child = Buffer.concat([path, Buffer.from('/'), name.name]);
      if (name.isDirectory() && (device === undefined || deviceOf(child) === device)) open.push(child);
      else if (name.isFile()) countFile(child, total);
    }
    return names.length;
  } catch {
    countFile(path, total);
    return 1;
  }
}

function countFile(path: Buffer, total: Estimate): void {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (!status?.isFile()) return;
  total.files++;
  total.bytes += status.size;
}

function deviceOf(path: Buffer): number | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.dev;
  } catch {
    return undefined;
  }
}
