/** `lagan maintain`, and maintenance by itself after a backup, on a real repository. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseKeyText } from '../../engine/keys/mod.ts';
import { listSnapshots, markSnapshots, openRepository } from '../../engine/repository/mod.ts';
import { LocalFolder } from '../../engine/storage/mod.ts';
import { Home } from './home.ts';
import { problems } from './schemas.ts';

t.test('maintain: what a forgotten snapshot alone had is freed; --dry-run only says so; JSON is as its schema says', async (t) => {
  const home = new Home(t);
  home.write('a', 'a'.repeat(100_000));
  await home.lagan('backup', 'data');
  t.match(await home.lagan('maintain'), { exitCode: 0, stdout: /^nothing to free, in .*\n.* are needed by 1 snapshot\n/ });
  rmSync(join(home.data, 'a'));
  home.write('b', 'b'.repeat(100_000));
  await home.lagan('backup', 'data');
  const before = home.objects('writer/packs').length;
  await home.lagan('forget', 'latest~1');
  t.match(await home.lagan('maintain', '--dry-run'), { stdout: /^would free .* packs\n[\s\S]*1 forgotten snapshot would be removed\n/ });
  t.equal(home.objects('writer/packs').length, before);
  const outcome = await home.lagan('maintain', '--json');
  for (const message of outcome.json) t.same(problems('maintain', message), [], JSON.stringify(message));
  t.match(outcome.json.at(-1), { type: 'summary', outcome: 'collected', droppedSnapshots: 1, snapshots: 1, damaged: 0 });
  t.ok(home.objects('writer/packs').length < before);
  t.match(await home.lagan('check', '--read-data'), { exitCode: 0 });
  t.match(await home.lagan('cat', 'latest', join(home.data, 'b')), { stdout: 'b'.repeat(100_000) });
  t.match(await home.lagan('undelete'), { exitCode: 0 }, 'nothing is left that could be brought back');
});

t.test('backup maintains when it is due, unless it is told not to', async (t) => {
  const home = new Home(t);
  const roots = () => home.objects('collector/roots').length;
  for (const content of ['old', 'new']) {
    home.write('file', content);
    await home.lagan('backup', 'data');
  }
  const secret = parseKeyText(readFileSync(join(home.folder, '.config/lagan/repository.key'), 'utf8'));
  const repository = await openRepository(new LocalFolder(home.repository), { secret, mode: 'write' });
  const [old] = await listSnapshots(repository);
  const time = { seconds: Math.floor(Date.now() / 1000) - 25 * 3600, nanoseconds: 0 };
  await markSnapshots(repository, [old!.id], { reason: 'forgotten a day ago', time });
  await home.lagan('backup', 'data', '--no-maintain');
  t.equal(roots(), 1);
  home.write('config.yaml', 'backup: { maintain: false }\n');
  await home.lagan('backup', 'data', '--config', join(home.data, 'config.yaml'));
  t.equal(roots(), 1);
  t.match(await home.lagan('backup', 'data'), { exitCode: 0, stderr: /maintained the repository/ });
  t.equal(roots(), 4);
  t.match(await home.lagan('snapshots', '--json'), { exitCode: 0 });
  t.match(await home.lagan('check'), { exitCode: 0 });
});
