/**
 * An error at every n-th system call that reads the source (openat, openat2, statx, lseek, read, getdents64, readlink, the calls for extended attributes): the calls to the C
 * library are replaced here, where the engine binds them, so that the engine has no switch for it. Whatever fails is told of, what is told of is not taken for unchanged by the
 * next backup, and nothing of what was not told of is missing.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import koffi from 'koffi';
import t, { type Test } from 'tap';
import type { BackupResult } from '../../engine/backup/mod.ts';
import { backup } from '../../engine/backup/mod.ts';
import { check } from '../../engine/check/mod.ts';
import { openFile, walkSnapshot } from '../../engine/look/mod.ts';
import { listSnapshots, type Repository } from '../../engine/repository/mod.ts';
import { InMemory } from '../../engine/storage/mod.ts';
import { libc } from '../../engine/system/_libc.ts';
import { trySetAttribute } from '../../engine/system/extended-attributes.ts';
import { isLaganError, type SnapshotId } from '../../repo-format/mod.ts';
import { randomBytesOf } from '../engine/random.ts';
import { copyOf } from '../engine/repository/sample.ts';
import { makeSample, open, scratchFolder } from './_crash-points.ts';

const errno = { EIO: 5, EACCES: 13, ENOMEM: 12 } as const;
type Failing = (call: string) => keyof typeof errno | undefined;
/** `syscall` is openat2, getdents64, listxattrat and getxattrat. */
const readingCalls = [
  'openat',
  'statx',
  'lseek',
  'readlinkat',
  'flistxattr',
  'fgetxattr',
  'llistxattr',
  'lgetxattr',
  'listxattr',
  'syscall',
] as const;

/** Runs `act` with these system calls, each asked whether it fails. */
async function withCalls<Result>(failing: Failing, act: () => Promise<Result>): Promise<Result> {
  const calls = libc as unknown as Record<string, (...parameters: number[]) => number>;
  const [real, readSync] = [{ ...calls }, fs.readSync];
  for (const name of readingCalls) {
    calls[name] = (...parameters) => {
      const error = failing(name);
      if (error === undefined) return real[name]!(...parameters);
      koffi.errno(errno[error]);
      return -1;
    };
  }
  fs.readSync = ((...parameters: Parameters<typeof readSync>) => {
    const error = failing('read');
    if (error !== undefined)
      throw Object.assign(new Error(`${error}: read fails on purpose`), { code: error, syscall: 'read', errno: -errno[error] });
    return readSync(...parameters);
  }) as typeof readSync;
  syncBuiltinESMExports();
  try {
    return await act();
  } finally {
    Object.assign(calls, real);
    fs.readSync = readSync;
    syncBuiltinESMExports();
  }
}

function makeSource(source: string): void {
  for (const name of ['plain', 'folder/in-folder', 'folder/deeper/below', 'linked', 'attributes'])
    fs.mkdirSync(path.join(source, path.dirname(name)), { recursive: true });
  for (const name of ['plain', 'folder/in-folder', 'folder/deeper/below', 'linked', 'attributes'])
    fs.writeFileSync(path.join(source, name), randomBytesOf(name, 3000));
  fs.linkSync(path.join(source, 'linked'), path.join(source, 'folder/linked-too'));
  fs.symlinkSync('folder/in-folder', path.join(source, 'symbolic'));
  const sparse = fs.openSync(path.join(source, 'sparse'), 'w');
  fs.writeSync(sparse, randomBytesOf('sparse', 2000), 0, 2000, 300_000);
  fs.ftruncateSync(sparse, 600_000);
  fs.closeSync(sparse);
  const descriptor = fs.openSync(path.join(source, 'attributes'), 'r');
  trySetAttribute('descriptor', descriptor, { name: Buffer.from('user.one'), value: Buffer.from('first') });
  fs.closeSync(descriptor);
  const folder = fs.openSync(path.join(source, 'folder'), 'r');
  trySetAttribute('descriptor', folder, { name: Buffer.from('user.two'), value: Buffer.from('second') });
  fs.closeSync(folder);
}

