import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { backUp, bringBack, codeOf, inventory, makePlace, needsRoot, pseudoRandom } from './_helpers.ts';

async function backUpMuch(t: Test) {
  const place = makePlace(t);
  for (let folder = 0; folder < 16; folder++) {
    mkdirSync(join(place.source, `folder${folder}`));
    for (let file = 0; file < 40; file++)
      writeFileSync(join(place.source, `folder${folder}`, `file${file}`), pseudoRandom(file * 2_000, file));
    writeFileSync(join(place.source, `folder${folder}`, 'larger'), pseudoRandom(2_000_000, folder));
  }
  writeFileSync(join(place.source, 'large'), pseudoRandom(66 * 2 ** 20, 1));
  return { place, repository: await backUp(place) };
}

t.test('restore: an aborted one ends soon with interrupted, leaves nothing half, and goes on with if-changed', async (t) => {
  const { place, repository } = await backUpMuch(t);
  let partly = 0;
  for (const [index, delay] of [0, 20, 60, 150].entries()) {
    const target = `${place.target}${index}`;
    const options = { target, workers: 1 + (index % 2) };
    const controller = new AbortController();
    const restoring = codeOf(bringBack(repository, place, { ...options, signal: controller.signal }));
    await setTimeout(delay);
    const aborted = performance.now();
    controller.abort();
    const code = await restoring;
    if (code !== undefined) partly++;
    t.ok(code === 'interrupted' || code === undefined, `${code}`);
    t.ok(performance.now() - aborted < 5_000, `${Math.round(performance.now() - aborted)} ms`);
    assertNothingHalf(t, target, place.source);
    const { errors } = await bringBack(repository, place, { ...options, overwrite: 'if-changed' });
    t.strictSame(errors, []);
    t.strictSame(inventory(target), inventory(place.source));
  }
  t.ok(partly > 0);
});

t.test('restore: a signal that is aborted already does nothing', async (t) => {
  const place = makePlace(t);
  writeFileSync(join(place.source, 'file'), '');
  const repository = await backUp(place);
  t.equal(await codeOf(bringBack(repository, place, { signal: AbortSignal.abort() })), 'interrupted');
  t.notOk(exists(place.target));
});

t.test('restore: a killed one leaves no large file half under its name, and goes on with if-changed', async (t) => {
  const { place, repository } = await backUpMuch(t);
  for (const [index, delay] of [400, 550].entries()) {
    const target = `${place.target}${index}`;
    const options = { target, from: place.source, workers: 2 };
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, '_restore-child.ts'), JSON.stringify({ repository: place.repository, options })],
      { stdio: 'ignore' },
    );
    await setTimeout(delay);
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once('exit', resolve));
    if (exists(target))
      for (const name of filesOf(target))
        if (statSync(join(target, name)).size > 2 ** 20 && !name.includes('.lagan-')) assertSame(t, target, place.source, name);
    const { errors } = await bringBack(repository, place, { target, overwrite: 'if-changed' });
    t.strictSame(errors, []);
    t.strictSame(inventory(target), inventory(place.source));
  }
});

t.test('restore: an ordinary user restores what he may and is told of the rest, once for each kind', needsRoot, async (t) => {
  const place = makePlace(t);
  for (const name of ['of-root', 'of-another']) writeFileSync(join(place.source, name), name, { mode: 0o644 });
  execFileSync('chown', ['1234:4321', join(place.source, 'of-another')]);
  execFileSync('chmod', ['4755', join(place.source, 'of-root')]);
  execFileSync('mknod', [join(place.source, 'null'), 'c', '1', '3']);
  await backUp(place);
  mkdirSync(place.target);
  execFileSync('chown', ['-R', '65534:65534', place.repository, place.target]);
  const options = { target: place.target, from: place.source };
  const home = join(place.path, 'home');
  mkdirSync(home);
  execFileSync('chown', ['65534:65534', home]);
  const output = await new Promise<string>((resolve, reject) => {
    execFile(
      process.execPath,
      [join(import.meta.dirname, '_restore-child.ts'), JSON.stringify({ repository: place.repository, options })],
      { uid: 65_534, gid: 65_534, cwd: home, env: { PATH: process.env.PATH, HOME: home } },
      (error, stdout) => (error === null ? resolve(stdout) : reject(error)),
    );
  });
  const { errors, notRestored } = JSON.parse(output) as {
    errors: string[];
    notRestored: { kind: string; count: number; reason: string }[];
  };
  t.strictSame(errors, []);
  t.strictSame(
    notRestored.sort((a, b) => (a.kind < b.kind ? -1 : 1)),
    [
      { kind: 'device', count: 1, reason: 'EPERM' },
      { kind: 'mode', count: 1, reason: 'EPERM' },
      { kind: 'owner', count: 3, reason: 'EPERM' },
    ],
  );
  t.strictSame(readdirSync(place.target).sort(), ['of-another', 'of-root']);
  t.equal(statSync(join(place.target, 'of-root')).mode & 0o7777, 0o755, 'no setuid for the wrong owner');
});

function assertNothingHalf(t: Test, target: string, source: string): void {
  if (!exists(target)) return;
  for (const name of filesOf(target)) {
    t.notOk(name.includes('.lagan-'), `no temporary file ${name}`);
    assertSame(t, target, source, name);
  }
}

function assertSame(t: Test, target: string, source: string, name: string): void {
  if (!readFileSync(join(target, name)).equals(readFileSync(join(source, name)))) t.fail(`${name} is half there`);
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(folder, name)).isFile());
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
