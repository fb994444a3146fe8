import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openStorage } from '../../engine/storage/mod.ts';
import { decodeFormatFile, objectNames } from '../../repo-format/mod.ts';
import { everything, filesBelow, fingerprint, packName, sealedBytes, startServing } from '../engine/serve/serving.ts';
import { Line } from '../engine/storage/line.ts';
import { findSshd, startSshd } from '../engine/storage/servers.ts';
import { execute, type Outcome, parseLines, projectFolder, run, type StartedProgram, scratchFolder, start } from './cli.ts';
import { problems } from './schemas.ts';

interface Place {
  readonly folder: string;
  readonly repository: string;
  readonly keyFile: string;
  readonly data: string;
  readonly env: Record<string, string>;
  /** In this process. */
  readonly lagan: (...argv: string[]) => Promise<Outcome>;
}

/** A repository in a folder, and something to back up. */
async function newPlace(t: Test): Promise<Place> {
  const folder = scratchFolder(t);
  const [repository, keyFile, data] = [join(folder, 'repository'), join(folder, 'key'), join(folder, 'data')];
  const env = { HOME: folder };
  const lagan = (...argv: string[]) => run(argv, { env, cwd: folder });
  fs.mkdirSync(data);
  for (let index = 0; index < 20; index++) fs.writeFileSync(join(data, `${index}`), randomBytes(20_000));
  const made = await lagan('init', '-r', repository, '--key-file', keyFile);
  t.equal(made.exitCode, 0, made.stderr);
  return { folder, repository, keyFile, data, env, lagan };
}

/** `lagan serve` in a process of its own. */
async function startServe(
  t: Test,
  { folder, repository, env }: Place,
  ...options: string[]
): Promise<{ child: StartedProgram; url: (token: string) => string; lines: () => Record<string, unknown>[] }> {
  const child = start(['serve', '-r', repository, '--json', '--listen', '127.0.0.1:0', ...options], { env, cwd: folder });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout!.on('data', (piece) => {
      text += piece;
      if (text.includes('\n')) resolve();
    });
    child.once('close', () => child.ended.then(({ stderr }) => reject(new Error(stderr))));
  });
  const lines = () => parseLines(text.slice(0, text.lastIndexOf('\n') + 1));
  const { address, fingerprint } = lines()[0] as { address: string; fingerprint: string };
  return { child, lines, url: (token) => `https://${address}/?fingerprint=${fingerprint}&token-file=${token}` };
}

/** The token of somebody new, in a file. */
async function addToken(t: Test, { folder, lagan }: Place, name: string, ...options: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await lagan('serve', 'token', 'add', name, ...options);
  t.equal(exitCode, 0, stderr);
  fs.writeFileSync(join(folder, `${name}.token`), stdout);
  return join(folder, `${name}.token`);
}

function succeeds(t: Test, { exitCode, stderr }: Outcome): void {
  t.equal(exitCode, 0, stderr);
}

t.test('lagan serve: two machines back up at once, nobody deletes, the owner maintains, somebody restores', async (t) => {
  const place = await newPlace(t);
  const { folder, data, keyFile, lagan } = place;
  const writers = [await addToken(t, place, 'anna'), await addToken(t, place, 'bert', '--quota', '1GiB')];
  const reader = await addToken(t, place, 'desk', '--role', 'reader');
  const owner = await addToken(t, place, 'admin', '--role', 'owner', '--role', 'collector', '--role', 'writer');
  const { child, url, lines } = await startServe(t, place, '--append-only', '--log', 'access.log');
  const keyed = (token: string) => ['-r', url(token), '--key-file', keyFile, '--no-cache'];
  fs.writeFileSync(join(folder, 'large'), randomBytes(3_000_000));
  const backups = writers.map((token, index) => lagan('backup', data, join(folder, 'large'), '--host', `host-${index}`, ...keyed(token)));
  for (const outcome of await Promise.all(backups)) succeeds(t, outcome);
  succeeds(t, await lagan('backup', data, ...keyed(writers[0]!)));
  t.match(
    (await lagan('restore', 'latest', '--target', join(folder, 'no'), ...keyed(writers[0]!))).stderr,
    /may not read the contents of files/,
  );
  succeeds(t, await lagan('restore', 'latest', '--target', join(folder, 'back'), ...keyed(reader)));
  t.same(fs.readFileSync(join(folder, 'back', data, '7')), fs.readFileSync(join(data, '7')));
  const refused = await lagan('forget', 'latest', '--json', ...keyed(owner));
  t.match(refused.error, { code: 'forbidden', exitCode: 8, hint: /append-only/ });
  t.match((await lagan('snapshots', '--json', ...keyed(reader))).json[0], { snapshots: { length: 3 } });
  child.kill('SIGTERM');
  t.equal((await child.ended).exitCode, 0, 'a server that was asked to end has ended well');
  const told = lines();
  for (const line of told) t.same(problems('serve', line), []);
  t.same(parseLines(fs.readFileSync(join(folder, 'access.log'), 'utf8')), told.slice(1));
  t.ok(told.some(({ writer, method, status }) => writer === 'bert' && method === 'PUT' && status === 201));
  const denied = told.filter(({ writer, status }) => (writer === 'anna' || writer === 'bert') && status === 403);
  t.ok(
    denied.every(({ method }) => method === 'GET'),
    'a backup needs nothing that a writer may not do: only the restore was refused',
  );
  t.notMatch(JSON.stringify(told), fs.readFileSync(owner, 'utf8').trim());
  await t.test('without --append-only the owner may forget and maintain', async (t) => {
    const { url, child } = await startServe(t, place);
    const asOwner = ['-r', url(owner), '--key-file', keyFile, '--no-cache'];
    succeeds(t, await lagan('forget', 'latest', ...asOwner));
    succeeds(t, await lagan('maintain', '--max-unused', '0%', ...asOwner));
    t.equal((await lagan('forget', 'latest', '-r', url(writers[0]!), '--key-file', keyFile)).exitCode, 8);
    succeeds(t, await lagan('check', '--read-data', ...asOwner));
    child.kill('SIGINT');
    t.equal((await child.ended).exitCode, 0);
  });
});

