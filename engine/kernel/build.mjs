// Compiles assembly/ to kernel.wasm. `node build.mjs` writes it, `node build.mjs --check` fails if the committed file differs by a byte.
//
// The result depends only on the sources, these flags and the version of the package assemblyscript (which pins that of binaryen).

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import { lanesSource } from './lanes-source.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, 'kernel.wasm');

// No -O: its passes move definitions to their uses, which undoes the order of operations that lanes-source.mjs asks for. V8 optimizes anyway.
const passes = ['remove-unused-brs', 'remove-unused-names', 'merge-blocks', 'precompute-propagate', 'optimize-instructions', 'vacuum'];
const flags = [
  'index.ts',
  '--outFile',
  'kernel.wasm',
  '--noAssert',
  '--runtime',
  'stub',
  '--use',
  'abort=',
  '--enable',
  'simd',
  '--enable',
  'relaxed-simd',
  '--importMemory',
  '--initialMemory',
  '6',
  '--memoryBase',
  '64',
  '--runPasses',
  passes.join(','),
];

const generated = new Map([
  ['blake3-four-lanes.ts', lanesSource(4)],
  ['blake3-eight-lanes.ts', lanesSource(8)],
]);

/** The text of a source file, or null if there is none: the compiler tries several names. */
function readSource(name) {
  if (generated.has(name)) return generated.get(name);
  try {
    return readFileSync(join(here, 'assembly', name), 'utf8');
  } catch {
    return null;
  }
}

/** Compiles the sources and gives the bytes of the module. Throws if the compiler does. */
async function compile() {
  let binary;
  const { error, stderr } = await asc.main(flags, {
    readFile: readSource,
    writeFile: (name, contents) => {
      if (name === 'kernel.wasm') binary = contents;
    },
    listFiles: () => [],
  });
  if (error) throw new Error(`compiling the kernel failed: ${error.message}\n${stderr.toString()}`);
  return Buffer.from(binary);
}

const built = await compile();
if (process.argv.includes('--check')) {
  const committed = readFileSync(target);
  if (!committed.equals(built)) {
    console.error(`error: ${target} (${committed.length} bytes) is not what its sources give (${built.length} bytes)`);
    console.error('hint: run node engine/kernel/build.mjs and commit the result');
    process.exitCode = 1;
  }
} else {
  writeFileSync(target, built);
  console.error(`wrote ${target}, ${built.length} bytes`);
}
