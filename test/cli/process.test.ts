import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { execute, projectFolder, scratchFolder, start } from './cli.ts';

/** A command that waits for a long time, and does so before it has opened anything. */
const waiting = ['snapshots', '-r', '/none', '--password-command', 'sleep 60'];

/** Time from the signal to the end. */
async function timeToEnd(
  child: ReturnType<typeof start>,
  signal: NodeJS.Signals,
): Promise<{ exitCode: number; durationMs: number; stderr: string }> {
  const begin = performance.now();
  child.kill(signal);
  const { exitCode, stderr } = await child.ended;
  return { exitCode, durationMs: performance.now() - begin, stderr };
}

/** Until the program has said something, or has had time to come to its work. */
async function underWay(child: ReturnType<typeof start>, pattern: RegExp): Promise<void> {
  let text = '';
  await new Promise<void>((resolve) => {
    child.stderr?.on('data', (piece: Buffer) => {
      text += piece;
      if (pattern.test(text)) resolve();
    });
    child.once('close', () => resolve());
  });
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  t.test(`${signal} ends a command that reads a stream within a second, exit code 130`, async (t) => {
    const folder = scratchFolder(t);
    const child = start(['backup', '--stdin', '-v'], { env: { HOME: folder } });
    await underWay(child, /made a repository/);
    const { exitCode, durationMs, stderr } = await timeToEnd(child, signal);
    t.equal(exitCode, 130);
    t.ok(durationMs < 1500, `${durationMs} ms`);
    t.match(stderr, /^error: /m);
    const after = await execute(['snapshots', '--json'], { env: { HOME: folder } });
    t.match(after.json, [{ type: 'snapshots', snapshots: [] }]);
  });
}

t.test('a second signal ends the process at once', async (t) => {
  const child = start(['backup', '--stdin', '-v'], { env: { HOME: scratchFolder(t) } });
  await underWay(child, /made a repository/);
  child.kill('SIGINT');
  child.kill('SIGTERM');
  t.equal((await child.ended).exitCode, 130);
});

t.test('a signal ends a command whose file does not answer, as on a server that is gone', async (t) => {
  const folder = scratchFolder(t);
  const pipe = join(folder, 'pipe');
  spawnSync('mkfifo', [pipe]);
  const child = start(['backup', '--files-from', pipe, '-v'], { env: { HOME: folder } });
  child.stdin?.end();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const { exitCode, durationMs } = await timeToEnd(child, 'SIGINT');
  t.equal(exitCode, 130);
  t.ok(durationMs < 5000, `${durationMs} ms`);
});

t.test('what is said last is not lost where the reader is slow', async (t) => {
  const names = Array.from({ length: 3000 }, (_, index) => `/none/${'x'.repeat(80)}/${index}`);
  const folder = scratchFolder(t);
  writeFileSync(join(folder, 'names'), names.join('\n'));
  const child = start(['backup', '--files-from', 'names'], { env: { HOME: folder }, cwd: folder });
  child.stdin?.end();
  child.stdout?.resume();
  child.stderr?.pause();
  await new Promise((resolve) => setTimeout(resolve, 2500));
  child.stderr?.resume();
  const { exitCode, stderr } = await child.ended;
  t.equal(exitCode, 1);
  t.ok(stderr.length > 200_000, `${stderr.length} bytes`);
  t.match(stderr, /\nerror: /);
});

t.test('a closed standard output ends quietly, exit code 141', async (t) => {
  const child = start(['completion', 'fish']);
  child.stdout?.destroy();
  child.stdin?.end();
  const { exitCode, stderr } = await child.ended;
  t.equal(exitCode, 141);
  t.equal(stderr, '');
});

t.test('a closed standard output is no failure of help and version', async (t) => {
  for (const argv of [['--help'], ['--version']]) {
    const child = start(argv);
    child.stdout?.destroy();
    const { exitCode, stderr } = await child.ended;
    t.equal(exitCode, 0);
    t.equal(stderr, '');
  }
});

t.test('a closed standard error does not matter', async (t) => {
  const child = start(['bakcup']);
  child.stderr?.destroy();
  t.equal((await child.ended).exitCode, 2);
});

t.test('standard output on a full disk is an error', { skip: process.platform !== 'linux' }, async (t) => {
  const script = `'${process.execPath}' '${join(projectFolder, 'bin/main.ts')}' completion fish > /dev/full`;
  const { status, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent' } });
  t.equal(status, 7);
  t.match(stderr, /^error: cannot write to standard output: no space is left\n/);
});

t.test('--version prints the version and nothing else', async (t) => {
  const outcome = await execute(['--version']);
  t.match(outcome, { exitCode: 0, stdout: /^lagan \d+\.\d+\.\d+\n$/, stderr: '' });
});

t.test('a password command that waits is ended with the command', async (t) => {
  const child = start(waiting, { env: { HOME: scratchFolder(t) } });
  child.stdin?.end();
  // It fails before that: there is no repository. What matters is that it ends.
  t.equal((await child.ended).exitCode, 4);
});
