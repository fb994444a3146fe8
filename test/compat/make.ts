/**
 * Makes the repository that is kept for a version of the format: `sudo node test/compat/make.ts NAME` writes test/compat/NAME, with `manifest.json.gz`, which says what has to come out of it. What
 * is in it is in README.md beside this file.
 */
import { closeSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  addKey,
  annotateSnapshot,
  backup,
  backupStream,
  check,
  createRepository,
  forgetSnapshots,
  holdSnapshots,
  listSnapshots,
  maintain,
  openStorage,
  publicKeyOf,
  type Repository,
} from '../../engine/mod.ts';
import { program } from '../../engine/program/mod.ts';
import { rotateMasterKey, withNewestKeys } from '../../engine/repository/mod.ts';
import { openRoot } from '../../engine/system/mod.ts';
import { parseObjectName } from '../../repo-format/mod.ts';
import { acl, attribute, CaseFolder, latin1, noise } from '../fidelity/case-folder.ts';
import { isOfData } from '../reliability/_lost-packs.ts';
import { codesOf, describeSnapshot, type Manifest } from './describe.ts';
import { identityKey, secrets } from './secrets.ts';

/** Small, so that small files have several chunks, nodes of contents and packs. */
const sizes = {
  chunker: { kind: 'local-maximum-1', horizonBytes: 512, gridBytes: 2048 },
  blockSizeBytes: 16_384,
  packSizeBytes: 32_768,
} as const;

if (process.argv[1] === import.meta.filename) await make(process.argv[2]);

async function make(name: string | undefined): Promise<void> {
  if (name === undefined || process.geteuid!() !== 0) throw new Error('usage, as root: node test/compat/make.ts NAME');
  const scratch = mkdtempSync(join(tmpdir(), 'lagan-compat-'));
  const target = join(import.meta.dirname, name);
  try {
    const repository = await createRepository(openStorage(join(scratch, 'repository')), { slots: slots(), ...sizes, time: at(0) });
    await fill(repository, join(scratch, 'source'));
    const manifest = await describe(await withNewestKeys(repository));
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target);
    cpSync(join(scratch, 'repository'), join(target, 'repository'), { recursive: true });
    writeFileSync(join(target, 'manifest.json.gz'), gzipSync(JSON.stringify(manifest, null, 1), { level: 9 }));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function slots() {
  const cost = { memoryKiB: 8, passes: 1, lanes: 1 };
  return [
    { secret: secrets['key file'], label: 'key file' },
    { secret: { ...secrets.password, cost }, label: 'password' },
    { secret: { kind: 'recipient', publicKey: publicKeyOf(identityKey) }, label: 'recipient' },
  ] as const;
}

/** Snapshots that were repacked, held, annotated, forgotten and collected; and some that came after that. */
async function fill(repository: Repository, source: string): Promise<void> {
  await addKey(repository, { secret: secrets['metadata only'], label: 'metadata only', grants: 'metadata' });
  mkdirSync(source);
  firstSource(source);
  const common = { paths: [source], host: 'alpha', workers: 1 };
  const first = await backup(repository, { ...common, tags: ['daily', 'é€'], description: 'the first', time: day(1), compression: 'lz4' });
  secondSource(source);
  const second = await backup(repository, { ...common, time: day(2), compression: 'zstd:3' });
  thirdSource(source);
  const third = await backup(repository, { ...common, time: day(3), compression: 'none' });
  const dump = { name: 'dumps/db.sql', stream: stream(), host: 'beta', tags: ['stream'], time: day(4) };
  const fourth = await backupStream(repository, dump);
  await holdSnapshots(repository, [first.snapshotId!], { until: null, reason: 'audit' });
  await annotateSnapshot(repository, second.snapshotId!, { addTags: ['added'], description: 'described later', time: at(5) });
  await forgetSnapshots(repository, [third.snapshotId!], { now: at(6), reason: 'test' });
  await maintain(repository, { maxUnused: 0 });
  writeFileSync(join(source, 'after'), noise(6000, 77));
  const fifth = await backup(repository, { ...common, time: day(7), description: 'after the collection' });
  await backup(repository, { ...common, paths: [join(source, 'many')], time: day(8) });
  await forgetSnapshots(repository, [fourth.snapshotId!], { now: at(9), reason: 'forgotten, not collected' });
  await holdSnapshots(repository, [fifth.snapshotId!], { until: { seconds: 4_000_000_000, nanoseconds: 0 }, reason: 'until 2096' });
  await rotateMasterKey(repository);
  const renewed = await withNewestKeys(repository);
  writeFileSync(join(source, 'after rotation'), noise(6000, 78));
  await backup(renewed, { ...common, time: day(10), description: 'with the second key' });
  await loseData(renewed, day(11));
  await maintain(renewed);
  await loseData(renewed, day(12));
}

/** A stream whose data vanishes: check says so in a report, of which the next collection makes a list of what is lost; and it remembers what it has verified. */
async function loseData(repository: Repository, time: Date): Promise<void> {
  const { storage } = repository;
  const before = new Set(await packNames(repository));
  await backupStream(repository, { name: 'lost', stream: lostStream(time.getTime()), host: 'delta', time });
  for (const name of await packNames(repository)) {
    const parsed = parseObjectName(name);
    if (!before.has(name) && parsed?.type === 'pack' && (await isOfData(repository, parsed.id))) await storage.delete([name]);
  }
  await check(repository, { readData: true, record: true, workers: 1 });
}

async function packNames({ storage }: Repository): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of storage.list('writer/packs/')) names.push(name);
  return names;
}

