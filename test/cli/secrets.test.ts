import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { secretSource } from '../../bin/shared/secrets.ts';
import { run, scratchFolder } from './cli.ts';
import { type Calls, fakeEngine } from './fake-engine.ts';

const resolve = (path: string) => `/cwd/${path}`;

t.test('secretSource: options before environment before configuration', async (t) => {
  const env = { LAGAN_PASSWORD: 'secret' };
  const configuration = { passwordCommand: 'pass lagan' };
  t.match(secretSource({ keyFile: 'k' }, env, configuration, resolve), { kind: 'key-file', path: '/cwd/k' });
  t.match(secretSource({}, env, configuration, resolve), { kind: 'password', password: 'secret' });
  t.match(secretSource({}, { LAGAN_KEY_FILE: 'e' }, configuration, resolve), { kind: 'key-file', path: '/cwd/e' });
  t.match(secretSource({}, { LAGAN_PASSWORD_FILE: 'p' }, {}, resolve), { kind: 'password-file', path: '/cwd/p' });
  t.match(secretSource({}, {}, configuration, resolve), { kind: 'password-command', command: 'pass lagan' });
  t.equal(secretSource({}, { LAGAN_PASSWORD: '' }, {}, resolve), undefined);
});

t.test('secretSource refuses two at one level with code usage', async (t) => {
  t.throws(() => secretSource({ keyFile: 'k', passwordFile: 'p' }, {}, {}, resolve), { code: 'usage' });
  t.throws(() => secretSource({}, { LAGAN_PASSWORD: 'a', LAGAN_PASSWORD_COMMAND: 'b' }, {}, resolve), { code: 'usage' });
  t.throws(() => secretSource({}, {}, { keyFile: 'a', passwordFile: 'b' }, resolve), { code: 'usage' });
});

/** The secret that the engine was given. */
async function openedWith(argv: string[], options: Parameters<typeof run>[1] = {}): Promise<unknown> {
  const calls: Calls = [];
  const outcome = await run([...argv, 'snapshots'], { engine: fakeEngine({ calls }), ...options });
  return calls.find(({ name }) => name === 'openRepository')?.options.secret ?? outcome.stderr;
}

t.test('a password comes from --password-command, without its line end', async (t) => {
  t.same(await openedWith(['-r', '/r', '--password-command', 'printf "a b\\n"']), { kind: 'password', password: 'a b' });
  t.same(await openedWith(['-r', '/r'], { env: { LAGAN_PASSWORD_COMMAND: 'echo $WORD', WORD: 'x' } }), { kind: 'password', password: 'x' });
});

t.test('the environment of --password-command holds no other password', async (t) => {
  const outcome = await run(['snapshots', '-r', '/r', '--password-command', 'printenv LAGAN_PASSWORD && exit 1 || echo none'], {
    env: { LAGAN_PASSWORD: 'other' },
    engine: fakeEngine(),
  });
  t.equal(outcome.exitCode, 0);
});

t.test('a failing or silent --password-command ends with no-key, exit code 5', async (t) => {
  for (const command of ['exit 3', 'kill -9 $$', 'no-such-program-here 2>/dev/null', 'true']) {
    const outcome = await run(['snapshots', '-r', '/r', '--json', '--password-command', command], { engine: fakeEngine() });
    t.equal(outcome.exitCode, 5, command);
    t.equal(outcome.error.code, 'no-key', command);
  }
});

t.test('a password is asked on the terminal; a recovery key is taken there too', async (t) => {
  const secretsInText = async (text: string) => ({ secrets: [{ kind: 'key-file', secret: Buffer.from(text) } as const] });
  const engine = fakeEngine({ overrides: { secretsInText } });
  t.equal((await run(['snapshots', '-r', '/r'], { answers: ['hunter2'], engine })).exitCode, 0);
  t.equal((await run(['snapshots', '-r', '/r'], { answers: ['lagan-key-1 ABCD'], engine })).exitCode, 0);
});

t.test('without a secret and without a terminal a command ends with no-key and says how to give one', async (t) => {
  const outcome = await run(['snapshots', '-r', '/r', '--json'], { engine: fakeEngine() });
  t.equal(outcome.exitCode, 5);
  t.match(outcome.error, { code: 'no-key', hint: /LAGAN_PASSWORD_FILE/ });
});

