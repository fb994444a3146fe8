/**
 * A collector that is killed at each of its requests to a folder, one run after another: what was acknowledged restores bit for bit, a check finds nothing wrong, and the next one
 * goes on to the end and leaves nothing behind.
 */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { mergeIndexTables, readBaseIndex } from '../../../engine/index/mod.ts';
import { HashedTarget } from '../../../engine/maintain/_hashed-target.ts';
import { maintain } from '../../../engine/maintain/mod.ts';
import {
  idForSuccessor,
  listIndexTables,
  listRoots,
  listSnapshots,
  openRepository,
  type Repository,
  readRoot,
  type SnapshotInfo,
} from '../../../engine/repository/mod.ts';
import { restore } from '../../../engine/restore/mod.ts';
import { LocalFolder, type Storage } from '../../../engine/storage/mod.ts';
import { LaganError, type ObjectId, objectNames, objectPrefixes } from '../../../repo-format/mod.ts';
import { contentsOf, makePlace, type Place, secret, write } from '../backup/_fixture.ts';
import { advanceRoot, namesIn } from '../repository/sample.ts';
import { type FaultPlan, FaultyStorage, type Operation } from '../storage/faulty-storage.ts';
import { backUpOf, files, forget, type History, leaveLitter, maintainUntilIdle, over, snapshotOf } from './_fixture.ts';

const open = (storage: Storage): Promise<Repository> => openRepository(storage, { secret, mode: 'write' });

