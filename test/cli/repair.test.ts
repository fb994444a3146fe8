/** `lagan repair` on a folder whose disk has rotted, and the steps of docs/repair.md. */
import { randomBytes } from 'node:crypto';
import { chmodSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { run, scratchFolder } from './cli.ts';
import { problems } from './schemas.ts';

interface Home {
  readonly data: string;
  readonly repository: string;
  lagan(...argv: string[]): ReturnType<typeof run>;
  /** The largest pack. */
  readonly pack: string;
  objects(): string[];
}

/** A repository of one snapshot: a large file of random bytes, and a small one. */
async function makeHome(t: Test): Promise<Home> {
  const folder = scratchFolder(t);
  const [data, repository] = [join(folder, 'data'), join(folder, '.local/share/lagan/repository')];
  mkdirSync(data);
  writeFileSync(join(data, 'large'), randomBytes(3_000_000));
  writeFileSync(join(data, 'small'), 'small');
  const lagan = (...argv: string[]) => run(argv, { env: { HOME: folder }, cwd: folder });
  t.match(await lagan('backup', 'data', '--no-maintain'), { exitCode: 0 });
  const packs = globSync('writer/packs/*/*', { cwd: repository }).map((name) => join(repository, name));
  const pack = packs.toSorted((left, right) => statSync(right).size - statSync(left).size)[0]!;
  return { data, repository, lagan, pack, objects: () => globSync('**', { cwd: repository }).sort() };
}

function flip(file: string, offset: number): void {
  const bytes = readFileSync(file);
  bytes[offset < 0 ? bytes.length + offset : offset]! ^= 1;
  chmodSync(file, 0o600);
  writeFileSync(file, bytes);
}

t.test('repair: a pack without its footer is saved wholly', async (t) => {
  const { data, lagan, pack } = await makeHome(t);
  flip(pack, -3);
  t.match(await lagan('check', '--read-data'), {
    exitCode: 6,
    stdout: /^damage: [\s\S]*\/large\n/,
    stderr: /hint: .*lagan repair --dry-run/,
  });
  t.match(await lagan('repair'), { exitCode: 0, stdout: /\nsnapshot .* copied as [0-9a-f]{8} with all that it had\n/ });
  t.match(await lagan('cat', 'latest~1', join(data, 'small')), { exitCode: 0, stdout: 'small' });
  t.match(await lagan('restore', 'latest~1', '--target', `${data}-back`, '--verify'), { exitCode: 0 });
  t.ok(readFileSync(join(`${data}-back`, data, 'large')).equals(readFileSync(join(data, 'large'))), 'the old snapshot is whole again');
  t.match(await lagan('check', '--read-data'), { exitCode: 0, stdout: /note: .*all that snapshots need of it is in other packs, too\n/ });
});

t.test('repair: what is lost is said, first by a dry run; the rest is kept, and what is in the source comes back', async (t) => {
  const { data, lagan, pack, objects } = await makeHome(t);
  flip(pack, 1_500_000);
  t.match(await lagan('check', '--read-data', '--no-record'), { exitCode: 6 });
  const before = objects();
  const dry = await lagan('repair', '--read-data', '--dry-run');
  t.match(dry, {
    exitCode: 6,
    stdout:
      /would be copied to a new pack; 1 block with \d+ chunks cannot be opened\n[\s\S]*a copy would be made with what is left\n.*large: \d+ of 3000000 bytes were lost/,
  });
  t.same(objects(), before, 'nothing is written');
  const real = await lagan('repair', '--read-data', '--json');
  t.equal(real.exitCode, 6);
  for (const message of real.json) t.same(problems('repair', message), []);
  t.match(
    real.json.find(({ type }) => type === 'summary'),
    { type: 'summary', outcome: 'repaired', snapshots: 1, snapshotsWithLosses: 1, left: 0 },
  );
  t.match(await lagan('restore', 'latest', '--target', `${data}-back`), { exitCode: 3, stderr: /large/ });
  const [whole, back] = [readFileSync(join(data, 'large')), readFileSync(join(`${data}-back`, data, 'large'))];
  t.equal(back.length, whole.length);
  t.ok(
    back.every((byte, index) => byte === whole[index] || byte === 0),
    'what is not lost is where it was',
  );
  t.ok(back.filter((byte, index) => byte === whole[index]).length > 1_000_000);

  const known = await lagan('repair', '--dry-run', '--mark-originals', 'all');
  t.match(known, { exitCode: 6, stdout: /its repaired copy is [0-9a-f]{8}, with what is left; the damaged one would be removed\n/ });
  t.match(await lagan('backup', 'data', '--no-maintain'), { exitCode: 0 });
  t.match(
    await lagan('repair', '--mark-originals', 'whole'),
    { exitCode: 0, stdout: /with all that it had; the damaged one is removed\n/ },
    'all of it has come back',
  );
  t.match(await lagan('check', '--read-data'), { exitCode: 0 });
});

t.test('repair: the whole index is lost', async (t) => {
  const { lagan, repository, data } = await makeHome(t);
  rmSync(join(repository, 'writer/index'), { recursive: true });
  t.match(await lagan('check'), { exitCode: 6 });
  t.match(await lagan('repair'), { exitCode: 0, stdout: /\d packs that no index listed are listed again\n/ });
  t.match(await lagan('check'), { exitCode: 0 });
  t.match(await lagan('repair'), { exitCode: 0, stdout: /^nothing to mend/ });
  const again = await lagan('backup', data, '--force', '--json');
  t.match(again.json.at(-1), { statistics: { newBytes: 0 } });
});

t.test('check: parts, and a budget', async (t) => {
  const { lagan } = await makeHome(t);
  t.match((await lagan('check', '--read-data-subset', '1B', '--json')).json.at(-1), { type: 'summary', packsRead: 1, remembered: 1 });
  t.match((await lagan('check', '--read-data', '--max-duration', '1h', '--no-record', '--json')).json.at(-1), {
    packsLeft: 0,
    remembered: 0,
  });
  for (const [argv, message] of [
    [['--max-duration', '1h'], /about reading data/],
    [['--read-data', '--max-duration', '0s'], /no time at all/],
    [['--read-data', '--max-duration', 'soon'], /not a duration/],
    [['--read-data-subset', '0B'], /is nothing/],
    [['--read-data-subset', '5'], /is no part of the data/],
  ] as const) {
    t.match(await lagan('check', ...argv), { exitCode: 2, stderr: message }, argv.join(' '));
  }
});
