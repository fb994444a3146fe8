/** `lagan init --like` and `lagan copy` on real repositories. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Home } from './home.ts';
import { problems } from './schemas.ts';

async function withBackup(t: Test): Promise<Home> {
  const home = new Home(t);
  home.write('a', 'some text '.repeat(10_000));
  await home.lagan('backup', 'data', '--tag', 'daily', '--description', 'of the test');
  return home;
}

for (const like of [[], ['--like', '.local/share/lagan/repository', '--like-key-file', '.config/lagan/repository.key']]) {
  t.test(`copy: to a repository ${like.length > 0 ? 'that was made alike' : 'of its own'}, once`, async (t) => {
    const home = await withBackup(t);
    const to = ['--to', 'second', '--to-key-file', 'second.key'];
    t.match(await home.lagan('init', '-r', 'second', '--key-file', 'second.key', ...like), { exitCode: 0 });
    t.match(await home.lagan('copy', ...to, '--dry-run'), { exitCode: 0, stdout: /^would copy .*\nwould copy 1 snapshot, in / });
    const outcome = await home.lagan('copy', 'latest', ...to, '--json');
    for (const message of outcome.json) t.same(problems('copy', message), [], JSON.stringify(message));
    const method = like.length > 0 ? 'blocks' : 'files';
    t.match(outcome.json.at(-1), { type: 'summary', outcome: 'copied', method, copied: 1, present: 0, failed: 0 });
    t.match(await home.lagan('copy', ...to), { exitCode: 0, stdout: /^copied 0 snapshots, 1 was there already, in / });
    const second = ['-r', 'second', '--key-file', 'second.key'];
    t.match((await home.lagan('snapshots', ...second, '--json')).json, [{ snapshots: [{ tags: ['daily'], description: 'of the test' }] }]);
    t.match(await home.lagan('cat', 'latest', join(home.data, 'a'), ...second), { stdout: readFileSync(join(home.data, 'a'), 'utf8') });
    t.match(await home.lagan('check', '--read-data', ...second), { exitCode: 0 });
  });
}

t.test('copy: pinned snapshots are pinned, if that is not forbidden; --latest chooses', async (t) => {
  const home = await withBackup(t);
  await home.lagan('pin', 'latest');
  home.write('b', 'b');
  await home.lagan('backup', 'data');
  await home.lagan('init', '-r', 'second', '--key-file', 'second.key');
  const to = ['--to', 'second', '--to-key-file', 'second.key'];
  // On a busy machine progress is told of in between.
  const copied = async (...words: string[]) =>
    (await home.lagan('copy', ...to, ...words, '--json')).json.filter(({ type }) => type !== 'progress');
  t.match(await copied('--latest', '1'), [{ type: 'copied', pinned: false }, { copied: 1 }]);
  t.match(await copied('--no-pins'), [{ pinned: false }, { outcome: 'present' }, { copied: 1 }]);
  t.match(await copied(), [{ outcome: 'present', pinned: true }, { pinned: false }, { copied: 0 }]);
});

t.test('copy: what opens the other repository comes from options, the environment, or the terminal', async (t) => {
  const home = await withBackup(t);
  writeFileSync(join(home.folder, 'secret'), 'other\n');
  await home.lagan('init', '-r', 'second', '--password-file', 'secret');
  const copy = ['copy', '--to', 'second'];
  t.match(await home.lagan(...copy, '--to-password-file', 'secret'), { exitCode: 0 });
  t.match(await home.lagan(...copy, '--to-password-command', 'cat secret'), { exitCode: 0 });
  t.match(await home.laganWith({ env: { LAGAN_TO_PASSWORD: 'other' } }, ...copy), { exitCode: 0 });
  t.match(await home.laganWith({ answers: ['other'] }, ...copy), { exitCode: 0 });
  t.match(await home.laganWith({ env: { LAGAN_TO_PASSWORD: 'wrong' } }, ...copy), { exitCode: 5, stderr: /error: / });
  t.match(await home.lagan(...copy), { exitCode: 5, stderr: /no password or key was given for .*second.*\n.*--to-password-file/ });
  const two = ['--to-password-file', 'secret', '--to-key-file', 'secret'];
  t.match(await home.lagan(...copy, ...two), { exitCode: 2, stderr: /--to-password-file and --to-key-file contradict/ });
});

t.test('copy: what is compressed anew is compressed as it is said', async (t) => {
  const home = await withBackup(t);
  const stored: number[] = [];
  for (const compression of ['none', 'zstd:9']) {
    const to = ['-r', compression, '--key-file', `${compression}.key`];
    await home.lagan('init', ...to);
    const other = ['--to', compression, '--to-key-file', `${compression}.key`];
    const { json } = await home.lagan('copy', ...other, '--compression', compression, '--workers', '1', '--json');
    stored.push(json.at(-1)!.storedBytes as number);
  }
  t.ok(stored[0]! > 100_000 && stored[1]! < 10_000, `${stored}`);
  t.match(await home.lagan('copy', '--to', 'none', '--compression', 'zip'), { exitCode: 2, stderr: /'zip' is not a method/ });
});

t.test('copy: not into itself, nor to where no repository is', async (t) => {
  const home = await withBackup(t);
  t.match(await home.lagan('copy'), { exitCode: 2, stderr: /--to/ });
  const itself = ['copy', '--to', '.local/share/lagan/repository', '--to-key-file', '.config/lagan/repository.key'];
  t.match(await home.lagan(...itself), { exitCode: 2, stderr: /the same repository/ });
  t.match(await home.lagan('copy', '--to', 'absent'), { exitCode: 4, stderr: /lagan init -r .*absent/ });
  const like = ['--like', 'absent', '--like-password-command', 'echo a'];
  t.match(await home.lagan('init', '-r', 'second', '--key-file', 'k', ...like), { exitCode: 4, stderr: /absent/ });
});
