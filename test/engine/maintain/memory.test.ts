/** The memory of a maintenance does not grow much with the index. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const program = fileURLToPath(new URL('../../../bench/maintain-memory.ts', import.meta.url));

t.test('maintain: an index of a million chunks is folded within 300 MiB of memory', async (t) => {
  const base = mkdtempSync(path.join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lagan-memory-'));
  t.teardown(() => rmSync(base, { recursive: true, force: true }));
  const { stdout, stderr } = spawnSync(process.execPath, [program, '--chunks', '1000000', '--folder', path.join(base, 'run')], {
    encoding: 'utf8',
  });
  const result = JSON.parse(stdout || '{}') as { peakMiB?: number; foldedTables?: number };
  t.equal(result.foldedTables, 20, stderr);
  t.ok(result.peakMiB! < 300, `${result.peakMiB} MiB`);
});
