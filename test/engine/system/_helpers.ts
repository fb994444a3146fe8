/** What the tests of engine/system share. */

import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import {
  closeDescriptor,
  type Descriptor,
  type DirectoryScan,
  openDirectory,
  openRoot,
  removeTree,
  reopenDirectory,
  tryMakeDirectory,
} from '../../../engine/system/mod.ts';

export const isRoot: boolean = process.geteuid!() === 0;
export const needsRoot = { skip: isRoot ? false : 'needs root' } as const;

export function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

export function text(raw: Uint8Array): string {
  return Buffer.from(raw).toString('latin1');
}

/** The names that a scan still has, as latin1. */
export function namesOf(scan: DirectoryScan): string[] {
  const names: string[] = [];
  while (scan.next()) names.push(text(scan.name));
  scan.close();
  return names;
}

interface Test {
  teardown(handler: () => void): void;
}

/** An empty folder for a test, opened; whatever the test leaves in it, however deep or protected, goes away with it. */
export function openTestFolder(t: Test): { path: string; folder: Descriptor } {
  const path = mkdtempSync(join(tmpdir(), 'lagan-system-'));
  chmodSync(path, 0o755);
  const folder = openRoot(path);
  t.teardown(() => {
    const parent = openRoot(dirname(path));
    removeTree(parent, bytes(basename(path)));
    closeDescriptor(parent);
    closeDescriptor(folder);
  });
  return { path, folder };
}

/** Runs `action` as an ordinary user (nobody) if the tests run as root. */
export function asOrdinaryUser<Result>(action: () => Result): Result {
  if (!isRoot) return action();
  process.setegid!(65_534);
  process.seteuid!(65_534);
  try {
    return action();
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
  }
}

/** The errno name and code of the LaganError that `action` throws; undefined if it throws none. */
export function refusalOf(action: () => unknown): { code: string; errno: string } | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    const { code, errno } = error as { code: string; errno: string };
    return { code, errno };
  }
}

/** Makes nested folders. Returns the descriptor of the last. */
export function makeDeep(folder: Descriptor, parts: Uint8Array[]): Descriptor {
  let current = reopenDirectory(folder);
  for (const part of parts) {
    tryMakeDirectory(current, part);
    const next = openDirectory(current, part);
    closeDescriptor(current);
    current = next;
  }
  return current;
}
