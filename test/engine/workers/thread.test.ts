import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

t.test('endProcess: ends with its code while a thread is inside a native add-on, and what was printed is out', async (t) => {
  const child = fileURLToPath(new URL('./_ending-child.ts', import.meta.url));
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [child], { encoding: 'utf8', timeout: 60_000 });
  t.match({ status, signal, stdout, stderr }, { status: 42, signal: null, stdout: 'all of it\n', stderr: '' });
});
