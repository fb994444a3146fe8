/**
 * How fast an aged repository is: a file like a database of which 1 % of the pages are changed each day, and a tree of files that is edited each day, are backed up day by day, with
 * maintenance now and then. Then the newest snapshot is restored, and beside it the same state from a repository that was made for it: bytes and requests that are read from the
 * store, time, memory. So is an old snapshot.
 *
 *   node bench/aged.ts                                  60 days of 256 MiB, a minute or two
 *   node bench/aged.ts --days 60 --size 4GiB            the figures of docs/performance.md
 *   node bench/aged.ts --only database --maintain 0     without maintenance
 *
 * Prints a table, and with --json everything.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parseSize } from '../bin/shared/sizes.ts';
import { backup } from '../engine/backup/mod.ts';
import { keyFileText } from '../engine/keys/mod.ts';
import { maintain } from '../engine/maintain/mod.ts';
import { createRepository, listSnapshots, openRepository, type Repository } from '../engine/repository/mod.ts';
import { restore } from '../engine/restore/mod.ts';
import { LocalFolder } from '../engine/storage/mod.ts';
import { databaseSet, pageBytes } from './data-sets/database.ts';
import { choose, Keystream, SeededNumbers } from './data-sets/seeded.ts';
import * as format from './format.ts';
import { makeLaganPackage } from './lagan-package.ts';
import { chooseMeter } from './measure.ts';
import { baseEnvironment } from './scenarios.ts';

const { values } = parseArgs({
  options: {
    days: { type: 'string', default: '60' },
    size: { type: 'string', default: '256MiB' },
    only: { type: 'string' },
    maintain: { type: 'string', default: '7' },
    folder: { type: 'string', default: existsSync('/dev/shm') ? '/dev/shm' : tmpdir() },
    json: { type: 'boolean', default: false },
    restore: { type: 'string' },
    snapshot: { type: 'string' },
    target: { type: 'string' },
  },
});

const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(7) } as const;
/** Share of the pages that change in a day. */
const editedShare = 0.01;

interface AgedSource {
  readonly name: string;
  make(folder: string): Promise<void>;
  /** What happens in a day. */
  edit(folder: string, day: number): void;
}

interface Reading {
  readonly requests: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly peakMiB: number;
}

/** A restore of the newest snapshot of each repository, and of the oldest of the aged one. */
interface Figures {
  readonly source: string;
  readonly restoredBytes: number;
  readonly storedBytes: { readonly aged: number; readonly fresh: number };
  readonly maintenance: { readonly seconds: number; readonly repackedBytes: number };
  readonly aged: Reading;
  readonly fresh: Reading;
  readonly oldest: Reading;
}

if (values.restore !== undefined) await restoreHere();
else await main();

