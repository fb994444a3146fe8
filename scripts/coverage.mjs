/**
 * `npm run coverage`: which lines and branches of the format its tests run, by V8's own count. With `-- --engine` of the engine by the whole suite, which takes as long as
 * `npm test`. Fails below the limits.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const isEngine = process.argv.includes('--engine');
const goal = isEngine
  ? { include: 'engine/**/*.ts', lines: 90, branches: 90, tests: ['test/**/*.test.ts'] }
  : {
      include: 'repo-format/*.ts',
      lines: 98,
      branches: 98,
      tests: ['test/repo-format/*.test.ts', 'test/spec/{vectors,writer-rules,reader-rules}.test.ts'],
    };
const folder = mkdtempSync(path.join(tmpdir(), 'lagan-coverage-'));
let failed = 0;
try {
  for (const file of globSync(goal.tests).sort()) {
    const { status } = spawnSync(process.execPath, [file], {
      env: { ...process.env, NODE_V8_COVERAGE: folder, TAP_TIMEOUT: '900' },
      stdio: 'ignore',
    });
    if (status !== 0) console.error(`${file} failed`);
    if (status !== 0) failed++;
  }
  const limits = ['--check-coverage', '--lines', goal.lines, '--branches', goal.branches];
  const report = [
    'report',
    '--temp-directory',
    folder,
    '--all',
    '--src',
    '.',
    '--extension',
    '.ts',
    '--include',
    goal.include,
    '--reporter',
    'text',
    ...limits,
  ];
  const { status } = spawnSync('c8', report.map(String), { stdio: 'inherit' });
  process.exitCode = failed > 0 ? 1 : (status ?? 1);
} finally {
  rmSync(folder, { recursive: true });
}
