/** The data sets, in full size and small. */

import type { DataSet, DataSetName } from './data-set.ts';
import { databaseSet } from './database.ts';
import { randomSet } from './random.ts';
import { tinySet } from './tiny.ts';
import { treeSet } from './tree.ts';

export type { DataSet, DataSetContent, DataSetName, Scenario } from './data-set.ts';

export const dataSetNames: readonly DataSetName[] = ['random', 'tree', 'tiny', 'database', 'start'];

/** With fewer files than this in /usr the tree says little. */
export const treeLeastFiles = 50_000;

const [mib, gib] = [2 ** 20, 2 ** 30];

export function dataSets(size: 'full' | 'quick'): DataSet[] {
  const quick = size === 'quick';
  return [
    randomSet({ sizeBytes: quick ? 64 * mib : 2 * gib }),
    treeSet({ source: '/usr', files: quick ? 2000 : 64_000, bytes: quick ? 60e6 : 1.7e9 }),
    tinySet({ fileCount: quick ? 2000 : 100_000 }),
    databaseSet({ sizeBytes: quick ? 64 * mib : gib }),
    startSet,
  ];
}

/** No data: what the start of a process costs. */
const startSet: DataSet = {
  name: 'start',
  scenarios: ['start'],
  recipe: 'start 1',
  spaceBytes: 0,
  make: async () => ({ description: 'the version is printed', files: 0, bytes: 0 }),
};
