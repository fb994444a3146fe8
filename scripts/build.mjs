// Compiles the TypeScript sources to plain JavaScript in dist/, which is what the published package runs. dist/ is replaced only by a build that succeeded.
// In a checkout it also links the command to where npx looks for it: npm does so for packages that are installed, not for the one that it stands in.
// usage: node scripts/build.mjs [--if-source]      (--if-source: quietly nothing to do in an installed package)
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
if (process.argv.includes('--if-source') && !existsSync(join(root, 'tsconfig.build.json'))) process.exit(0);

const fresh = join(root, `dist.${process.pid}`);
const target = join(root, 'dist');
const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
const compiled = spawnSync(process.execPath, [join(typescript, 'bin/tsc'), '-p', join(root, 'tsconfig.build.json'), '--outDir', fresh], {
  stdio: 'inherit',
  cwd: root,
});
if (compiled.status !== 0) {
  rmSync(fresh, { recursive: true, force: true });
  process.exit(1);
}
copyFileSync(join(root, 'engine/kernel/kernel.wasm'), join(fresh, 'engine/kernel/kernel.wasm'));
cpSync(join(root, 'bin/schemas'), join(fresh, 'bin/schemas'), { recursive: true });
copyFileSync(join(root, 'package.json'), join(fresh, 'package.json'));
rmSync(target, { recursive: true, force: true });
renameSync(fresh, target);

const command = join(root, 'node_modules/.bin/lagan');
if (existsSync(dirname(command))) {
  rmSync(command, { force: true });
  symlinkSync('../../bin/lagan', command);
}
