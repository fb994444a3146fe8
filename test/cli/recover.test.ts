/** `lagan repository recover` on a folder of which a part was restored from a copy. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { run, scratchFolder } from './cli.ts';
import { Home } from './home.ts';
import { problems } from './schemas.ts';

t.test('repository recover: what shows it, what is there, and then everything works again', async (t) => {
  const folder = scratchFolder(t);
  const repository = join(folder, '.local/share/lagan/repository');
  const lagan = (...argv: string[]) => run(argv, { env: { HOME: folder }, cwd: folder });
  const save = (name: string) => {
    mkdirSync(join(folder, 'data'), { recursive: true });
    writeFileSync(join(folder, 'data', name), name.repeat(50_000));
    return lagan('backup', 'data', '--no-maintain');
  };
  const roots = join(repository, 'collector/roots');
  await save('a');
  t.match(await lagan('repository', 'recover'), {
    exitCode: 0,
    stdout: /nothing shows that the store was set back, and nothing was done\n/,
  });
  cpSync(roots, join(folder, 'copy'), { recursive: true });
  rmSync(join(folder, 'data'), { recursive: true });
  await save('b');
  await lagan('forget', 'latest~1');
  t.match(await lagan('maintain'), { exitCode: 0, stdout: /^freed / });
  await save('c');
  rmSync(roots, { recursive: true });
  cpSync(join(folder, 'copy'), roots, { recursive: true });

  for (const argv of [['backup', 'data'], ['maintain'], ['rewrite', '--exclude', 'b', 'latest']]) {
    const { exitCode, stderr } = await lagan(...argv);
    t.equal(exitCode, 6, argv.join(' '));
    t.match(stderr, /the store was set back to an older state: [\s\S]*hint: .*lagan repository recover/);
  }
  t.match(await lagan('cat', 'latest', join(folder, 'data/c')), { exitCode: 0, stdout: 'c'.repeat(50_000) }, 'reading goes on');
  const dry = await lagan('repository', 'recover', '--dry-run');
  t.match(dry, {
    exitCode: 0,
    stdout:
      /^the store was set back: writer\/snapshots\/0000000000000001\/[\s\S]*\nroot 0 would be replaced by root 1048579 of generation 1048577\n$/,
  });
  const json = (await lagan('repository', 'recover', '--dry-run', '--json')).json.at(-1);
  t.same(problems('repository', json), []);
  t.match(json, { type: 'recovery', outcome: 'dry-run', root: { number: 0 }, snapshots: [{}, {}, { isWhole: true }] });

  const recovered = await lagan('repository', 'recover');
  t.match(recovered, { exitCode: 0, stdout: /lacks packs[\s\S]*\nrecovered in / });
  t.match(await lagan('check'), { exitCode: 6 });
  const lost = recovered.stdout
    .split('\n')
    .find((line) => line.includes('lacks packs'))!
    .slice(0, 8);
  t.match(await lagan('forget', lost), { exitCode: 0 });
  t.match(await lagan('maintain'), { exitCode: 0 });
  t.match(await lagan('check', '--read-data'), { exitCode: 0 });
  t.match(await lagan('cat', 'latest~1', join(folder, 'data/b')), { exitCode: 0, stdout: 'b'.repeat(50_000) });
  t.match(await save('d'), { exitCode: 0 });
});

t.test('a damaged base index: each command that needs it says what to do, restores go on, and that mends it', async (t) => {
  const home = new Home(t);
  home.write('a', 'a'.repeat(100_000));
  await home.lagan('backup', 'data');
  home.write('a', 'b'.repeat(100_000));
  await home.lagan('backup', 'data');
  await home.lagan('forget', 'latest~1');
  await home.lagan('maintain');
  const [name] = home.objects('collector/index');
  const file = join(home.repository, 'collector/index', name!);
  const bytes = readFileSync(file);
  bytes[60]! ^= 1;
  writeFileSync(file, bytes);
  for (const argv of [['backup', 'data'], ['stats'], ['check'], ['maintain']])
    t.match(await home.lagan(...argv, '--json'), { exitCode: 6, error: { hint: /lagan repository recover --force/ } }, argv.join(' '));
  t.match(await home.lagan('cat', 'latest', join(home.data, 'a')), { exitCode: 0, stdout: /^b+$/ });
  t.match(await home.lagan('repository', 'recover', '--force'), { exitCode: 0 });
  t.match(await home.lagan('backup', 'data'), { exitCode: 0 });
  t.match(await home.lagan('cat', 'latest', join(home.data, 'a')), { exitCode: 0, stdout: /^b+$/ });
});
