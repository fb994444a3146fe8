/**
 * The nasty cases that a backup has to keep. Each lives in a folder of its own, named after it, so that a comparison can say case by case
 * what was lost. Cases that this user or this file system cannot have are left out, with the reason.
 */

import { closeDescriptor, type Descriptor, makeDirectory, openDirectory, removeTree } from '../../engine/system/mod.ts';
import { CannotMake, CaseFolder, raw } from './case-folder.ts';
import { attributeCases } from './cases/attributes.ts';
import { contentCases } from './cases/contents.ts';
import { flagCases } from './cases/flags.ts';
import { holeCases } from './cases/holes.ts';
import { linkCases } from './cases/links.ts';
import { nameCases } from './cases/names.ts';
import { ownerCases } from './cases/owners.ts';
import { timeCases } from './cases/times.ts';
import { treeCases } from './cases/trees.ts';
import { typeCases } from './cases/types.ts';

export interface FidelityCase {
  readonly name: string;
  /** `root`: only root can make it. `readable by root`: anybody can make it, but only root can back it up. */
  readonly needs?: 'root' | 'readable by root';
  /** Makes it in its own, empty folder. `outside` is a folder that is not backed up. */
  make(folder: CaseFolder, outside: CaseFolder): void;
}

/** Every case, in the order in which they are made. */
export const cases: readonly FidelityCase[] = [
  ...typeCases,
  ...ownerCases,
  ...timeCases,
  ...attributeCases,
  ...flagCases,
  ...linkCases,
  ...holeCases,
  ...nameCases,
  ...treeCases,
  ...contentCases,
];

export interface MadeCases {
  readonly made: FidelityCase[];
  readonly leftOut: { readonly name: string; readonly reason: string }[];
}

/** Makes the cases (all, by default) that can be made here below `root`; `outside` takes what must not be in the backup. */
export function makeCases(root: Descriptor, outside: Descriptor, wanted: readonly FidelityCase[] = cases): MadeCases {
  const result: MadeCases = { made: [], leftOut: [] };
  const isRoot = process.geteuid!() === 0;
  for (const one of wanted) {
    const reason = one.needs !== undefined && !isRoot ? `needs root` : makeCase(one, root, outside);
    if (reason === undefined) result.made.push(one);
    else result.leftOut.push({ name: one.name, reason });
  }
  return result;
}

/** Returns the reason if it cannot be made. */
function makeCase(one: FidelityCase, root: Descriptor, outside: Descriptor): string | undefined {
  makeDirectory(root, raw(one.name), 0o755);
  const folder = openDirectory(root, raw(one.name));
  try {
    one.make(new CaseFolder(folder), new CaseFolder(outside));
    return undefined;
  } catch (error) {
    if (!(error instanceof CannotMake)) throw new Error(`case ${one.name}: ${(error as Error).message}`, { cause: error });
    removeTree(root, raw(one.name));
    return error.message;
  } finally {
    closeDescriptor(folder);
  }
}
