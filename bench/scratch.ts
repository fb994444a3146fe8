/**
 * The folder in which everything happens: data sets, repositories, restored files. It is called `lagan-bench`, lies in a folder that is
 * given or found, and holds a marker by which the benchmark knows it as its own.
 *
 *   lagan-bench/lagan-bench.json      the marker: the process that uses the folder
 *   lagan-bench/data/<set>/           a data set
 *   lagan-bench/data/<set>.json       its recipe and what was made: written when it is complete
 *   lagan-bench/work/                 all the rest; deleted at the end
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataSet, DataSetContent } from './data-sets/mod.ts';

const memoryFolder = '/dev/shm';
const markerName = 'lagan-bench.json';
const tmpfsMagic = 0x01021994;

/** Beside a data set: its repository, what was restored, and a copy in the cache of the tool; and a little for everything. */
const copiesOfData = 4.2;
const reserveBytes = 512 * 2 ** 20;

/** Files in memory take it from the processes that are measured. */
const processMemoryBytes = 1.5 * 2 ** 30;

/** Something about the machine or the call that the person can mend; its message is all that is shown. */
export class BenchError extends Error {}

export interface Scratch {
  readonly folder: string;
  readonly work: string;
  readonly fileSystem: string;
  /** Makes the data set, or finds it made by the same recipe. */
  provide(dataSet: DataSet): Promise<{ folder: string; content: DataSetContent }>;
  drop(dataSet: DataSet): void;
  /** Deletes what was made, except the data sets if they are to be kept. */
  [Symbol.dispose](): void;
}

export function openScratch(dataSets: readonly DataSet[], options: { base: string | undefined; keep: boolean }): Scratch {
  const neededBytes = needed(dataSets, options.keep);
  const base = realpathSync(existing(options.base) ?? findBase(neededBytes));
  const folder = join(base, 'lagan-bench');
  claim(folder);
  assertRoom(base, {
    neededBytes: neededBytes - keptBytes(folder, dataSets),
    alternative: options.base === undefined ? '' : ' or leave --folder out',
  });
  rmSync(join(folder, 'work'), { recursive: true, force: true });
  mkdirSync(join(folder, 'work'));
  mkdirSync(join(folder, 'data'), { recursive: true });
  return {
    folder,
    work: join(folder, 'work'),
    fileSystem: isInMemory(base) ? 'tmpfs' : `type 0x${statfsSync(base).type.toString(16)}`,
    provide: (dataSet) => provide(join(folder, 'data'), dataSet),
    drop: (dataSet) => drop(join(folder, 'data'), dataSet),
    [Symbol.dispose]() {
      rmSync(options.keep ? join(folder, 'work') : folder, { recursive: true, force: true });
      if (options.keep) rmSync(join(folder, markerName), { force: true });
    },
  };
}

/** Without `keep` there is one data set at a time. */
export function needed(dataSets: readonly DataSet[], keep: boolean): number {
  const sizes = dataSets.map((dataSet) => dataSet.spaceBytes);
  const largest = Math.max(0, ...sizes);
  const others = keep ? sizes.reduce((sum, size) => sum + size, 0) - largest : 0;
  return largest * copiesOfData + others + reserveBytes;
}

function existing(base: string | undefined): string | undefined {
  if (base !== undefined && !existsSync(base)) throw new BenchError(`the folder ${base} of --folder does not exist`);
  return base;
}

function findBase(neededBytes: number): string {
  return existsSync(memoryFolder) && roomIn(memoryFolder) >= neededBytes ? memoryFolder : tmpdir();
}

function assertRoom(base: string, { neededBytes, alternative }: { neededBytes: number; alternative: string }): void {
  const room = roomIn(base);
  if (room >= neededBytes) return;
  const inMemory = isInMemory(base) ? ` (it is in memory, of which ${gigabytes(processMemoryBytes)} are left to the processes)` : '';
  throw new BenchError(
    `the benchmark needs ${gigabytes(neededBytes)} in ${base}, where ${gigabytes(Math.max(0, room))} are free${inMemory}\n` +
      `name another folder with --folder${alternative}, choose fewer data sets with --only, or try it with small ones: --quick`,
  );
}

function roomIn(base: string): number {
  const { bavail, bsize } = statfsSync(base);
  if (!isInMemory(base)) return bavail * bsize;
  const availableKib = Number(/MemAvailable:\s*(\d+)/.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1] ?? 0);
  return Math.min(bavail * bsize, availableKib * 1024 - processMemoryBytes);
}

function isInMemory(base: string): boolean {
  return statfsSync(base).type === tmpfsMagic;
}

/** Makes the folder ours: no other files may be in it, no other process may use it. */
function claim(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const marker = join(folder, markerName);
  const strange = readdirSync(folder).filter((name) => ![markerName, 'data', 'work'].includes(name));
  if (strange.length > 0)
    throw new BenchError(`${folder} holds what no benchmark made: ${strange.slice(0, 3).join(', ')}; name another folder with --folder`);
  const user = existsSync(marker) ? (JSON.parse(readFileSync(marker, 'utf8')) as { process: number }).process : undefined;
  if (user !== undefined && user !== process.pid && existsSync(`/proc/${user}`)) {
    throw new BenchError(`process ${user} is running a benchmark in ${folder}; wait for it, or name another folder with --folder`);
  }
  writeFileSync(marker, JSON.stringify({ process: process.pid }));
}

async function provide(data: string, dataSet: DataSet): Promise<{ folder: string; content: DataSetContent }> {
  const folder = join(data, dataSet.name);
  const made = readMade(data, dataSet);
  if (made === undefined) {
    drop(data, dataSet);
    mkdirSync(folder);
    const content = await dataSet.make(folder);
    writeFileSync(madeFile(data, dataSet), JSON.stringify({ recipe: dataSet.recipe, content }));
    return { folder, content };
  }
  dataSet.revert?.(folder);
  return { folder, content: made };
}

function readMade(data: string, dataSet: DataSet): DataSetContent | undefined {
  if (!existsSync(madeFile(data, dataSet))) return undefined;
  const { recipe, content } = JSON.parse(readFileSync(madeFile(data, dataSet), 'utf8')) as { recipe: string; content: DataSetContent };
  return recipe === dataSet.recipe ? content : undefined;
}

function drop(data: string, dataSet: DataSet): void {
  rmSync(madeFile(data, dataSet), { force: true });
  rmSync(join(data, dataSet.name), { recursive: true, force: true });
}

function keptBytes(folder: string, dataSets: readonly DataSet[]): number {
  const kept = dataSets.filter((dataSet) => readMade(join(folder, 'data'), dataSet) !== undefined);
  return kept.reduce((sum, dataSet) => sum + dataSet.spaceBytes, 0);
}

function madeFile(data: string, dataSet: DataSet): string {
  return join(data, `${dataSet.name}.json`);
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