/** All that a snapshot says of the source, and the bytes of its files. */
async function storedIn(repository: Repository, id: SnapshotId, source: string): Promise<Map<string, string>> {
  const info = (await listSnapshots(repository)).find((candidate) => candidate.id === id)!;
  const found = new Map<string, string>();
  for await (const { path: place, entry } of walkSnapshot(repository, info, { path: Buffer.from(source) })) {
    const { extensions, ...fields } = entry;
    const { accessTime: _, ...kept } = extensions;
    const pieces: Uint8Array[] = [];
    if (entry.type === 'file') for await (const piece of openFile(repository, entry).stream()) pieces.push(Buffer.from(piece));
    // Sums of what is below: an entry that could not be read is missing there, too.
    const known = {
      ...fields,
      node: undefined,
      filesBelow: undefined,
      bytesBelow: undefined,
      content: Buffer.concat(pieces).toString('base64'),
      extensions: kept,
    };
    found.set(Buffer.from(place).toString(), JSON.stringify(known, jsonable));
  }
  return found;
}

/** Whatever is above the source could not be read. */
function emptyIfNotFound(error: unknown): Map<string, string> {
  if (isLaganError(error, 'path-not-found')) return new Map();
  throw error;
}

function jsonable(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
}

const backUp = (repository: Repository, source: string): Promise<BackupResult> =>
  backup(repository, { paths: [source], host: 'host', workers: 1 });

/** Paths that something is told of; what lies below them may be missing, too. */
function isTold(place: string, { errors }: BackupResult): boolean {
  return errors.some(({ path: told }) => place === Buffer.from(told).toString() || place.startsWith(`${Buffer.from(told)}/`));
}

async function failEverywhere(t: Test, error: keyof typeof errno, { forever }: { forever: boolean }): Promise<void> {
  const { source, storage } = await makeSample(scratchFolder(t), new InMemory());
  makeSource(source);
  const counts = new Map<string, number>();
  let calls = 0;
  const wholeRepository = await open(await copyOf(storage));
  const count: Failing = (call) => {
    calls++;
    counts.set(call, (counts.get(call) ?? 0) + 1);
    return undefined;
  };
  const whole = await withCalls(count, () => backUp(wholeRepository, source));
  const expected = await storedIn(wholeRepository, whole.snapshotId!, source);
  t.same(whole.errors, []);
  for (const call of ['openat', 'syscall', 'statx', 'read', 'readlinkat', 'flistxattr', 'fgetxattr'])
    t.ok(counts.has(call), `${call} is called`);
  let [told, ended] = [0, 0];
  for (let failed = 1; failed <= calls; failed++) {
    const repository = await open(await copyOf(storage));
    let [made, name] = [0, ''];
    const fail: Failing = (call) => {
      const isIt = ++made === failed || (forever && made > failed && call === name);
      if (made === failed) name = call;
      return isIt ? error : undefined;
    };
    const outcome = await withCalls(fail, () => backUp(repository, source)).catch((caught: unknown) => caught);
    const title = `call ${failed}, ${name}`;
    if (outcome instanceof Error) {
      ended++;
      if (!isLaganError(outcome)) t.fail(`${title}: ${outcome.stack}`);
    } else {
      const result = outcome as BackupResult;
      if (result.errors.length > 0) told++;
      const stored = result.snapshotId === null ? new Map() : await storedIn(repository, result.snapshotId, source).catch(emptyIfNotFound);
      for (const [place, entry] of expected)
        if (stored.get(place) !== entry && !isTold(place, result))
          t.fail(`${title}: ${place} is not as it is, and nobody is told: ${stored.get(place)} instead of ${entry}`);
    }
    const next = await backUp(repository, source);
    const after = await storedIn(repository, next.snapshotId!, source);
    const different = [...expected.keys()].filter((place) => after.get(place) !== expected.get(place));
    if (next.errors.length > 0 || different.length > 0) t.fail(`${title}: the next backup has not all: ${different}`);
    const { errors } = await check(repository, { workers: 1 });
    if (errors.length > 0) t.fail(`${title}: ${errors[0]!.message}`);
  }
  t.ok(told > calls / 4, `${calls} calls, ${told} times files were told of, ${ended} times the backup ended`);
}

// On a busy machine.
t.setTimeout(1_200_000);

t.test('backup: an I/O error at every n-th system call that reads the source', async (t) => {
  await failEverywhere(t, 'EIO', { forever: false });
});

t.test('backup: a kind of system call that fails from the n-th call on', async (t) => {
  await failEverywhere(t, 'EACCES', { forever: true });
});
