/**
 * What probes found out, in the folder of the caches: one small file for each store (endpoint and bucket). Only that a store is safe is believed later: one that
 * was not may have been mended, and is tried again. What cannot be read or written is not remembered.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Storage } from '../storage/mod.ts';
import { probeLimits } from './limits.ts';

/** What is kept of a result. */
interface Remembered {
  readonly racers: number;
  readonly rounds: number;
  readonly isSafe: boolean;
}

const folderName = 'probes';

/** Whether it is remembered that the store creates safely. */
export function isRememberedAsSafe(folder: string, { location }: Storage): boolean {
  try {
    const text = fs.readFileSync(fileOf(folder, location), 'utf8');
    const { store, isSafe, rounds } = JSON.parse(text) as Remembered & { readonly store: string };
    return store === storeOf(location) && isSafe === true && rounds >= probeLimits.quick.rounds;
  } catch {
    return false;
  }
}

export function rememberProbe(folder: string, storage: Storage, { racers, rounds, isSafe }: Remembered): void {
  if (storage.describe().kind !== 'url') return;
  const { location } = storage;
  const file = fileOf(folder, location);
  const temporary = `${file}.${process.pid}`;
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    fs.writeFileSync(temporary, `${JSON.stringify({ store: storeOf(location), racers, rounds, isSafe })}\n`, { mode: 0o600 });
    fs.renameSync(temporary, file);
  } catch {
    fs.rmSync(temporary, { force: true });
  }
}

function fileOf(folder: string, location: string): string {
  return path.join(folder, folderName, `${createHash('sha256').update(storeOf(location)).digest('hex').slice(0, 32)}.json`);
}

/** Endpoint and bucket: prefix, region and the like do not matter. */
function storeOf(location: string): string {
  const url = new URL(location);
  return `${url.protocol}//${url.host} ${url.searchParams.get('endpoint') ?? ''}`;
}
