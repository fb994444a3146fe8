/** Memory and cost of a maintenance do not grow much with the index. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const program = fileURLToPath(new URL('../../../bench/maintain-memory.ts', import.meta.url));

interface Figures {
  readonly foldedTables: number;
  readonly freedPacks: number;
  readonly peakMiB: number;
  readonly readMiB: number;
  readonly writtenMiB: number;
}

t.test(
  'maintain: an index of a million chunks is folded within 300 MiB of memory, and then one of a thousand at the cost of those',
  async (t) => {
    const base = mkdtempSync(path.join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lagan-memory-'));
    t.teardown(() => rmSync(base, { recursive: true, force: true }));
    const { stdout, stderr } = spawnSync(process.execPath, [program, '--chunks', '1000000', '--folder', path.join(base, 'run')], {
      encoding: 'utf8',
    });
    const { first, next } = JSON.parse(stdout || '{}') as { first?: Figures; next?: Figures };
    t.match(first, { foldedTables: 20, freedPacks: 20 }, stderr);
    t.match(next, { foldedTables: 1, freedPacks: 1 });
    t.ok(first!.peakMiB < 300 && next!.peakMiB < 300, `${first!.peakMiB} and ${next!.peakMiB} MiB`);
    t.ok(
      next!.readMiB + next!.writtenMiB < 10,
      `${next!.readMiB} MiB were read and ${next!.writtenMiB} written; the index has ${first!.writtenMiB}`,
    );
  },
);
