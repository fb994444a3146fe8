/** `lagan k8s sidecar` and `restore`, on a real repository. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { start } from './cli.ts';
import { Home } from './home.ts';
import { problems } from './schemas.ts';

const pod = ['--workload', 'Deployment/shop', '--namespace', 'shop'];

/** With the repository that the first backup makes, and a volume that holds a file. */
async function pristine(t: Test): Promise<Home> {
  const home = new Home(t);
  home.write('file', 'content');
  await home.lagan('backup', 'data');
  return home;
}

t.test('k8s sidecar --once: each volume is a snapshot; rules count for each volume alone; JSON is as its schema says', async (t) => {
  const home = await pristine(t);
  mkdirSync(join(home.folder, 'logs'));
  const sidecar = ['k8s', 'sidecar', 'backup', '--once', ...pod, '--volume', 'data=data', '--volume', 'logs=logs', '--keep-last', '1'];
  t.match(await home.lagan(...sidecar), {
    exitCode: 0,
    stdout: /^volume data: snapshot .* saved: 1 file.*\nvolume logs: snapshot .* saved: 0 files/,
  });
  const { json } = await home.json(t, ...sidecar);
  t.match(
    json.filter(({ type }) => type === 'volume-backup'),
    [{ volume: 'data', statistics: { unchangedFiles: 1, newBytes: 0 } }, { volume: 'logs' }],
  );
  t.equal(json.filter(({ type, removed }) => type === 'volume-retention' && (removed as string[]).length === 1).length, 2);
  t.match(await home.lagan('snapshots'), { stdout: /volume data of shop\/Deployment\/shop[\s\S]*volume logs of shop/ });
});

t.test('k8s sidecar --once: a volume that fails keeps none of the others from it, and is the end', async (t) => {
  const home = await pristine(t);
  home.write('.lagan-restoring', 'something');
  mkdirSync(join(home.folder, 'logs'));
  const outcome = await home.lagan(
    'k8s',
    'sidecar',
    'backup',
    '--once',
    ...pod,
    '--volume',
    'data=data',
    '--volume',
    'logs=logs',
    '--json',
  );
  t.match(outcome, { exitCode: 1, error: { code: 'half-restored' } });
  t.match(
    outcome.json.filter(({ type }) => type !== 'progress'),
    [
      { type: 'warning', code: 'half-restored' },
      { type: 'volume-backup', volume: 'logs' },
    ],
  );
});

t.test('k8s sidecar restore: what is empty is restored, what is not stays', async (t) => {
  const home = await pristine(t);
  const restore = (...more: string[]) => home.json(t, 'k8s', 'sidecar', 'restore', ...pod, '--volume', 'data=new', ...more);
  mkdirSync(join(home.folder, 'new'));
  t.match((await restore()).json, [{ outcome: 'no-snapshot' }]);
  t.match(await restore('--must-exist'), { exitCode: 10, error: { code: 'snapshot-not-found' } });
  await home.lagan('k8s', 'sidecar', 'backup', '--once', ...pod, '--volume', 'data=data');
  t.match(await restore('--at', '2020-01-01', '--must-exist'), { exitCode: 10 });
  t.match(await restore('--keep-last', '1'), { exitCode: 2 }, 'what says how to back up is no option of this');
  t.match((await restore('--verify')).json.at(-1), { outcome: 'restored', files: 1, errors: [] });
  t.equal(readFileSync(join(home.folder, 'new/file'), 'utf8'), 'content');
  writeFileSync(join(home.folder, 'new/file'), 'of the application');
  t.match((await restore()).json, [{ outcome: 'filled' }]);
  t.equal(readFileSync(join(home.folder, 'new/file'), 'utf8'), 'of the application');
});

t.test('k8s sidecar: backs up at once what never was, then waits; it ends well when it is told to', async (t) => {
  const home = await pristine(t);
  const child = start(
    ['k8s', 'sidecar', 'backup', ...pod, '--volume', `data=${home.data}`, '--schedule', '@yearly', '--listen', '127.0.0.1:0', '--json'],
    {
      env: home.env,
    },
  );
  child.stdin?.end();
  let [stdout, metrics] = ['', ''];
  child.stdout?.on('data', (piece: Buffer) => {
    stdout += piece;
    if (!stdout.includes('"waiting"') || metrics !== '') return;
    metrics = 'asked for';
    const address = /"listening","address":"([^"]+)"/.exec(stdout)![1];
    void fetch(`http://${address}/metrics`)
      .then(async (response) => {
        metrics = await response.text();
      })
      .finally(() => child.kill('SIGTERM'));
  });
  t.equal((await child.ended).exitCode, 0);
  for (const line of stdout.trim().split('\n')) t.same(problems('k8s', JSON.parse(line)), [], line);
  t.match(stdout, /"volume-backup"[\s\S]*"waiting","volume":"data","until":"\d{4}-01-01T00:/);
  t.match(metrics, /attempts_total\{namespace="shop",claim="",workload="Deployment\/shop",volume="data",result="success"\} 1\n/);
});

t.test('k8s sidecar: what is wrong is said before anything is begun', async (t) => {
  const home = await pristine(t);
  const cases: [string[], RegExp][] = [
    [[...pod], /no volume/],
    [['--volume', 'data=data', '--namespace', 'shop'], /whose volumes/],
    [['--volume', 'data', ...pod], /is not NAME=VALUE/],
    [['--volume', 'data=data', '--volume', 'data=logs', ...pod], /named twice/],
    [['--volume', 'data=data', '--claim', 'logs=x', ...pod], /no volume logs/],
    [['--volume', 'data=data', '--namespace', 'shop', '--workload', 'shop'], /is not KIND\/NAME/],
    [['--volume', 'data=data', '--namespace', 'shop', '--workload', 'StatefulSet/db'], /which pod of StatefulSet\/db/],
    [['--volume', 'data=data', ...pod, '--schedule', '0 2 30 2 *'], /never comes/],
    [['--volume', 'data=data', ...pod, '--schedule', '2 *'], /2 fields, not five/],
    [['--volume', 'data=data', ...pod, '--timezone', 'Mars'], /no time zone/],
  ];
  for (const [argv, message] of cases)
    t.match(await home.lagan('k8s', 'sidecar', 'backup', ...argv), { exitCode: 2, stderr: message }, argv.join(' '));
  t.match(await home.lagan('k8s', 'sidecar', 'backup', '--volume', 'data=gone', ...pod), {
    exitCode: 1,
    stderr: /nothing at .*\nhint: .*volumeMount/,
  });
  const nowhere = await home.laganWith(
    { env: { LAGAN_REPOSITORY: join(home.folder, 'none') } },
    'k8s',
    'sidecar',
    'backup',
    '--volume',
    'data=data',
    ...pod,
  );
  t.equal(nowhere.exitCode, 4, 'a repository that is not there is known before anybody waits for a night');
});