/** A snapshot to drop and two to keep, litter of dead backups, a base index of two tables of which the newest leaves nothing out, an unfinished backup. */
async function eventful(place: Place): Promise<History> {
  const history: History = { ...place, expected: new Map() };
  const first = await snapshotOf(history, files('a', 2));
  await leaveLitter(place.repository);
  await maintain(place.repository);
  await snapshotOf(history, files('b', 2));
  await splitBase(place.repository);
  await snapshotOf(history, files('c', 2));
  await forget(history, first);
  await leaveLitter(place.repository);
  for (const [name, bytes] of Object.entries(files('unfinished', 8))) write(history.source, name, bytes);
  const storage = new FaultyStorage(place.repository.storage, { faults: [{ operation: 'create', name: /^writer\/snapshots\//, call: 1 }] });
  await backUpOf(over(history, storage), {}, { batchFiles: 1, waitingTokens: 2, checkpointNewBytes: 1 }).catch(() => undefined);
  return history;
}

/** The tables of sessions become a second table of the base index, as they would beside a large one. */
async function splitBase(repository: Repository): Promise<void> {
  const root = await readRoot(repository);
  const id = idForSuccessor(root);
  const target = new HashedTarget(repository.storage);
  const tables = (await listIndexTables(repository, root)).map(({ name }) => name);
  await mergeIndexTables(repository.storage, {
    name: objectNames.baseIndex(id),
    keys: repository.keys,
    tables,
    older: [root.baseIndex!],
    target,
  });
  await advanceRoot(repository, { baseIndex: { id, hash: target.digest() } });
}

/** What is wrong with the repository; nothing, if all is well. `target`: the newest snapshot is restored there; the others are read. */
async function faultsOf(repository: Repository, { source, expected }: History, target: string): Promise<string[]> {
  const faults: string[] = [];
  const snapshots = await listSnapshots(repository);
  if (snapshots.length !== expected.size) faults.push(`${snapshots.length} snapshots, ${expected.size} should stand`);
  for (const info of snapshots) {
    const wanted = expected.get(info.id);
    if (wanted === undefined) faults.push(`${info.id} should not stand`);
    const contents =
      info === snapshots.at(-1) ? await restoredTo(target, repository, info, source) : await contentsOf(repository, source, info);
    for (const [name, bytes] of wanted ?? []) if (!contents.get(name)?.equals(bytes)) faults.push(`${info.id}: ${name}`);
  }
  const { errors, complete } = await check(repository, { readData: true, workers: 1 });
  faults.push(...errors.map(({ code, object }) => `${code} ${object}`));
  if (!complete) faults.push('the check is not complete');
  return faults;
}

async function restoredTo(target: string, repository: Repository, info: SnapshotInfo, source: string): Promise<Map<string, Buffer>> {
  fs.rmSync(target, { recursive: true, force: true });
  const { errors } = await restore(repository, info, { target, from: source, workers: 1 });
  if (errors.length > 0) throw errors[0];
  const names = fs
    .readdirSync(target, { recursive: true, encoding: 'utf8' })
    .filter((name) => fs.statSync(path.join(target, name)).isFile());
  return new Map(names.map((name) => [name, fs.readFileSync(path.join(target, name))]));
}

/** What is there though nothing refers to it. */
async function litterOf(repository: Repository, folder: string): Promise<string[]> {
  const { storage, keys } = repository;
  const referred = new Set<ObjectId>();
  for (const root of await listRoots(repository)) {
    for (const reference of [root.baseIndex, root.catalogue, root.lost, root.condemned, root.doomed])
      if (reference !== null) referred.add(reference.id);
    const { tables } = await readBaseIndex(storage, { reference: root.baseIndex, keys });
    for (const { reference } of tables) referred.add(reference.id);
  }
  const litter = fs.readdirSync(path.join(folder, 'temporary'));
  for (const prefix of [objectPrefixes.baseIndexes, objectPrefixes.catalogues, objectPrefixes.lostLists])
    for (const name of await namesIn(storage, prefix)) if (!referred.has(name.slice(prefix.length) as ObjectId)) litter.push(name);
  const { notes } = await check(repository, { workers: 1 });
  return [...litter, ...notes.map(({ message }) => message)];
}

t.test('maintain: killed at each of its requests to the store', async (t) => {
  const place = await makePlace(t);
  const history = await eventful(place);
  const copy = path.join(place.folder, 'copy');
  const target = path.join(place.folder, 'target');
  const begin = async (plan: FaultPlan): Promise<FaultyStorage> => {
    fs.rmSync(copy, { recursive: true, force: true });
    fs.cpSync(place.repositoryFolder, copy, { recursive: true });
    return new FaultyStorage(new LocalFolder(copy), plan);
  };
  const counting = await begin({});
  const repository = await open(counting);
  const opening = counting.calls.length;
  t.match(await maintain(repository), { outcome: 'collected', droppedSnapshots: 1 });
  const calls = counting.calls.slice(opening);
  await maintainUntilIdle(repository);
  t.same(await faultsOf(repository, history, target), []);
  t.same(await litterOf(repository, copy), []);
  const left = await namesIn(repository.storage, objectPrefixes.writerPacks);
  let looked = 0;
  for (let call = 1; call <= calls.length; call++) {
    const storage = await begin({ faults: [{ call: opening + call, forever: true, error: died }] });
    await maintain(await open(storage)).then(
      () => t.fail(`request ${call} is not needed`),
      () => undefined,
    );
    // As long as nothing changes, the store is as it was when the one before was killed.
    if (call > 1 && !effects.includes(calls[call - 2]!.operation)) continue;
    looked++;
    const reopened = await open(new LocalFolder(copy));
    const faults = await faultsOf(reopened, history, target);
    await maintainUntilIdle(reopened);
    faults.push(...(await faultsOf(reopened, history, target)), ...(await litterOf(reopened, copy)));
    const packs = await namesIn(reopened.storage, objectPrefixes.writerPacks);
    if (packs.length !== left.length) faults.push(`${packs.length} packs, not ${left.length}`);
    if (faults.length > 0) t.fail(`killed at request ${call}, ${JSON.stringify(calls[call - 1])}: ${faults.join('; ')}`);
  }
  t.ok(looked > 12, `${looked} different states after ${calls.length} requests`);
});

const effects: readonly Operation[] = ['createWriter', 'append', 'commit', 'create', 'delete', 'removeLitter'];

function died(): Error {
  return new LaganError('unavailable', 'the process has died');
}
