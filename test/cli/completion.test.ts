import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectFolder, run, scratchFolder } from './cli.ts';

async function candidates(...words: string[]): Promise<{ values: string[]; directive: string }> {
  const lines = (await run(['complete', '--', ...words])).stdout.trimEnd().split('\n');
  return { values: lines.slice(0, -1).map((line) => line.split('\t')[0]!), directive: lines.at(-1)! };
}

t.test('complete offers commands', async (t) => {
  const { values, directive } = await candidates('');
  for (const name of ['backup', 'restore', 'key', 'completion']) t.ok(values.includes(name), name);
  t.notOk(values.includes('complete'));
  t.equal(directive, ':4');
  t.same((await candidates('snap')).values, ['snapshots']);
  t.same((await candidates('key', 'rem')).values, ['remove']);
});

t.test('complete offers options of the command and shared ones', async (t) => {
  t.same((await candidates('backup', '--exclude-')).values, [
    '--exclude-file',
    '--exclude-if-present',
    '--exclude-caches',
    '--exclude-larger-than',
  ]);
  t.same((await candidates('restore', '/x', '--repo')).values, ['--repository']);
  t.same(await candidates('restore', '--nonsense'), { values: [], directive: ':4' });
});

t.test('complete offers values that an option or argument may have', async (t) => {
  t.same((await candidates('restore', 'latest', '--overwrite', '')).values, ['always', 'if-newer', 'if-changed', 'never']);
  t.same((await candidates('completion', 'z')).values, ['zsh']);
});

t.test('complete leaves paths to the shell', async (t) => {
  t.same(await candidates('backup', '/et'), { values: [], directive: ':0' });
  t.same(await candidates('snapshots', '--key-file', ''), { values: [], directive: ':0' });
});

t.test('completion prints a script for each shell', async (t) => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout, exitCode } = await run(['completion', shell]);
    t.equal(exitCode, 0);
    t.match(stdout, /lagan complete --|"\$1" complete --/, shell);
  }
});

t.test('the script for bash completes without evaluating what is typed', async (t) => {
  const folder = scratchFolder(t);
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin/lagan'), `#!/bin/sh\nexec '${process.execPath}' '${join(projectFolder, 'bin/main.ts')}' "$@"\n`);
  chmodSync(join(folder, 'bin/lagan'), 0o755);
  writeFileSync(join(folder, 'script'), (await run(['completion', 'bash'])).stdout);
  const complete = (...words: string[]) => {
    const list = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const script = `source ./script; COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _lagan lagan; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return spawnSync('bash', ['--norc', '-c', script], {
      cwd: folder,
      env: { PATH: `${join(folder, 'bin')}:/usr/bin:/bin`, HOME: folder },
      encoding: 'utf8',
    });
  };
  t.equal(complete('lagan', 'snap').stdout, 'snapshots\n');
  t.equal(complete('lagan', 'restore', 'latest', '--overwrite', 'if').stdout, 'if-newer\nif-changed\n');
  t.equal(complete('lagan', 'backup', '$(touch evil)', '`touch evil`', ';touch evil', '--one').stdout, '--one-file-system\n');
  t.equal(spawnSync('test', ['-e', join(folder, 'evil')]).status, 1);
});
