/** The key commands with the real engine: recovery keys on paper, identities and recipients, rotation and revocation. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import decodeQR from 'qr/decode.js';
import t, { type Test } from 'tap';
import { type Outcome, type RunOptions, run, scratchFolder } from './cli.ts';
import { problems } from './schemas.ts';

/** A repository with a key file, a folder with something in it, and a command line for them. */
async function makePlace(t: Test, ...init: string[]) {
  const folder = scratchFolder(t);
  const [keyFile, place, data] = ['own.key', 'repository', 'data'].map((name) => join(folder, name));
  mkdirSync(data!);
  writeFileSync(join(data!, 'a.txt'), 'hello');
  const env = { HOME: folder };
  const lagan = (argv: string[], options: RunOptions = {}) =>
    run([...argv, '-r', place!, '--key-file', keyFile!], { ...options, env, cwd: folder });
  const made = await lagan(['init', ...init]);
  if (made.exitCode !== 0) throw new Error(made.stderr);
  const backup = await lagan(['backup', data!]);
  if (backup.exitCode !== 0) throw new Error(backup.stderr);
  /** Opens it with something else than the key file. */
  const openWith = (options: string[], more: RunOptions = {}) =>
    run(['snapshots', '-r', place!, ...options], { env, cwd: folder, ...more });
  return { folder, keyFile: keyFile!, place: place!, lagan, openWith, path: (name: string) => join(folder, name) };
}

async function jsonOf(t: Test, outcome: Outcome): Promise<Record<string, unknown>[]> {
  t.equal(outcome.exitCode, 0, outcome.stderr);
  for (const line of outcome.json) t.same(problems('key', line), [], JSON.stringify(line));
  return outcome.json;
}

t.test('key recovery: text, words and code mean one key, on the terminal and on the page', async (t) => {
  const { lagan, openWith, path } = await makePlace(t);
  const text = (await lagan(['key', 'recovery'])).stdout;
  t.match(text, /^lagan-key-1 \S+\n$/, 'redirected it is a key file');
  const words = (await lagan(['key', 'recovery', '--words'])).stdout.trim();
  t.equal(words.split(' ').length, 24);

  const page = path('recovery.html');
  const shown = await lagan(['key', 'recovery', '--page', 'recovery.html'], { terminal: true });
  t.ok(shown.stdout.startsWith(text));
  for (const word of words.split(' ')) t.ok(shown.stdout.includes(word), word);
  t.equal(textOfLines(shown.stdout), text.trim().toUpperCase(), 'what is scanned from the terminal');
  t.equal(textOfLines((await lagan(['key', 'recovery', '--qr'])).stdout), text.trim().toUpperCase());
  const html = readFileSync(page, 'utf8');
  t.ok(html.includes(text.trim()) && html.includes('<svg'));
  t.equal([...html.matchAll(/<li>([a-z]+)<\/li>/g)].map(([, word]) => word).join(' '), words);
  t.equal(statSync(page).mode & 0o777, 0o600);
  t.equal((await lagan(['key', 'recovery', '--page', 'recovery.html'])).exitCode, 2, 'a page is not written over');

  writeFileSync(path('words'), `${words}\n`, { mode: 0o600 });
  writeFileSync(path('scanned'), `${text.toUpperCase()}\n`, { mode: 0o600 });
  t.equal((await openWith(['--key-file', 'words'])).exitCode, 0);
  t.equal((await openWith(['--key-file', 'scanned'])).exitCode, 0);
  for (const answer of [words, words.toUpperCase(), text.trim(), text.trim().toLowerCase()])
    t.equal((await openWith([], { answers: [answer] })).exitCode, 0, `typed: ${answer.slice(0, 12)}`);
  t.equal((await openWith(['--password-command', `echo ${words}`])).exitCode, 0, 'from a password command');
  const [json] = await jsonOf(t, await lagan(['key', 'recovery', '--json']));
  t.match(json, { type: 'recovery-key', text: text.trim(), added: null, page: null });
});

