/** A server that dies at each of its requests to its own store, or whose store fails then: nothing that was acknowledged is lost, and clients go on, or the next one does. */
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { type RunningServer, serve, TokenFile } from '../../../engine/serve/mod.ts';
import { TransferLimits } from '../../../engine/storage/_transfer-limits.ts';
import { InMemory, Served, type Storage } from '../../../engine/storage/mod.ts';
import { isLaganError, type SnapshotId } from '../../../repo-format/mod.ts';
import { backUp, faultsOf, fill, makeSample, type Outcome, open, type Sample } from '../../reliability/_crash-points.ts';
import { isEveryMoment } from '../../reliability/_moments.ts';
import { collect, forget } from '../../simulation/engine-calls.ts';
import { randomBytesOf } from '../random.ts';
import { copyOf } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import { Line } from '../storage/line.ts';
import { scratchFolder } from '../storage/servers.ts';
import { certificate, everything, fingerprint } from './serving.ts';

// On a busy machine.
t.setTimeout(1_200_000);

/** In `npm test`: so many moments of each test. */
const sampled = 2;
const limits = new TransferLimits();
const retries = { attempts: 8, firstPauseMs: 1 };

/** Servers in front of stores, one after another, at an address that stays. */
class Address {
  readonly #folder: string;
  readonly #tokens: TokenFile;
  readonly #line: Line;
  readonly #servers: RunningServer[] = [];

  private constructor(folder: string, line: Line) {
    this.#folder = folder;
    this.#line = line;
    this.#tokens = new TokenFile(path.join(folder, 'tokens.json'));
    fs.writeFileSync(this.#tokenFile, this.#tokens.add({ name: 'all', roles: everything, repository: [], quota: {} }));
  }

  static async open(t: Test): Promise<Address> {
    const address = new Address(scratchFolder(t), await Line.start(t, 0));
    t.teardown(() => Promise.all(address.#servers.map((server) => server.close())));
    return address;
  }

  get #tokenFile(): string {
    return path.join(this.#folder, 'token');
  }

  /** From now on this store is served, by a new server. Who talked to the one before loses the connection. */
  async serve(storage: Storage): Promise<void> {
    const server = await serve({
      place: this.#folder,
      openPlace: () => storage,
      appendOnly: false,
      usageFolder: path.join(this.#folder, 'usage'),
      host: '127.0.0.1',
      port: 0,
      certificate,
      tokens: this.#tokens,
      limits: { graceMs: 1 },
    });
    this.#servers.push(server);
    this.#line.leadTo(Number(server.address.split(':')[1]));
    this.#line.cut();
  }

  client(): Storage {
    const url = `https://127.0.0.1:${this.#line.port}/?fingerprint=${fingerprint}&token-file=${this.#tokenFile}`;
    return new Served(url, { limits, retries });
  }
}

const contents = (number: number) =>
  new Map(Array.from({ length: 4 }, (_, file) => [`file-${file}`, randomBytesOf(`content ${file + number * 2}`, 900 + file * 300)]));

/** A repository with a snapshot, and a source that has changed since. */
async function changedSample(t: Test): Promise<Sample & { first: SnapshotId }> {
  const sample = await makeSample(scratchFolder(t), new InMemory());
  fill(sample.source, contents(0));
  const first = await backUp(await open(sample.storage), sample.source);
  sample.expected.set(first, contents(0));
  fill(sample.source, contents(1));
  return { ...sample, first };
}

/** A backup, then the first snapshot is forgotten and what it alone had is freed. */
async function operate(storage: Storage, sample: Sample, first: SnapshotId): Promise<void> {
  sample.expected.set(await backUp(await open(storage), sample.source), contents(1));
  sample.expected.delete(first);
  await forget(await open(storage), [first]);
  await collect(await open(storage));
}

/** Does all of it by way of a server, whose store is given. */
async function operateBy(address: Address, sample: Sample, first: SnapshotId): Promise<Outcome> {
  const client = address.client();
  try {
    await operate(client, sample, first);
    return 'done';
  } catch (error) {
    if (!isLaganError(error)) throw error;
    return error.code;
  } finally {
    await client.close();
  }
}

async function callsOfAll(address: Address, { first, ...sample }: Sample & { first: SnapshotId }): Promise<number> {
  const storage = await copyOf(sample.storage);
  const counting = new FaultyStorage(storage);
  await address.serve(counting);
  const copy = { ...sample, storage, expected: new Map(sample.expected) };
  t.equal(await operateBy(address, copy, first), 'done');
  t.same(await faultsOf(copy), []);
  return counting.calls.length;
}

function* moments(calls: number): Generator<number> {
  for (let call = 1; call <= calls; call += isEveryMoment ? 1 : Math.ceil(calls / sampled)) yield call;
}

const address = await Address.open(t);
const { first, ...sample } = await changedSample(t);
const calls = await callsOfAll(address, { first, ...sample });

t.test('lagan serve: a server that dies at any of its requests and is started again: its clients go on', async (t) => {
  for (const call of moments(calls)) {
    const storage = await copyOf(sample.storage);
    let made = 0;
    const onCall = async () => {
      if (++made === call) await address.serve(new FaultyStorage(storage));
    };
    await address.serve(
      new FaultyStorage(storage, { faults: [{ call, when: call % 2 === 0 ? 'before' : 'after', forever: true }], onCall }),
    );
    const copy = { ...sample, storage, expected: new Map(sample.expected) };
    const outcome = await operateBy(address, copy, first);
    const faults = await faultsOf(copy);
    if (outcome !== 'done' || faults.length > 0) t.fail(`call ${call} of ${calls} (${outcome}): ${faults}`);
  }
});

t.test('lagan serve: a request to its store fails: the client is told, or goes on, and the next one is whole', async (t) => {
  for (const call of moments(calls)) {
    const storage = await copyOf(sample.storage);
    await address.serve(new FaultyStorage(storage, { faults: [{ call, when: call % 2 === 0 ? 'before' : 'after' }] }));
    const copy = { ...sample, storage, expected: new Map(sample.expected) };
    const outcome = await operateBy(address, copy, first);
    const faults = ['done', 'io'].includes(outcome) ? [] : [`it ended with ${outcome}`];
    await operate(storage, copy, first);
    faults.push(...(await faultsOf(copy)));
    if (faults.length > 0) t.fail(`call ${call} of ${calls} (${outcome}): ${faults}`);
  }
});