t.test('init asks twice, and refuses two passwords that differ', async (t) => {
  const engine = () => fakeEngine({ overrides: { inspectPlace: async () => ({ state: 'absent' }) } });
  t.equal((await run(['init', '-r', '/r'], { answers: ['a', 'a'], engine: engine() })).exitCode, 0);
  const differing = await run(['init', '-r', '/r', '--json'], { answers: ['a', 'b'], engine: engine() });
  t.equal(differing.exitCode, 2);
  t.equal(differing.error.code, 'usage');
  const none = await run(['init', '-r', '/r', '--json'], { engine: engine() });
  t.equal(none.error.code, 'no-key');
});

t.test('a secret is never an argument: there is no option that takes one', async (t) => {
  for (const option of ['--password', '--key']) {
    const outcome = await run(['snapshots', option, 'x', '--json'], { engine: fakeEngine() });
    t.equal(outcome.exitCode, 2);
    t.equal(outcome.error.code, 'usage');
  }
});

t.test('with the real engine: files of passwords and keys', async (t) => {
  const folder = scratchFolder(t);
  const env = { HOME: folder };
  const repository = join(folder, 'repository');
  const [passwords, key] = [join(folder, 'password'), join(folder, 'some', 'place.key')];
  writeFileSync(passwords, 'correct horse\n');
  chmodSync(passwords, 0o600);
  const made = await run(['init', '-r', repository, '--key-file', key, '--json'], { env });
  t.match(made.json[0], { type: 'repository-created', keyFile: key, isNewKeyFile: true });
  t.equal(statSync(key).mode & 0o777, 0o600);

  await t.test('a key file that others can read is warned of', async (t) => {
    chmodSync(key, 0o644);
    const outcome = await run(['snapshots', '-r', repository, '--key-file', key], { env });
    t.equal(outcome.exitCode, 0);
    t.match(outcome.stderr, /^warning: /m);
    chmodSync(key, 0o600);
  });
  await t.test('key add, list and remove', async (t) => {
    t.equal(
      (await run(['key', 'add', '-r', repository, '--key-file', key, '--new-password-file', passwords, '--label', 'laptop'], { env }))
        .exitCode,
      0,
    );
    const list = await run(['key', 'list', '-r', repository, '--password-file', passwords, '--json'], { env });
    const keys = list.json[0]?.keys as { id: string; label: string; isCurrent: boolean }[];
    t.equal(keys.length, 2);
    t.equal(keys.find(({ isCurrent }) => isCurrent)?.label, 'laptop');
    const id = keys.find(({ isCurrent }) => !isCurrent)?.id ?? '';
    t.equal((await run(['key', 'remove', id, '-r', repository, '--password-file', passwords, '--dry-run'], { env })).exitCode, 0);
    t.equal((await run(['key', 'remove', id, '-r', repository, '--password-file', passwords], { env })).exitCode, 0);
    const refused = await run(['snapshots', '-r', repository, '--key-file', key, '--json'], { env });
    t.equal(refused.exitCode, 5);
  });
  await t.test('a wrong password, a missing file and a key file in its place', async (t) => {
    const wrong = await run(['snapshots', '-r', repository, '--json'], { env: { ...env, LAGAN_PASSWORD: 'wrong' } });
    t.equal(wrong.exitCode, 5);
    t.equal(wrong.error.code, 'wrong-key');
    const missing = await run(['snapshots', '-r', repository, '--password-file', join(folder, 'none'), '--json'], { env });
    t.equal(missing.error.code, 'no-key');
    const mixed = await run(['snapshots', '-r', repository, '--password-file', key, '--json'], { env });
    t.match(mixed.error, { code: 'usage', hint: /--key-file/ });
  });
  await t.test('key recovery adds a key that opens', async (t) => {
    const recovery = await run(['key', 'recovery', '-r', repository, '--password-file', passwords], { env });
    t.match(recovery.stdout, /^lagan-key-1 \S+\n$/);
    mkdirSync(join(folder, 'usb'));
    const saved = join(folder, 'usb', 'lagan.key');
    writeFileSync(saved, recovery.stdout, { mode: 0o600 });
    t.equal((await run(['snapshots', '-r', repository, '--key-file', saved], { env })).exitCode, 0);
    const again = await run(['key', 'recovery', '-r', repository, '--key-file', saved], { env });
    t.equal(again.stdout, recovery.stdout);
    t.equal((await run(['snapshots', '-r', repository], { env, answers: [recovery.stdout.trim()] })).exitCode, 0);
  });
});