async function* lostStream(seed: number): AsyncGenerator<Uint8Array> {
  yield noise(6000, seed);
}

async function describe(repository: Repository): Promise<Manifest> {
  const snapshots = await listSnapshots(repository, { includeDeleted: true });
  const described = [];
  for (const info of snapshots) described.push(await describeSnapshot(repository, info));
  const { errors } = await check(repository, { readData: true, workers: 1 });
  return { madeBy: program, repository: repository.id, snapshots: described, damage: codesOf(errors) };
}

function firstSource(source: string): void {
  const root = openRoot(source);
  const folder = new CaseFolder(root);
  folder.file('empty');
  folder.file('text', 'hello, '.repeat(300), { mode: 0o4755, uid: 1234, gid: 2345 });
  folder.file('random', noise(40_000));
  folder.file('attributes', 'x', { extendedAttributes: [attribute('user.plain', 'value'), attribute('user.bytes', latin1('\0\n\xff'))] });
  folder.file('acl', 'x', {
    extendedAttributes: [
      attribute('system.posix_acl_access', acl(['user', 6], ['named-user', 4, 99], ['group', 4], ['mask', 4], ['other', 0])),
    ],
  });
  folder.file('before 1970', '', { modified: { seconds: -86_400, nanoseconds: 123_456_789 } });
  folder.file('after 2106', '', { modified: { seconds: 5_000_000_000, nanoseconds: 1 } });
  folder.file(latin1('raw \xff\xfe'), 'x');
  folder.file('n'.repeat(255), 'x');
  folder.link('hard', 'random');
  folder.symlink('symbolic', 'random');
  folder.symlink('dangling', latin1('/nowhere/\xff'));
  folder.node('fifo', { type: 'fifo' });
  folder.node('socket', { type: 'socket' });
  folder.node('character device', { type: 'character-device', major: 1, minor: 3 });
  folder.node('block device', { type: 'block-device', major: 7, minor: 300 });
  folder.sparse('holes', 300_000, [
    { offset: 65_536, content: noise(5000, 3) },
    { offset: 200_000, content: Buffer.alloc(8192) },
  ]);
  folder.directory('many', { mode: 0o1777 }, (many) => {
    for (let index = 0; index < 250; index++) many.file(`file ${index}`, `${index}`);
  });
  folder.directory('a', {}, (a) => a.directory('b', {}, (b) => b.directory('c', {}, (c) => c.file('deep', 'deep'))));
  folder.directory('empty folder');
  closeSync(root);
}

function secondSource(source: string): void {
  writeFileSync(join(source, 'random'), noise(40_000, 1).with(20_000, 1));
  writeFileSync(join(source, 'new'), noise(9000, 5));
  rmSync(join(source, 'text'));
}

function thirdSource(source: string): void {
  writeFileSync(join(source, 'collected'), noise(30_000, 9));
  rmSync(join(source, 'empty folder'), { recursive: true });
}

async function* stream(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('create table lagan;\n'.repeat(500));
}

function at(days: number): { seconds: number; nanoseconds: number } {
  return { seconds: 1_790_000_000 + days * 86_400, nanoseconds: 0 };
}

function day(days: number): Date {
  return new Date(at(days).seconds * 1000);
}
