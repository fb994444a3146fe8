/** Imports from repositories that the peers' own programs have made, where they are on the PATH. */
import { spawnSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { chosenSnapshots } from '../../bin/peers/import-peer.ts';
import type { PeerName, PeerSnapshot } from '../../bin/peers/peer.ts';
import { type Outcome, run, scratchFolder } from './cli.ts';
import { problems } from './schemas.ts';

interface Peer {
  readonly env: (folder: string) => Record<string, string>;
  readonly make: (folder: string) => string[][];
  /** A backup of `source`. */
  readonly backup: (source: string, label: string) => string[];
  readonly expected: { tags: string[]; description: string };
  /** What else its repository has that a wrong secret looks like. */
  readonly wrongSecret: Record<string, string>;
}

const peers: Record<PeerName, Peer> = {
  restic: {
    env: (folder) => ({ RESTIC_REPOSITORY: join(folder, 'restic'), RESTIC_PASSWORD: 'pw', RESTIC_CACHE_DIR: join(folder, 'cache') }),
    make: () => [['init', '-q']],
    backup: (source, label) => ['backup', '-q', '--host', 'web1', '--tag', label, source],
    expected: { tags: ['first'], description: '' },
    wrongSecret: { RESTIC_PASSWORD: 'wrong' },
  },
  kopia: {
    env: (folder) => ({ KOPIA_CONFIG_PATH: join(folder, 'kopia.config'), KOPIA_PASSWORD: 'pw', KOPIA_CHECK_FOR_UPDATES: 'false' }),
    make: (folder) => [
      ['repository', 'create', 'filesystem', '--path', join(folder, 'kopia'), '--override-hostname', 'web1', '--override-username', 'ann'],
    ],
    backup: (source, label) => ['snapshot', 'create', source, '--description', label, '--tags', 'kind:daily'],
    expected: { tags: ['kind:daily'], description: 'first' },
    wrongSecret: { KOPIA_PASSWORD: 'wrong' },
  },
  borg: {
    env: (folder) => ({ BORG_REPO: join(folder, 'borg'), BORG_PASSPHRASE: 'pw' }),
    make: () => [['init', '-e', 'repokey-blake2']],
    backup: (source, label) => ['create', '--comment', 'a comment', `::${label}`, source],
    expected: { tags: [], description: 'first: a comment' },
    wrongSecret: { BORG_PASSPHRASE: 'wrong' },
  },
};

function isThere(name: string): boolean {
  return spawnSync(name, ['--help'], { stdio: 'ignore' }).error === undefined;
}

for (const [name, peer] of Object.entries(peers)) {
  t.test(
    `import ${name}: all snapshots with what they say, and what is new the next time`,
    { skip: isThere(name) ? false : `no ${name} on the PATH` },
    async (t) => {
      const folder = scratchFolder(t);
      const [source, scratch] = [join(folder, 'source'), join(folder, 'scratch')];
      const env = { HOME: folder, PATH: process.env.PATH!, TZ: 'Asia/Tokyo', ...peer.env(folder) };
      const call = (argv: string[]) => {
        const { status, stderr } = spawnSync(name, argv, { env, encoding: 'utf8' });
        t.equal(status, 0, `${name} ${argv.join(' ')}: ${stderr}`);
      };
      const lagan = async (...argv: string[]): Promise<Outcome> => {
        const outcome = await run([...argv, '--json', '--no-progress'], { env, cwd: folder });
        if (argv[0] === 'import') for (const message of outcome.json) t.same(problems('import', message), [], JSON.stringify(message));
        return outcome;
      };
      for (const directory of [source, scratch]) mkdirSync(directory);
      writeFileSync(join(folder, 'other'), 'x');
      t.match(await lagan('backup', 'other'), { exitCode: 0 }, 'there is a repository');
      for (const argv of peer.make(folder)) call(argv);
      fill(source);
      const began = Math.floor(Date.now() / 1000);
      call(peer.backup(source, 'first'));
      writeFileSync(join(source, 'a'), 'changed');
      call(peer.backup(source, 'second'));

      const where = ['--scratch-dir', scratch];
      t.match(await lagan('import', name, '--dry-run'), {
        exitCode: 0,
        json: [{ outcome: 'dry-run' }, {}, { outcome: 'dry-run', imported: 2 }],
      });
      const imported = await lagan('import', name, ...where);
      t.match(imported, { exitCode: 0, json: [{ outcome: 'imported' }, { outcome: 'imported' }, { imported: 2, present: 0, failed: 0 }] });
      t.same(readdirSync(scratch), [], 'nothing is left in the scratch folder');
      const [{ snapshots }] = (await lagan('snapshots', '--path', source)).json as [{ snapshots: Record<string, unknown>[] }];
      t.match(snapshots, [{ paths: [{ path: source }], ...peer.expected }, { paths: [{ path: source }] }]);
      if (name !== 'borg') t.equal(snapshots[0]!.host, 'web1');
      if (name === 'kopia') t.equal(snapshots[0]!.user, 'ann');
      t.ok(Math.abs(Date.parse(String(snapshots[0]!.time)) / 1000 - began) < 100, 'the time of the original, whatever the time zone');
      const ids = snapshots.map(({ id }) => String(id));
      t.equal((await run(['cat', ids[0]!, join(source, 'a')], { env })).stdout, 'hello');
      t.equal((await run(['cat', ids[1]!, join(source, 'a')], { env })).stdout, 'changed');
      const entries = (await lagan('ls', '-R', ids[1]!, source)).json.filter(({ type }) => type === 'entry');
      t.match(
        entries.find(({ path }) => path === join(source, 'sub/exact')),
        { mode: 0o4750, mtime: '2020-01-02T03:04:05.500000000Z', ctime: '2020-01-02T03:04:05.500000000Z', inode: 0 },
      );
      t.match(
        entries.find(({ path }) => path === join(source, 'link')),
        { kind: 'symlink', target: 'a' },
      );
      // kopia has lost it.
      if (name !== 'kopia')
        t.ok(
          entries.some(({ pathBase64 }) => pathBase64 && Buffer.from(String(pathBase64), 'base64').includes(0xff)),
          'a name that is not UTF-8',
        );

      t.match((await lagan('import', name, ...where)).json.at(-1), { imported: 0, present: 2 });
      writeFileSync(join(source, 'b'), 'b');
      call(peer.backup(source, 'third'));
      t.match((await lagan('import', name, '--latest', '1', '--path', source, ...where)).json.at(-1), { imported: 1, present: 0 });
      t.match((await lagan('import', name, '--host', 'nobody', ...where)).json.at(-1), { imported: 0, present: 0 });
      t.match(await lagan('check', '--read-data'), { exitCode: 0 });

      const wrong = await run(['import', name, '--json'], { env: { ...env, ...peer.wrongSecret }, cwd: folder });
      t.match(wrong, { exitCode: 1, error: { code: 'io', hint: new RegExp(Object.keys(peer.wrongSecret)[0]!) } });
      t.match(await lagan('import', name, '0000000000'), { exitCode: 10, error: { code: 'snapshot-not-found' } });
    },
  );
}

t.test('import: a program that is not there is told', async (t) => {
  const folder = scratchFolder(t);
  const env = { HOME: folder, PATH: '/nonexistent' };
  writeFileSync(join(folder, 'other'), 'x');
  await run(['backup', 'other'], { env, cwd: folder });
  t.match(await run(['import', 'restic', '--json'], { env, cwd: folder }), { exitCode: 1, error: { code: 'unsupported', hint: /PATH/ } });
});

t.test('import: which snapshots are meant', async (t) => {
  const time = { seconds: 0, nanoseconds: 0 };
  const snapshot = (id: string, name: string): PeerSnapshot => {
    return { id, name, started: time, ended: time, host: 'h', user: 'u', paths: [], tags: [], description: '', pins: [], sizeBytes: 0 };
  };
  const [a, b] = [snapshot('abcd1111', 'one'), snapshot('abcd2222', 'two')];
  t.same(chosenSnapshots([])([a, b]), [a, b]);
  t.same(chosenSnapshots(['two', 'abcd1'])([a, b]), [a, b]);
  t.throws(() => chosenSnapshots(['abcd'])([a, b]), { code: 'ambiguous' });
  t.throws(() => chosenSnapshots(['abc'])([a, b]), { code: 'snapshot-not-found' });
});

function fill(source: string): void {
  mkdirSync(join(source, 'sub'));
  writeFileSync(join(source, 'a'), 'hello');
  writeFileSync(join(source, 'sub/exact'), 'x');
  chmodSync(join(source, 'sub/exact'), 0o4750);
  utimesSync(join(source, 'sub/exact'), 1_577_934_245.5, 1_577_934_245.5);
  symlinkSync('a', join(source, 'link'));
  linkSync(join(source, 'a'), join(source, 'hard'));
  writeFileSync(Buffer.concat([Buffer.from(`${source}/raw`), Buffer.of(0xff)]), 'x');
}