t.test('lagan serve token: adds, lists and removes', async (t) => {
  const place = await newPlace(t);
  const { lagan } = place;
  const json = async (...argv: string[]) => {
    const outcome = await lagan('serve', 'token', ...argv, '--json');
    for (const line of outcome.json) t.same(problems('serve', line), [], JSON.stringify(line));
    return outcome;
  };
  t.match((await json('add', 'anna', '--quota', '5GiB', '--below', 'laptops/anna')).json, [
    { type: 'token', outcome: 'added', token: /^lagan-token-1-[0-9a-f]{64}$/, quotaBytes: 5 * 2 ** 30 },
  ]);
  t.match((await json('add', 'anna')).error, { code: 'exists' });
  t.match((await json('list')).json, [{ tokens: [{ name: 'anna', roles: ['writer'], repository: 'laptops/anna', usedBytes: 0 }] }]);
  t.match((await lagan('serve', 'token', 'list')).stdout, /^anna +writer +laptops\/anna +0 B in 0 +5\.00 GiB/m);
  t.match((await json('remove', 'anna', '--dry-run')).json, [{ outcome: 'dry-run' }]);
  t.match((await json('remove', 'anna')).json, [{ outcome: 'removed' }]);
  t.match((await json('remove', 'anna')).error, { code: 'not-found', exitCode: 1 });
  for (const [argv, message] of [
    [['add', '../x'], /is no name/],
    [['add', 'x', '--role', 'admin'], /--role: 'admin'.*/],
    [['add', 'x', '--below', '../y'], /--below/],
    [['add', 'x', '--quota', 'much'], /--quota/],
  ] as const) {
    t.match((await json(...argv)).error, { code: 'usage', message });
  }
});

t.test('lagan serve: what cannot be served is said before anything is', async (t) => {
  const { lagan, repository, folder } = await newPlace(t);
  fs.writeFileSync(join(folder, 'text'), 'text');
  const cases: [string[], object][] = [
    [['-r', join(folder, 'nothing')], { code: 'no-repository' }],
    [['--listen', 'here'], { code: 'usage', message: /--listen/ }],
    [['--listen', '192.0.2.1:0'], { code: 'io', message: /no such address/ }],
    [['--plain-http', '--listen', '0.0.0.0:0'], { code: 'usage', message: /could read the tokens/ }],
    [['--certificate', 'text'], { code: 'usage' }],
    [['--certificate', 'text', '--certificate-key', 'text'], { code: 'usage', message: /cannot be used/ }],
    [['--writer', 'anna'], { code: 'usage', message: /--stdio/ }],
    [['--stdio'], { code: 'usage', message: /who is the client/ }],
    [['--stdio', '--writer', 'a/b'], { code: 'usage' }],
    [['--stdio', '--writer', 'a', '--listen', ':0'], { code: 'usage' }],
    [['--log', '/no/such/folder/log', '--listen', '127.0.0.1:0'], { code: 'io' }],
  ];
  for (const [argv, error] of cases) {
    const at = argv[0] === '-r' ? [] : ['-r', repository];
    t.match((await lagan('serve', ...argv, ...at, '--json')).error, error, argv.join(' '));
  }
});

