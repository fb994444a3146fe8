// Compiles the TypeScript sources to plain JavaScript in dist/, which is what the published package runs.
// usage: node scripts/build.mjs [--if-source]      (--if-source: quietly nothing to do in an installed package)
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
if (process.argv.includes('--if-source') && !existsSync(join(root, 'tsconfig.build.json'))) process.exit(0);

const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
rmSync(join(root, 'dist'), { recursive: true, force: true });
const compiled = spawnSync(process.execPath, [join(typescript, 'bin/tsc'), '-p', join(root, 'tsconfig.build.json')], { stdio: 'inherit', cwd: root });
if (compiled.status !== 0) process.exit(1);

mkdirSync(join(root, 'dist/engine/kernel'), { recursive: true });
copyFileSync(join(root, 'engine/kernel/kernel.wasm'), join(root, 'dist/engine/kernel/kernel.wasm'));
if (existsSync(join(root, 'bin/schemas'))) cpSync(join(root, 'bin/schemas'), join(root, 'dist/bin/schemas'), { recursive: true });
copyFileSync(join(root, 'package.json'), join(root, 'dist/package.json'));
