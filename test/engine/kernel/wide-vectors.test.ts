import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { compileKernel } from '../../../engine/kernel/mod.ts';

const child = fileURLToPath(new URL('_wide-vectors-child.ts', import.meta.url));

function run(flags: readonly string[]): string {
  return execFileSync(process.execPath, [...flags, child], { encoding: 'utf8' });
}

t.test('kernel: optimized code gives the same with vectors of 128 and of 256 bits', async (t) => {
  // Without Liftoff everything runs as optimized code, which is what the flag changes.
  const plain = run(['--no-liftoff']);
  t.match(plain, /^4 lanes: [0-9a-f]{64}/);
  t.equal(run(['--no-liftoff', '--experimental-wasm-revectorize']).replace('8 lanes', '4 lanes'), plain);
  t.equal(
    run(['--no-liftoff', '--import', 'data:text/javascript,globalThis.wide=true']).replace('8 lanes', '4 lanes'),
    plain,
    'enableWideVectors',
  );
});

t.test('compileKernel: the module serves workers', async (t) => {
  const code = `const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.url).then(({ createKernel }) => {
      const key = new Uint8Array(32);
      const kernel = createKernel({ dataSizeBytes: 64, nameKey: key, metadataNameKey: key, cutKey: key,
        cutting: { horizonBytes: 64, gridBytes: 64 }, module: workerData.module });
      kernel.name(0, 0, 0);
      parentPort.postMessage(Buffer.from(kernel.data.subarray(0, 4)).toString('hex'));
    });`;
  const url = new URL('../../../engine/kernel/mod.ts', import.meta.url).href;
  const worker = new Worker(code, { eval: true, workerData: { url, module: compileKernel() } });
  const name = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  t.match(name, /^[0-9a-f]{8}$/);
});
