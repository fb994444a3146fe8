import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { newIdentity, newKeyFileSecret, readKeyFile, readPasswordFile, writeKeyFile } from '../../../engine/keys/mod.ts';

t.test('writeKeyFile: for the owner only, in folders that are made for the owner only', async (t) => {
  const file = path.join(t.testdir(), 'a/b/key');
  const secret = newKeyFileSecret();
  await writeKeyFile(file, secret, { comment: 'of a test' });
  t.equal(fs.statSync(file).mode & 0o777, 0o600);
  t.equal(fs.statSync(path.dirname(file)).mode & 0o777, 0o700);
  t.same(await readKeyFile(file), { secret, warnings: [] });
});

t.test('writeKeyFile: never over something else', async (t) => {
  const folder = t.testdir({ key: 'precious', target: 'precious' });
  fs.symlinkSync('target', path.join(folder, 'link'));
  fs.symlinkSync('nowhere', path.join(folder, 'dangling'));
  for (const name of ['key', 'link', 'dangling']) {
    await t.rejects(writeKeyFile(path.join(folder, name), newKeyFileSecret()), { code: 'exists', object: path.join(folder, name) });
  }
  t.equal(fs.readFileSync(path.join(folder, 'key'), 'utf8'), 'precious');
  t.same(fs.readdirSync(folder).sort(), ['dangling', 'key', 'link', 'target']);
});

t.test('readKeyFile: an identity file', async (t) => {
  const file = path.join(t.testdir(), 'identity');
  const { privateKey } = newIdentity();
  await writeKeyFile(file, { kind: 'identity', privateKey });
  t.same((await readKeyFile(file)).secret, { kind: 'identity', privateKey });
});

t.test('readKeyFile warns if others can read the file', async (t) => {
  const file = path.join(t.testdir(), 'key');
  await writeKeyFile(file, newKeyFileSecret());
  for (const [mode, count] of [
    [0o600, 0],
    [0o400, 0],
    [0o640, 1],
    [0o604, 1],
    [0o644, 1],
    [0o700, 0],
  ] as const) {
    fs.chmodSync(file, mode);
    const { warnings } = await readKeyFile(file);
    t.equal(warnings.length, count, mode.toString(8));
    if (count > 0) t.match(warnings[0], mode.toString(8));
  }
});

t.test('readKeyFile: no file, no key in it, too much in it', async (t) => {
  const folder = t.testdir({ empty: '', text: 'hello', long: `# ${'x'.repeat(70_000)}`, folder: {} });
  await t.rejects(readKeyFile(path.join(folder, 'absent')), { code: 'no-key', errno: 'ENOENT' });
  await t.rejects(readKeyFile(path.join(folder, 'text/absent')), { code: 'no-key' });
  await t.rejects(readKeyFile(path.join(folder, 'empty')), { code: 'malformed-key' });
  await t.rejects(readKeyFile(path.join(folder, 'text')), { code: 'malformed-key' });
  await t.rejects(readKeyFile(path.join(folder, 'long')), { code: 'malformed-key', expected: 65536 });
  await t.rejects(readKeyFile(path.join(folder, 'folder')), { code: 'io', errno: 'EISDIR' });
});

t.test('readKeyFile reads a pipe, as a shell makes it for <(command)', async (t) => {
  const folder = t.testdir();
  const [fifo, file] = [path.join(folder, 'fifo'), path.join(folder, 'key')];
  execFileSync('mkfifo', ['-m', '644', fifo]);
  const secret = newKeyFileSecret();
  await writeKeyFile(file, secret);
  spawn('sh', ['-c', `cat ${file} > ${fifo}`], { stdio: 'ignore' });
  t.same(await readKeyFile(fifo), { secret, warnings: [] });
});

t.test('readPasswordFile: the first line', async (t) => {
  const folder = t.testdir({ lf: 'pass word \nsecond', crlf: 'päss\r\n', bare: 'x', empty: '', blank: '\nsecond' });
  const read = async (name: string) => (await readPasswordFile(path.join(folder, name))).secret.password;
  t.equal(await read('lf'), 'pass word ');
  t.equal(await read('crlf'), 'päss');
  t.equal(await read('bare'), 'x');
  await t.rejects(read('empty'), { code: 'no-key' });
  await t.rejects(read('blank'), { code: 'no-key' });
  await t.rejects(read('absent'), { code: 'no-key' });
});
