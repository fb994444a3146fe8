import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Home } from './home.ts';

class Snapshots extends Home {
  constructor(t: Test) {
    super(t);
    this.write('a.txt', 'hello');
    this.write('secret', 'x'.repeat(1000));
  }

  /** The last message of a command with --json, which succeeds. */
  async summary(t: Test, ...argv: string[]): Promise<Record<string, unknown>> {
    const { json, exitCode, stderr } = await this.json(t, ...argv);
    t.equal(exitCode, 0, stderr);
    return json.at(-1)!;
  }

  /** A backup on each of some days of 2026; their ids. */
  async backUp(...days: string[]): Promise<string[]> {
    const ids: string[] = [];
    for (const day of days) {
      const { json } = await this.lagan('backup', 'data', '--time', `2026-${day}T12:00:00Z`, '--json');
      ids.push(json.at(-1)!.snapshot as string);
    }
    return ids;
  }

  async snapshots(): Promise<string[]> {
    const { json } = await this.lagan('snapshots', '--json');
    return (json[0]!.snapshots as { id: string }[]).map(({ id }) => id);
  }
}

t.test('forget, undelete and pin: from rules to what is listed', async (t) => {
  const home = new Snapshots(t);
  const ids = await home.backUp('01-01', '01-02', '01-03', '01-04');
  t.match(await home.summary(t, 'forget', '--keep-daily', '2', '-n'), { outcome: 'dry-run', kept: 2, removed: 2 });
  t.same(await home.snapshots(), ids);
  await home.summary(t, 'pin', ids[0]!, '--reason', 'the first');
  t.match(await home.summary(t, 'forget', '--keep-daily', '2'), { outcome: 'forgotten', kept: 3, removed: 1 });
  t.same(await home.snapshots(), [ids[0], ids[2], ids[3]]);
  t.match(await home.summary(t, 'undelete'), { type: 'deleted', snapshots: [{ id: ids[1] }] });
  t.match(await home.summary(t, 'undelete', ids[1]!.slice(0, 8)), { snapshots: [{ id: ids[1], fate: 'kept' }] });
  t.same(await home.snapshots(), ids);
  t.match(await home.lagan('forget', ids[0]!), { exitCode: 8, stderr: /is pinned and stays\nhint: lagan pin --remove/ });
  t.match(await home.summary(t, 'pin'), { pins: [{ snapshot: ids[0], reason: 'the first', isOver: false }] });
  await home.summary(t, 'pin', '--remove', ids[0]!);
  t.match(await home.summary(t, 'forget', ids[0]!), { removed: 1 });
  t.same(await home.snapshots(), ids.slice(1));
  // A pin that comes later wins.
  await home.summary(t, 'pin', ids[0]!, '--until', '1d');
  t.same(await home.snapshots(), ids);
  t.match(await home.summary(t, 'forget', '--keep-last', '1'), { kept: 2, removed: 2 });
  t.same(await home.snapshots(), [ids[0], ids[3]]);
});

t.test('rewrite: the paths are in no snapshot any more', async (t) => {
  const home = new Snapshots(t);
  const ids = await home.backUp('01-01', '01-02');
  t.match(await home.summary(t, 'rewrite', '--exclude', 'secret', '-n'), {
    outcome: 'dry-run',
    snapshots: [{ id: ids[0] }, { id: ids[1] }],
  });
  t.match(await home.summary(t, 'find', 'secret'), { matches: 2 });
  t.match(await home.summary(t, 'rewrite', '--exclude', 'secret'), { snapshots: [{ removed: { files: 1, bytes: 1000 } }, {}] });
  t.match(await home.summary(t, 'find', 'secret'), { matches: 0, snapshots: 2 });
  t.match(await home.summary(t, 'find', 'a.txt'), { matches: 2 });
  t.equal((await home.lagan('cat', 'latest', join(home.folder, 'data/a.txt'))).stdout, 'hello');
  t.match(await home.summary(t, 'undelete'), { snapshots: [{ id: ids[0] }, { id: ids[1] }] });
  t.match(await home.summary(t, 'rewrite', '--exclude', 'secret'), { snapshots: [{ outcome: 'unchanged' }, { outcome: 'unchanged' }] });
  // The next backup compares with the new one.
  home.write('b.txt', 'b');
  await home.backUp('01-03');
  t.match(await home.summary(t, 'check', '--read-data'), { outcome: 'sound' });
});

t.test('forget: a snapshot of which nothing can be read goes by its id; then space is freed again, and the check is content', async (t) => {
  const home = new Home(t);
  for (const content of ['old', 'new']) {
    home.write('file', content.repeat(50_000));
    await home.lagan('backup', 'data', '--no-maintain');
  }
  const [, newest] = (await home.lagan('snapshots', '--json')).json
    .flatMap(({ snapshots }) => snapshots as { id: string }[])
    .map(({ id }) => id);
  const id = home.objects('writer/snapshots').find((name) => name !== newest)!;
  const file = join(home.repository, 'writer/snapshots', '0'.repeat(16), id);
  const bytes = readFileSync(file);
  bytes[90]! ^= 1;
  writeFileSync(file, bytes);
  t.match(await home.lagan('maintain'), { stdout: /nothing is freed as long as it is not known/ });
  t.match(await home.lagan('forget', id.slice(0, 8), '--dry-run'), {
    exitCode: 0,
    stdout: /nothing can be read\ndry run: 0 snapshots kept, 1 removed/,
  });
  t.match((await home.json(t, 'forget', id.slice(0, 8))).json.at(-1), { outcome: 'forgotten', removed: 1, unreadable: [id] });
  t.match(await home.lagan('maintain'), { exitCode: 0, stdout: /^freed [\s\S]*1 forgotten snapshot removed/ });
  t.match(await home.lagan('check'), { exitCode: 0, stdout: /note: .*nobody needs it/ });
  t.match(await home.lagan('cat', 'latest', join(home.data, 'file')), { stdout: /^(new)+$/ });
});