async function main(): Promise<void> {
  const [days, size, every] = [Number(values.days), parseSize(values.size, '--size'), Number(values.maintain)];
  const sources = [database(size), tree(size / 4)].filter(({ name }) => values.only === undefined || values.only === name);
  const all: Figures[] = [];
  for (const source of sources) {
    const folder = mkdtempSync(join(values.folder, 'lagan-aged-'));
    try {
      const lagan = makeLaganPackage(join(folder, 'package'));
      if ('problem' in lagan) throw new Error(lagan.problem);
      all.push(await age(source, { folder, days, every, lagan: lagan.program }));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  if (values.json) console.log(JSON.stringify({ days, size, every, figures: all }));
  else for (const figures of all) print(figures, days);
}

interface Aging {
  readonly folder: string;
  readonly days: number;
  readonly every: number;
  /** The published program. */
  readonly lagan: string;
}

async function age(source: AgedSource, { folder, days, every, lagan }: Aging): Promise<Figures> {
  const [data, agedPlace, freshPlace] = [join(folder, 'data'), join(folder, 'aged'), join(folder, 'fresh')];
  mkdirSync(data);
  await source.make(data);
  const aged = await create(agedPlace);
  const maintenance = { seconds: 0, repackedBytes: 0 };
  for (let day = 0; day < days; day++) {
    if (day > 0) source.edit(data, day);
    await backup(aged, { paths: [data] });
    if (every === 0 || (day + 1) % every !== 0) continue;
    const startedAt = performance.now();
    const { repackedBytes } = await maintain(aged);
    maintenance.seconds += (performance.now() - startedAt) / 1000;
    maintenance.repackedBytes += repackedBytes;
    if (!values.json) process.stderr.write(`${source.name}, day ${day + 1}: ${format.megabytes(repackedBytes)} MB repacked\n`);
  }
  const { statistics, snapshotId: only } = await backup(await create(freshPlace), { paths: [data] });
  const [oldest, newest] = [(await listSnapshots(aged)).at(0)!, (await listSnapshots(aged)).at(-1)!];
  const read = (place: string, snapshot: string) => measureRestore({ folder, place, snapshot, target: join(folder, 'restored') }, lagan);
  return {
    source: source.name,
    restoredBytes: statistics.bytes,
    storedBytes: { aged: await packBytes(agedPlace), fresh: await packBytes(freshPlace) },
    maintenance,
    aged: await read(agedPlace, newest.id),
    fresh: await read(freshPlace, only!),
    oldest: await read(agedPlace, oldest.id),
  };
}

function create(place: string): Promise<Repository> {
  return createRepository(new LocalFolder(place), { slots: [{ secret, label: 'bench' }], patienceMs: 0 });
}

async function packBytes(place: string): Promise<number> {
  let sum = 0;
  for await (const { name, sizeBytes } of new LocalFolder(place).list('')) if (name.includes('/packs/')) sum += sizeBytes;
  return sum;
}

/** Once from the sources, to count what is read, and once by the published program, for time and memory. */
async function measureRestore(restoring: Restoring, lagan: string): Promise<Reading> {
  const { folder, place, snapshot, target } = restoring;
  const read = countReads(restoring);
  rmSync(target, { recursive: true });
  const { meter } = await chooseMeter({ folder, signal: new AbortController().signal });
  const keyFile = join(folder, 'key');
  writeFileSync(keyFile, keyFileText(secret), { mode: 0o600 });
  const words = ['-q', '-r', place, '--key-file', keyFile, 'restore', snapshot, '--target', target];
  const outcome = await meter({ program: lagan, arguments: words, environment: baseEnvironment(folder), folder });
  if (outcome.exitCode !== 0) throw new Error(outcome.lastWords);
  rmSync(target, { recursive: true });
  return { ...read, seconds: outcome.wallSeconds, peakMiB: Math.round(outcome.peakMemoryBytes / 2 ** 20) };
}

interface Restoring {
  readonly folder: string;
  readonly place: string;
  readonly snapshot: string;
  readonly target: string;
}

function countReads({ folder, place, snapshot, target }: Restoring): Pick<Reading, 'requests' | 'bytes'> {
  const calls = join(folder, 'calls');
  const preload = ['--import', new URL('./_count-calls.ts', import.meta.url).href];
  const words = ['--restore', place, '--target', target, '--snapshot', snapshot];
  const child = spawnSync(process.execPath, [...preload, fileURLToPath(import.meta.url), ...words], {
    encoding: 'utf8',
    env: { ...process.env, LAGAN_AGED_CALLS: calls },
  });
  if (child.status !== 0) throw new Error(child.stderr);
  const lines = readFileSync(calls, 'utf8').trimEnd().split('\n');
  unlinkSync(calls);
  return { requests: lines.length, bytes: lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0) };
}

async function restoreHere(): Promise<void> {
  const repository = await openRepository(new LocalFolder(values.restore!), { secret, mode: 'read' });
  const snapshot = (await listSnapshots(repository)).find(({ id }) => id === values.snapshot)!;
  const { errors } = await restore(repository, snapshot, { target: values.target! });
  if (errors.length > 0) throw new Error(errors[0]!.message);
}

function database(sizeBytes: number): AgedSource {
  return {
    name: 'database',
    make: async (folder) => void (await databaseSet({ sizeBytes }).make(folder)),
    edit(folder, day) {
      const file = openSync(join(folder, 'main.db'), 'r+');
      const pages = sizeBytes / pageBytes;
      const numbers = new SeededNumbers(`aged database ${day}`);
      const stream = new Keystream(`aged database rows ${day}`);
      const page = Buffer.alloc(pageBytes);
      for (const number of choose(Math.round(pages * editedShare), pages, `aged database pages ${day}`)) {
        readSync(file, page, 0, pageBytes, number * pageBytes);
        // Every second page gets all new rows, the others some: new digits where digits were.
        const rows = numbers.below(2) === 0 ? pageBytes / 2 : 256 * (1 + numbers.below(5));
        page.write(stream.next(rows / 2).toString('hex'), pageBytes - rows, 'latin1');
        writeSync(file, page, 0, pageBytes, number * pageBytes);
      }
      closeSync(file);
    },
  };
}

/** Files of 1 to 64 KiB in folders of 100. In a day 1 % are changed, some go and some come. */
function tree(sizeBytes: number): AgedSource {
  const files = Math.round(sizeBytes / (32 * 1024));
  const folderOf = (number: number) => `folder-${Math.floor(number / 100)}`;
  const contents = (seed: string): Buffer => {
    const numbers = new SeededNumbers(`${seed} size`);
    return Buffer.from(new Keystream(seed).next(512 + numbers.below(32 * 1024)).toString('hex'), 'latin1');
  };
  const store = (folder: string, number: number, seed: string) => {
    mkdirSync(join(folder, folderOf(number)), { recursive: true });
    writeFileSync(join(folder, folderOf(number), `file-${number}`), contents(seed));
  };
  return {
    name: 'tree',
    make: async (folder) => {
      for (let number = 0; number < files; number++) store(folder, number, `aged tree ${number}`);
    },
    edit(folder, day) {
      for (const number of choose(Math.round(files / 100), files, `aged tree edit ${day}`))
        store(folder, number, `aged tree ${number} ${day}`);
      const present = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      for (const index of choose(Math.round(files / 300), present.length, `aged tree gone ${day}`))
        unlinkSync(join(present[index]!.parentPath, present[index]!.name));
      for (let index = 0; index < files / 200; index++) {
        const number = files * (1 + day) + index;
        store(folder, number, `aged tree ${number}`);
      }
    },
  };
}

function print({ source, restoredBytes, storedBytes, maintenance, ...readings }: Figures, days: number): void {
  console.log(
    `\n${source}: ${format.megabytes(restoredBytes)} MB after ${days} days; stored: ${format.megabytes(storedBytes.aged)} MB, the newest state alone ${format.megabytes(storedBytes.fresh)} MB; maintenance took ${format.seconds(maintenance.seconds)} s and copied ${format.megabytes(maintenance.repackedBytes)} MB`,
  );
  console.log(
    '| restored | MB read | of its stored bytes | requests | for each MiB | s | MiB |\n| --- | --- | --- | --- | --- | --- | --- |',
  );
  for (const [name, { requests, bytes, seconds, peakMiB }] of Object.entries(readings) as [string, Reading][]) {
    const perMiB = requests / (bytes / 2 ** 20);
    console.log(
      `| ${name} | ${format.megabytes(bytes)} | ${format.ratio(bytes / storedBytes.fresh)} | ${requests} | ${format.ratio(perMiB)} | ${format.seconds(seconds)} | ${peakMiB} |`,
    );
  }
}
