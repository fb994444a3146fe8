/**
 * The drill of docs/disaster-recovery.md: its code blocks are run as they stand there, the first on a machine that is lost afterwards, the others on one that has nothing but the store and the
 * recovery key.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { projectFolder, scratchFolder } from '../cli/cli.ts';
import { findVersitygw, noServer, startVersitygw } from '../engine/storage/s3-server.ts';

const document = readFileSync(join(projectFolder, 'docs/disaster-recovery.md'), 'utf8');

/** The blocks of a kind, in order. */
function blocks(kind: 'before' | 'values' | 'drill'): string[] {
  return [...document.matchAll(/^```sh (\w+)\n(.*?)^```$/gms)].flatMap(([, found, text]) => (found === kind ? [text!] : []));
}

/** Some twenty commands, each a process of its own, on a machine that may be busy. */
const timeout = 300_000;

/** What the document's values stand for here: the same variables, with other values. */
function values(given: Readonly<Record<string, string>>): string {
  const names = [
    ...blocks('values')
      .join('\n')
      .matchAll(/^(\w+)=/gm),
  ].map(([, name]) => name!);
  t.same(names.sort(), Object.keys(given).sort(), 'the document has a block with these values');
  return Object.entries(given)
    .map(([name, value]) => `${name}='${value}'\n`)
    .join('');
}

interface Machine {
  readonly home: string;
  /** Runs a script by a shell that stops at the first failure. */
  run(script: string): Promise<{ status: number | null; output: string }>;
}

/** A machine with an empty home folder, and Lagan. */
function machine(scratch: string, name: string, more: Readonly<Record<string, string>>): Machine {
  const home = join(scratch, name);
  const programs = join(scratch, 'programs');
  mkdirSync(home);
  mkdirSync(programs, { recursive: true });
  const lagan = join(programs, 'lagan');
  writeFileSync(lagan, `#!/bin/sh\nexec '${process.execPath}' '${join(projectFolder, 'bin/main.ts')}' "$@"\n`);
  chmodSync(lagan, 0o755);
  // Two dozen processes load the same sources: that is half a minute without it. It holds nothing of Lagan's.
  const compiled = { NODE_COMPILE_CACHE: join(scratch, 'compiled') };
  const folders = { XDG_DATA_HOME: join(home, 'data'), XDG_CONFIG_HOME: join(home, 'config'), XDG_CACHE_HOME: join(home, 'cache') };
  const env = { PATH: `${programs}:/usr/bin:/bin`, HOME: home, LANG: 'C.UTF-8', TZ: 'UTC', ...folders, ...compiled, ...more };
  const run: Machine['run'] = (script) =>
    new Promise((resolve) => {
      const child = spawn('/bin/sh', ['-eu', '-c', script], { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (output += piece.toString()));
      child.on('close', (status) => resolve({ status, output }));
    });
  return { home, run };
}

/** Backs up two folders and a stream, changes them, backs up again, and loses everything but the store and the recovery key. */
async function drill(t: Test, store: string, more: Readonly<Record<string, string>>): Promise<void> {
  const scratch = scratchFolder(t);
  const [files, kept, target] = ['files', 'kept', 'target'].map((name) => join(scratch, name)) as [string, string, string];
  const key = join(scratch, 'recovery.key');
  const given = values({ STORE: store, KEY: key, TARGET: target });
  makeFiles(files);

  const keyFile = join(scratch, 'lost/machine.key');
  const lost = machine(scratch, 'lost', { ...more, LAGAN_REPOSITORY: store, LAGAN_KEY_FILE: keyFile });
  const backups = `lagan backup '${files}/web' -q --host web1
    lagan backup '${files}/home' -q --host desk
    echo "dump $1" | lagan backup --stdin --stdin-name db.sql -q --host db1`;
  await succeeds(t, lost, `lagan init -q\nset -- old\n${backups}`);
  writeFileSync(join(files, 'web/page'), 'changed');
  writeFileSync(join(files, 'home/new'), 'new');
  rmSync(join(files, 'home/gone'));
  await succeeds(t, lost, `set -- new\n${backups}\n${given}\n${blocks('before').join('\n')}`);
  cpSync(files, kept, { recursive: true });
  for (const folder of [lost.home, files]) rmSync(folder, { recursive: true });

  const fresh = machine(scratch, 'fresh', more);
  mkdirSync(target);
  await succeeds(t, fresh, given + blocks('drill').join('\n'));
  const restored = readdirSync(target).map((id) => join(target, id));
  t.equal(restored.length, 3, 'the newest snapshot of each of three sources, and no other');
  const has = (path: string) => restored.filter((folder) => spawnSync('test', ['-e', folder + path]).status === 0);
  for (const name of ['web', 'home']) {
    const [folder, ...others] = has(`${files}/${name}`);
    t.same(others, []);
    t.match(spawnSync('diff', ['-r', '--no-dereference', `${folder}${files}/${name}`, join(kept, name)]), { status: 0 }, name);
  }
  t.equal(readFileSync(`${has('/db.sql')[0]}/db.sql`, 'utf8'), 'dump new\n');
}

function makeFiles(folder: string): void {
  for (const name of ['web', 'home/sub']) mkdirSync(join(folder, name), { recursive: true });
  for (const name of ['web/page', 'home/letter', 'home/gone', 'home/sub/large']) writeFileSync(join(folder, name), name.repeat(10_000));
}

async function succeeds(t: Test, { run }: Machine, script: string): Promise<void> {
  const { status, output } = await run(script);
  t.equal(status, 0, output);
}

t.test('the document has all the blocks of the drill', async (t) => {
  t.ok(blocks('before').length >= 2);
  t.equal(blocks('values').length, 1);
  t.ok(blocks('drill').length >= 5);
  t.same(
    [...document.matchAll(/^```(.*)$/gm)]
      .flatMap(([, info]) => (info === '' ? [] : [info]))
      .filter((info) => !/^sh (before|values|drill)$/.test(info!)),
    [],
    'no block that nobody runs',
  );
});

t.test('drill: with nothing but the store and the recovery key, the newest data of every source comes back', { timeout }, async (t) => {
  await drill(t, join(scratchFolder(t), 'store'), {});
});

const skipped = process.env.LAGAN_DRILL_BUCKET
  ? findVersitygw() === undefined && noServer
  : 'LAGAN_DRILL_BUCKET=1 drills it with a bucket, too';

t.test('drill: the same from a bucket', { timeout, skip: skipped }, async (t) => {
  const server = await startVersitygw(findVersitygw()!, scratchFolder(t));
  t.teardown(() => server.stop());
  server.makeBucket('drill');
  await drill(t, `s3://drill/backups?endpoint=${server.endpoint}`, server.environment);
});