/** What a QR code says that was printed in half blocks. */
function textOfLines(output: string): string {
  const rows = output
    .split('\n')
    .map((line) => stripVTControlCharacters(line))
    .filter((line) => line.length > 20 && /^[ ▀▄█]+$/.test(line))
    .flatMap((line) => [
      [...line].map((symbol) => symbol === '█' || symbol === '▀'),
      [...line].map((symbol) => symbol === '█' || symbol === '▄'),
    ]);
  const [scale, quiet] = [8, 4];
  const size = (rows[0]!.length + 2 * quiet) * scale;
  const data = new Uint8Array(size * size * 4).fill(255);
  for (const [row, cells] of rows.entries())
    for (const [column, isDark] of cells.entries())
      if (isDark)
        for (let y = 0; y < scale; y++)
          for (let x = 0; x < scale; x++)
            data.fill(
              0,
              4 * (((row + quiet) * scale + y) * size + (column + quiet) * scale + x),
              4 * (((row + quiet) * scale + y) * size + (column + quiet) * scale + x) + 3,
            );
  return decodeQR({ width: size, height: size, data });
}

t.test('a recovery key with a typing mistake: which word', async (t) => {
  const { lagan, openWith, path } = await makePlace(t);
  const words = (await lagan(['key', 'recovery', '--words'])).stdout.trim().split(' ');
  const wrong = words.with(6, `${words[6]}x`).join(' ');
  writeFileSync(path('wrong'), wrong, { mode: 0o600 });
  for (const outcome of [await openWith(['--key-file', 'wrong', '--json']), await openWith(['--json'], { answers: [wrong] })]) {
    t.equal(outcome.exitCode, 5);
    t.equal(outcome.error.code, 'malformed-key');
    t.match(outcome.error.message, new RegExp(`^word 7 \\(“${words[6]}x”\\) is not in the list: perhaps .*${words[6]}`));
  }
  t.match((await openWith(['--json'], { answers: [words.slice(1).join(' ')] })).error, {
    code: 'malformed-key',
    message: /24 words, these are 23/,
  });
  t.match((await openWith(['--json'], { answers: ['hunter2'] })).error.code, /wrong-key|no-key/, 'a password is a password');
});

t.test('a password of many words is a password, whatever the words', async (t) => {
  const { lagan, openWith, path } = await makePlace(t);
  const password = Array.from({ length: 23 }, () => 'abandon').join(' ');
  writeFileSync(path('password'), `${password}\n`, { mode: 0o600 });
  t.equal((await lagan(['key', 'add', '--new-password-file', 'password'])).exitCode, 0);
  t.equal((await openWith([], { answers: [password] })).exitCode, 0);
});

t.test('init --recipient and the configuration: who has the identity can open each new repository', async (t) => {
  const folder = scratchFolder(t);
  const env = { HOME: folder };
  const escrow = await run(['key', 'identity', 'escrow.key'], { env, cwd: folder });
  t.match(escrow.stdout, /^lagan-recipient-1 \S+\n$/);
  t.equal(statSync(join(folder, 'escrow.key')).mode & 0o777, 0o600);
  t.equal((await run(['key', 'identity', 'escrow.key'], { env, cwd: folder })).exitCode, 1, 'never over another one');
  writeFileSync(join(folder, 'escrow.pub'), escrow.stdout);
  writeFileSync(join(folder, 'config.yaml'), `recipient: [escrow=${join(folder, 'escrow.pub')}]\n`);
  const monitor = (await run(['key', 'identity', 'monitor.key'], { env, cwd: folder })).stdout.trim();
  for (const tenant of ['one', 'two']) {
    const made = await run(
      ['init', '-r', tenant, '--key-file', `${tenant}.key`, '--recipient', `monitor=${monitor}`, '--config', 'config.yaml'],
      { env, cwd: folder },
    );
    t.equal(made.exitCode, 0, made.stderr);
    const listed = await run(['key', 'list', '-r', tenant, '--key-file', 'escrow.key', '--json'], { env, cwd: folder });
    const [{ keys }] = (await jsonOf(t, listed)) as [{ keys: { label: string; isCurrent: boolean; standing: string }[] }];
    t.same(
      keys
        .map(({ label }) => label)
        .sort()
        .slice(0, 2),
      ['escrow', `key file of ${(await import('node:os')).hostname()}`].sort(),
    );
    t.equal(keys.find(({ isCurrent }) => isCurrent)?.label, 'escrow');
    t.ok(keys.every(({ standing }) => standing === 'proven'));
  }
  t.equal(
    (await run(['snapshots', '-r', 'two', '--key-file', 'one.key'], { env, cwd: folder })).exitCode,
    5,
    'no tenant opens another one',
  );
  const wrong = await run(['init', '-r', 'three', '--key-file', 'three.key', '--recipient', 'escrow.key'], { env, cwd: folder });
  t.equal(wrong.exitCode, 5, 'a private key is no recipient');
  t.notOk(existsSync(join(folder, 'three')), 'nothing was made');
});

