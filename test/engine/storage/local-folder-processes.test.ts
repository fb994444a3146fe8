/** Local folders that several processes use: races, and what the dead leave behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { fateOfMaker, newTemporaryName, ownIdentity } from '../../../engine/storage/_process-identity.ts';
import { LocalFolder, openStorage } from '../../../engine/storage/mod.ts';

const child = path.join(import.meta.dirname, 'storage-child.ts');

function start(role: string, folder: string): { process: ChildProcess; lines: AsyncIterator<string> } {
  const started = spawn(process.execPath, [child, role, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  return { process: started, lines: createInterface({ input: started.stdout! })[Symbol.asyncIterator]() };
}

async function ended(started: ChildProcess): Promise<void> {
  if (started.exitCode === null && started.signalCode === null) await once(started, 'exit');
}

const temporaryIn = (folder: string) => fs.readdirSync(path.join(folder, 'temporary'));

t.test('LocalFolder: of many processes that create one name, exactly one is told that it created', async (t) => {
  const folder = t.testdir();
  const racers = Array.from({ length: 6 }, () => start('race', folder));
  for (const { lines } of racers) await lines.next();
  for (const { process } of racers) process.stdin!.end('go\n');
  const outcomes = await Promise.all(racers.map(async ({ lines }) => JSON.parse((await lines.next()).value) as string[]));
  const storage = new LocalFolder(folder);
  for (let round = 0; round < outcomes[0]!.length; round++) {
    const winners = outcomes.flatMap((ofOne, racer) => (ofOne[round] === 'created' ? [racer] : []));
    t.equal(winners.length, 1, `round ${round}`);
    t.equal(Buffer.from(await storage.get(`a/${round}`)).toString(), String(racers[winners[0]!]!.process.pid));
  }
  await Promise.all(racers.map(({ process }) => ended(process)));
  t.same(temporaryIn(folder), []);
});

t.test('LocalFolder: removeLitter removes what a killed process left, and nothing of one that lives', async (t) => {
  const folder = t.testdir();
  const [dead, alive] = [start('write', folder), start('write', folder)];
  for (const { lines } of [dead, alive]) await lines.next();
  t.equal(temporaryIn(folder).length, 2);
  const storage = new LocalFolder(folder);
  const own = await storage.createWriter('a/own');
  t.equal(await storage.removeLitter(), 0);
  dead.process.kill('SIGKILL');
  await ended(dead.process);
  t.equal(await storage.removeLitter(), 1);
  t.equal(temporaryIn(folder).length, 2);
  alive.process.stdin!.end('go\n');
  t.equal((await alive.lines.next()).value, 'created');
  t.equal(await own.commit(), 'created');
  await ended(alive.process);
});

t.test('abandonAll removes the files of all threads of this process, and only those', async (t) => {
  const folder = t.testdir();
  const other = await new LocalFolder(folder).createWriter('a/b');
  const abandoning = start('abandon', folder);
  t.equal((await abandoning.lines.next()).value, '3', 'two threads and another process were writing');
  await ended(abandoning.process);
  t.equal(temporaryIn(folder).length, 1);
  t.equal(await other.commit(), 'created');
});

t.test('fateOfMaker: machine, boot, namespace, pid and start time tell who may live', async (t) => {
  const own = ownIdentity();
  const nameOf = (change: Partial<typeof own>) => {
    const { machine, boot, namespace, pid, started } = { ...own, ...change };
    return `${machine}-${boot}-${namespace}-${pid}-${started}-0123456789abcdef`;
  };
  t.equal(fateOfMaker(newTemporaryName()), 'alive');
  t.equal(fateOfMaker(nameOf({})), 'alive');
  t.equal(fateOfMaker(nameOf({ started: '1' })), 'dead', 'the pid was used again');
  t.equal(fateOfMaker(nameOf({ pid: '4194304' })), 'dead', 'above the highest pid of Linux');
  t.equal(fateOfMaker(nameOf({ pid: '1', started: '0' })), 'alive', 'a start time that nobody told is no proof of death');
  t.equal(fateOfMaker(nameOf({ boot: 'ffffffffffff' })), 'dead-since-reboot');
  t.equal(fateOfMaker(nameOf({ boot: 'ffffffffffff', machine: '00000000' })), 'unknown', 'another machine');
  t.equal(fateOfMaker(nameOf({ machine: '00000000', started: '1' })), 'dead', 'a container of this machine, in the same namespace');
  t.equal(fateOfMaker(nameOf({ namespace: '1' })), 'unknown', 'a container of this machine');
  t.equal(fateOfMaker(nameOf({ boot: '0' })), 'unknown');
  t.equal(fateOfMaker('something else'), 'unknown');
});

t.test('LocalFolder: removeLitter leaves what another machine may be writing for 7 days', async (t) => {
  const folder = t.testdir({ temporary: {} });
  const { boot, machine } = ownIdentity();
  const day = 24 * 60 * 60;
  const cases = [
    { name: '00000000-ffffffffffff-1-1-1-0000000000000001', age: 6 * day, stays: true },
    { name: '00000000-ffffffffffff-1-1-1-0000000000000002', age: 8 * day, stays: false },
    { name: 'something-else', age: 6 * day, stays: true },
    { name: 'something-else-2', age: 8 * day, stays: false },
    { name: `${machine}-ffffffffffff-1-1-1-0000000000000003`, age: 10, stays: true },
    { name: `${machine}-ffffffffffff-1-1-1-0000000000000004`, age: 2 * 60 * 60, stays: false },
    { name: `00000000-${boot}-1-1-1-0000000000000005`, age: 6 * day, stays: true },
    { name: 'of-the-future', age: -3650 * day, stays: true },
  ];
  for (const { name, age } of cases) {
    const file = path.join(folder, 'temporary', name);
    fs.writeFileSync(file, 'x');
    fs.utimesSync(file, Date.now() / 1000 - age, Date.now() / 1000 - age);
  }
  fs.mkdirSync(path.join(folder, 'temporary', 'folder'));
  t.equal(await new LocalFolder(folder).removeLitter(), 3);
  t.same(temporaryIn(folder).sort(), [...cases.filter(({ stays }) => stays).map(({ name }) => name), 'folder'].sort());
});

t.test('openStorage: paths, file: URLs, and what is neither', async (t) => {
  const locationOf = (place: string) => openStorage(place).location;
  t.equal(locationOf('/srv/backup'), '/srv/backup');
  t.equal(locationOf('backup'), path.resolve('backup'));
  t.equal(locationOf('./2024:weekly'), path.resolve('2024:weekly'));
  t.equal(locationOf('weekly:2024'), path.resolve('weekly:2024'), 'a colon alone makes no URL');
  t.equal(locationOf('file:///srv/my%20backup'), '/srv/my backup');
  t.equal(locationOf('file:relative/folder'), path.resolve('relative/folder'));
  t.equal(locationOf('memory:test'), 'memory:test');
  for (const place of ['', 'a\0b', 'sftp:host:/path', 'az:container', 'ftp://host/x', 'file://otherhost/x', 'file:///%zz', 'C3://bucket']) {
    t.throws(() => openStorage(place), { code: 'usage' }, JSON.stringify(place));
  }
});
