/**
 * `npm run coverage`: which lines and branches of the format its tests run, by V8's own count. With `-- --engine` of the engine by the whole suite, which takes as long as
 * `npm test`. Fails below the limits.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

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
    keepOwn();
  }
  const limits = ['--check-coverage', '--lines', goal.lines, '--branches', goal.branches];
  const report = [
    'report',
    '--temp-directory',
    folder,
    '--merge-async',
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

/** A process tells of all that it loaded, a megabyte each time, and tests start thousands: only what is asked for is kept. */
function keepOwn() {
  for (const name of readdirSync(folder).filter((name) => name.startsWith('coverage-'))) {
    const file = path.join(folder, name);
    const result = parsed(readFileSync(file, 'utf8'));
    const own = result.filter(
      ({ url }) => url.startsWith('file:') && path.matchesGlob(path.relative(process.cwd(), fileURLToPath(url)), goal.include),
    );
    if (own.length > 0) writeFileSync(path.join(folder, `own-${name}`), JSON.stringify({ result: own }));
    rmSync(file);
  }
}

/** Nothing, if a process was killed while it wrote it. */
function parsed(text) {
  try {
    return JSON.parse(text).result;
  } catch {
    return [];
  }
}