t.test('key rotate, rewrite, retire', async (t) => {
  const { lagan, openWith, folder } = await makePlace(t);
  t.match((await jsonOf(t, await lagan(['key', 'rotate', '--json'])))[0], {
    type: 'key-epoch',
    outcome: 'rotated',
    epoch: 1,
    epochs: [0, 1],
  });
  const [use] = (await jsonOf(t, await lagan(['key', 'retire', '-n', '--json']))) as [{ remaining: { objects: number } }];
  t.ok(use.remaining.objects > 3);
  const rewritten = await lagan(['key', 'rewrite']);
  t.match(
    rewritten.stdout,
    /^sealed .* in \d+ packs with master key 1, in .*\nnothing is sealed with older keys any more: lagan key retire/,
  );
  t.match((await lagan(['key', 'rewrite', '-n'])).stdout, 'everything is sealed with master key 1\n');
  const retired = await jsonOf(t, await lagan(['key', 'retire', '--json']));
  t.match(retired.at(-1), { type: 'key-epoch', outcome: 'retired', epoch: 1, epochs: [1] });
  t.match((await lagan(['key', 'rotate', '--rewrite'])).stdout, /sealed with master key 2\nsealed .*\nnothing is sealed/);
  t.equal((await lagan(['restore', 'latest', '--target', 'restored'])).exitCode, 0);
  t.equal(readFileSync(join(folder, 'restored', folder, 'data/a.txt'), 'utf8'), 'hello');
  t.equal((await lagan(['check', '--read-data'])).exitCode, 0);
  t.equal((await openWith(['--key-file', 'own.key'])).exitCode, 0);
});

t.test('key revoke: what is lost is said before, and the stolen key opens nothing', async (t) => {
  const { lagan, openWith, path } = await makePlace(t);
  writeFileSync(path('password'), 'swordfish\n', { mode: 0o600 });
  const add = (...options: string[]) => lagan(['key', 'add', ...options]);
  for (const options of [
    ['--new-key-file', 'laptop.key', '--label', 'laptop'],
    ['--new-password-file', 'password', '--label', 'admin'],
  ])
    t.equal((await add(...options)).exitCode, 0);
  const refused = await lagan(['key', 'revoke', 'laptop', '--json']);
  t.equal(refused.exitCode, 2);
  t.match(refused.error, { code: 'usage', message: /1 other key would be lost: .*admin/, hint: /--keep-password-file/ });
  const dry = await lagan(['key', 'revoke', 'laptop', '--dry-run']);
  t.match(dry.stdout, /^would revoke .*laptop.*\nwould keep .*key file of.*\nwould lose .*admin.*: its secret was not given\n$/);
  t.equal((await openWith(['--key-file', 'laptop.key'])).exitCode, 0, 'nothing has happened');

  const revoked = await lagan(['key', 'revoke', 'laptop', '--keep-password-file', 'password', '--json']);
  const [json] = (await jsonOf(t, revoked)) as [{ kept: unknown[]; lost: unknown[] }];
  t.match(json, {
    type: 'key-revocation',
    outcome: 'revoked',
    revoked: [{ label: 'laptop' }],
    lost: [],
    epoch: 1,
    oldKeyringsDeleted: true,
  });
  t.equal(json.kept.length, 2);
  t.equal((await openWith(['--key-file', 'laptop.key'])).exitCode, 5);
  t.equal((await openWith(['--key-file', 'own.key'])).exitCode, 0);
  t.equal((await openWith(['--password-file', 'password'])).exitCode, 0);
  t.equal((await lagan(['backup', 'data'])).exitCode, 0);
  t.equal((await lagan(['key', 'revoke', 'admin', '--drop-others'])).exitCode, 0);
  t.equal((await openWith(['--password-file', 'password'])).exitCode, 5);
});
