/** Where the cases are made: the folder whose file system can hold the most of them. */

import { closeSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { applyMetadata, createFile, fileFlag, openRoot, removeTree } from '../../engine/system/mod.ts';

/** Makes a new folder to work in. `LAGAN_TEST_FOLDER` decides where; else the best of the usual places. */
export function makeTestFolder(): string {
  const places = process.env.LAGAN_TEST_FOLDER !== undefined ? [process.env.LAGAN_TEST_FOLDER] : [tmpdir(), '/var/tmp', process.cwd()];
  const ranked = places.map((place) => ({ place, score: featuresOf(place) })).sort((left, right) => right.score - left.score);
  return mkdtempSync(join(ranked[0]!.place, 'lagan-fidelity-'));
}

/** Removes such a folder with all that is in it, immutable or deeper than PATH_MAX as it may be. */
export function removeTestFolder(path: string): void {
  const parent = openRoot(dirname(path));
  const { failures } = removeTree(parent, Buffer.from(basename(path)));
  closeSync(parent);
  if (failures.length > 0)
    throw new Error(`could not remove ${path}: ${failures.map((failure) => `${Buffer.from(failure.path)} ${failure.errno}`).join(', ')}`);
}

/** How many of the features that file systems lack most often this one has; −1 if it cannot be written to. */
function featuresOf(place: string): number {
  let own: string;
  try {
    own = mkdtempSync(join(place, 'lagan-probe-'));
  } catch {
    return -1;
  }
  const folder = openRoot(own);
  const name = Buffer.from('probe');
  const file = createFile(folder, name);
  const attribute = { name: Buffer.from('user.probe'), value: Buffer.alloc(100) };
  const losses = [
    ...applyMetadata(file, { type: 'file', extendedAttributes: [attribute] }),
    ...applyMetadata(file, { type: 'file', flags: fileFlag.noDump }),
    ...applyMetadata(file, { type: 'file', flags: fileFlag.noDump | fileFlag.noAccessTime | fileFlag.synchronous }),
  ];
  closeSync(file);
  removeTree(folder, name);
  closeSync(folder);
  rmdirSync(own);
  return 3 - losses.length;
}
