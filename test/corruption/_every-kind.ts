/** A small repository in memory with an object of every kind that the format knows. */
import fs from 'node:fs';
import path from 'node:path';
import {
  annotateSnapshot,
  backup,
  check,
  createRepository,
  holdSnapshots,
  maintain,
  newIdentity,
  openRepository,
  type Repository,
  type Secret,
} from '../../engine/mod.ts';
import { markSnapshots } from '../../engine/repository/mod.ts';
import { InMemory } from '../../engine/storage/mod.ts';
import * as format from '../../repo-format/mod.ts';
import { emptySnapshot } from '../spec/_forge.ts';
import { noise } from '../spec/_noise.ts';
import type { Objects } from './sample-repository.ts';

export interface EveryKind {
  readonly objects: Objects;
  /** Opened while everything was whole. */
  readonly repository: Repository;
  /** One for each key slot, by the slot's name. */
  readonly secrets: ReadonlyMap<string, Secret>;
  /** What was backed up: no other bytes may ever come out. */
  readonly contents: ReadonlyMap<string, Buffer>;
}

const cheapest = { memoryKiB: 8, passes: 1, lanes: 1 } as const;
const keyFile = { kind: 'key-file', secret: new Uint8Array(32).fill(7) } as const;
const password = { kind: 'password', password: 'correct horse' } as const;
const pair = newIdentity();
const identity = { kind: 'identity', privateKey: pair.privateKey } as const;

/** The source is made in `scratch`. Every kind of object is in it, made by the engine where that makes it at all. */
export async function makeEveryKind(scratch: string): Promise<EveryKind> {
  const storage = new InMemory();
  const repository = await createRepository(storage, {
    slots: [
      { secret: keyFile, label: 'key file' },
      { secret: { ...password, cost: cheapest }, label: 'password' },
      { secret: { kind: 'recipient', publicKey: pair.publicKey }, label: 'recipient' },
    ],
    patienceMs: 0,
    chunker: { kind: 'local-maximum-1', horizonBytes: 64, gridBytes: 128 },
    blockSizeBytes: 1024,
    packSizeBytes: 4096,
  });
  const source = path.join(scratch, 'source');
  await makeHistory(repository, source);
  await forgeTheRest(repository);
  const whole = await openRepository(storage, { secret: keyFile, mode: 'read' });
  const { errors } = await check(whole, { readData: true, workers: 1 });
  if (errors.length > 0) throw new Error(`the sample is not whole: ${errors[0]!.message}`);
  return { objects: await objectsOf(storage), repository: whole, secrets: await secretsBySlot(storage), contents: contentsOf(source) };
}

/** The kind of every object that `parseObjectName` knows, with its role where there are two: what must be in the sample. */
export const kindsOfObjects: readonly string[] = [
  'format',
  'configuration',
  'key-slot',
  'keyring',
  'hold',
  'deletion-mark',
  'damage-report',
  'verification',
  'base-index',
  'catalogue',
  'lost-list',
  'annotation',
  'pack of writer',
  'pack of collector',
  'session-index',
  'snapshot',
  'checkpoint',
  'root',
];

export function kindOfObject(name: string): string {
  const parsed = format.parseObjectName(name)!;
  return parsed.type === 'pack' ? `pack of ${parsed.role}` : parsed.type;
}

/** The sample's objects, changed, in a store of their own. */
export async function storeOf(objects: Objects): Promise<InMemory> {
  const storage = new InMemory();
  for (const [name, bytes] of objects) await storage.create(name, [bytes]);
  return storage;
}

/** Two snapshots of which the older is forgotten, collected with repacking; then a third, marks, holds and tags. */
async function makeHistory(repository: Repository, source: string): Promise<void> {
  const backUp = async () => (await backup(repository, { paths: [source], workers: 1 })).snapshotId!;
  makeSource(source);
  const first = await backUp();
  fs.rmSync(path.join(source, 'passing'), { recursive: true });
  const second = await backUp();
  await markSnapshots(repository, [first], { reason: 'test' });
  await maintain(repository, { maxUnused: 0 });
  fs.writeFileSync(path.join(source, 'new'), noise(2500, 'new'));
  const third = await backUp();
  await annotateSnapshot(repository, second, { addTags: ['kept'] });
  await holdSnapshots(repository, [second], { until: null, reason: 'test' });
  await markSnapshots(repository, [third], { reason: 'test' });
}

function makeSource(source: string): void {
  fs.mkdirSync(path.join(source, 'folder', 'empty'), { recursive: true });
  fs.mkdirSync(path.join(source, 'passing'));
  for (let number = 0; number < 4; number++) {
    fs.writeFileSync(path.join(source, 'folder', `noise-${number}`), noise(700, `stays ${number}`));
    fs.writeFileSync(path.join(source, 'passing', `noise-${number}`), noise(700, `goes ${number}`));
  }
  fs.writeFileSync(path.join(source, 'text'), 'the same words again and again, '.repeat(100));
  fs.writeFileSync(path.join(source, 'long'), noise(9000, 'long'));
  fs.symlinkSync('text', path.join(source, 'link'));
}

/** What the engine makes only on bad days. */
async function forgeTheRest({ storage, keys }: Repository): Promise<void> {
  const id = format.idFromBytes<format.ObjectId>(noise(16, 'id'));
  const session = format.idFromBytes<format.SessionId>(noise(16, 'session'));
  const seal = async (name: string, kind: format.ObjectKind, payload: Uint8Array) => {
    const fields = { kind, epoch: keys.newestEpoch, repositoryId: keys.repositoryId, objectId: format.objectIdOf(name) };
    const classKey = keys.classKey(kind, keys.newestEpoch);
    await storage.create(name, [format.sealObject({ ...fields, salt: noise(32, name), classKey }, payload)]);
  };
  const seen = { time: { seconds: 1, nanoseconds: 2 }, host: 'host' };
  await seal(format.objectNames.damageReport(id), 'damage-report', format.encodeDamageReport({ ...seen, findings: [] }));
  await seal(format.objectNames.verification(id), 'verification', format.encodeVerification({ ...seen, packs: [] }));
  await seal(format.objectNames.lostList(id), 'lost-list', format.encodeLostList({ chunks: [], packs: [] }));
  await seal(
    format.objectNames.checkpoint(0, session, 1),
    'checkpoint',
    format.encodeSnapshot({ ...emptySnapshot(session), partial: true }),
  );
}

async function objectsOf(storage: InMemory): Promise<Objects> {
  const objects: Objects = new Map();
  for await (const { name } of storage.list('')) objects.set(name, await storage.get(name));
  return objects;
}

async function secretsBySlot(storage: InMemory): Promise<Map<string, Secret>> {
  const secrets = new Map<string, Secret>();
  for await (const { name } of storage.list(format.objectPrefixes.keySlots)) {
    const { kind } = format.decodeKeySlot(await storage.get(name), name);
    secrets.set(name, kind === 'password' ? password : kind === 'key-file' ? keyFile : identity);
  }
  return secrets;
}

/** Absolute path → bytes of every file. */
function contentsOf(source: string): Map<string, Buffer> {
  const contents = new Map<string, Buffer>();
  for (const entry of fs.readdirSync(source, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isFile()) contents.set(file, fs.readFileSync(file));
  }
  return contents;
}
