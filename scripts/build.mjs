// Makes dist/, which is what the published package runs: the sources as plain JavaScript in few files, because each file costs half a millisecond at every start of a process
// or thread, and the types of the library. dist/ is replaced only by a build that succeeded.
// In a checkout it also links the command to where npx looks for it: npm does so for packages that are installed, not for the one that it stands in.
// usage: node scripts/build.mjs [--if-source]      (--if-source: quietly nothing to do in an installed package)
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
if (process.argv.includes('--if-source') && !existsSync(join(root, 'tsconfig.build.json'))) process.exit(0);

/** What is started or imported by its path: the command, the library, the threads. */
const entries = [
  'bin/main.ts',
  'bin/shared/estimate-worker.ts',
  'engine/mod.ts',
  'engine/backup/worker.ts',
  'engine/check/worker.ts',
  'engine/restore/worker.ts',
];
const fresh = join(root, `dist.${process.pid}`);
const target = join(root, 'dist');

try {
  const { build } = await import('esbuild');
  await build({
    absWorkingDir: root,
    entryPoints: entries,
    outbase: root,
    outdir: fresh,
    bundle: true,
    splitting: true,
    chunkNames: 'shared/[name]-[hash]',
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node24',
    logLevel: 'warning',
  });
  writeTypes();
  copyFileSync(join(root, 'engine/kernel/kernel.wasm'), join(fresh, 'engine/kernel/kernel.wasm'));
  cpSync(join(root, 'bin/schemas'), join(fresh, 'bin/schemas'), { recursive: true });
  copyFileSync(join(root, 'package.json'), join(fresh, 'package.json'));
  rmSync(target, { recursive: true, force: true });
  renameSync(fresh, target);
} catch (error) {
  rmSync(fresh, { recursive: true, force: true });
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

const command = join(root, 'node_modules/.bin/lagan');
if (existsSync(dirname(command))) {
  rmSync(command, { force: true });
  symlinkSync('../../bin/lagan', command);
}

function writeTypes() {
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
  const options = ['-p', join(root, 'tsconfig.build.json'), '--outDir', fresh];
  const { status } = spawnSync(process.execPath, [join(typescript, 'bin/tsc'), ...options], { stdio: 'inherit', cwd: root });
  if (status !== 0) throw new Error('the types were not built');
}
