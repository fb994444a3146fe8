/**
 * Makes what is published, plain JavaScript, from this checkout: in a folder of its own, so that no old `dist/` is measured and none is left
 * behind.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';

const sources = ['bin', 'engine', 'repo-format', 'k8s', 'scripts', 'spec', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];

/** The launcher of the package made in `folder`, which is new; or why there is none. */
export function makeLaganPackage(folder: string): { program: string } | { problem: string } {
  const root = dirname(import.meta.dirname);
  mkdirSync(folder);
  for (const name of sources) if (existsSync(join(root, name))) cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'scripts/build.mjs')], { cwd: folder, encoding: 'utf8' });
  if (status === 0) return { program: join(folder, 'bin/lagan') };
  return { problem: `this checkout does not build: ${firstLine(stdout) ?? firstLine(stderr) ?? `exit code ${status}`}` };
}

function firstLine(text: string): string | undefined {
  return text.split('\n').find((line) => line.trim() !== '');
}