t.test('lagan backup: through a line that is cut again and again', async (t) => {
  const place = await newPlace(t);
  const serving = await startServing(t, { place: place.repository });
  const line = await Line.start(t, serving.port);
  const token = serving.token('anna', ['writer', 'reader']);
  const url = `https://127.0.0.1:${line.port}/?fingerprint=${fingerprint}&token-file=${token}`;
  fs.writeFileSync(join(place.data, 'large'), randomBytes(20_000_000));
  let cuts = 0;
  const cutting = setInterval(() => (++cuts < 7 ? line.cut() : clearInterval(cutting)), 150);
  const keyed = ['-r', url, '--key-file', place.keyFile, '--no-cache'];
  succeeds(t, await place.lagan('backup', place.data, ...keyed));
  clearInterval(cutting);
  succeeds(t, await place.lagan('check', '--read-data', ...keyed));
  t.same(fs.readdirSync(join(place.repository, 'temporary')), [], 'nothing unfinished is left');
  const full = serving.token('bert', ['writer'], { quota: { bytes: 1_000_000 } });
  fs.writeFileSync(join(place.data, 'large'), randomBytes(3_000_000));
  const { error } = await place.lagan('backup', place.data, '--json', '-r', serving.url(full), '--key-file', place.keyFile);
  t.match(error, { code: 'no-space', exitCode: 7, message: /quota/, hint: /maintain/ });
});

t.test('lagan init: through a server, below a path of its own', async (t) => {
  const { folder, lagan } = await newPlace(t);
  const serving = await startServing(t);
  const owner = serving.token('admin', everything, { below: 'laptops/anna' });
  const keyed = ['-r', serving.url(owner, 'laptops/anna'), '--key-file', join(folder, 'other-key')];
  succeeds(t, await lagan('init', ...keyed));
  t.ok(filesBelow(join(serving.repository, 'laptops/anna')).includes('owner/format'));
  t.match(
    (
      await lagan(
        'init',
        '--json',
        '-r',
        serving.url(serving.token('anna', ['writer'], { below: 'x' }), 'x'),
        '--key-file',
        join(folder, 'third'),
      )
    ).error,
    { code: 'forbidden' },
  );
});

const sshd = findSshd();
t.test('lagan serve --stdio: as the forced command of an SSH key', { skip: 'skip' in sshd ? sshd.skip : false }, async (t) => {
  if ('skip' in sshd) return;
  const place = await newPlace(t);
  const { folder, repository, keyFile, data } = place;
  const { port, user, home } = await startSshd(t, sshd.file);
  const authorized = join(home, '../authorized');
  const key = fs.readFileSync(authorized, 'utf8');
  const words = `${process.execPath} ${join(projectFolder, 'bin/main.ts')} serve --stdio --append-only --writer anna -r ${repository} --state ${folder}/state --log ${folder}/access.log`;
  fs.writeFileSync(authorized, `command="${words}",restrict ${key}`);
  const ssh = `ssh -F none -i ${home}/.ssh/id_ed25519 -o UserKnownHostsFile=${home}/.ssh/known_hosts`;
  const env = { HOME: folder, LAGAN_SSH: ssh };
  const at = ['-r', `ssh://${user}@127.0.0.1:${port}/`, '--key-file', keyFile, '--no-cache'];
  process.env.LAGAN_SSH = ssh;
  t.teardown(() => delete process.env.LAGAN_SSH);
  const storage = openStorage(at[1]!);
  const name = packName();
  const id = decodeFormatFile(await storage.get('owner/format')).repositoryId;
  const large = sealedBytes(name, 'pack', { id, segments: [45_000_000, 500] });
  const writer = await storage.createWriter(name);
  await writer.append([large]);
  t.equal(await writer.commit(), 'created', 'in parts');
  t.same(fs.readFileSync(join(repository, name)), large);
  t.equal(await storage.create(name, [large.subarray(0, 5)]), 'exists');
  await t.rejects(storage.create(objectNames.root(9), [large]), { code: 'forbidden' });
  await t.rejects(storage.delete([name]), { code: 'forbidden' });
  await t.rejects(storage.get(name), { code: 'forbidden' }, 'a writer reads no contents');
  await storage.close();
  // Each thread of a backup starts a server of its own, which takes a while from sources.
  if (process.env.LAGAN_EVERY_MOMENT !== undefined) succeeds(t, await execute(['backup', data, ...at], { env }));
  const lines = parseLines(fs.readFileSync(join(folder, 'access.log'), 'utf8'));
  t.ok(lines.some(({ writer, status, address }) => writer === 'anna' && status === 201 && address === null));
  for (const line of lines) t.same(problems('serve', line), []);
  process.env.LAGAN_SSH = ssh.replace('id_ed25519 ', 'none ');
  await t.rejects(openStorage(`ssh://${user}@127.0.0.1:${port}/`).state(), { code: 'forbidden', message: /permission denied/i });
});
