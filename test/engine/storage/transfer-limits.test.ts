import { Worker } from 'node:worker_threads';
import t from 'tap';
import { TransferLimits } from '../../../engine/storage/_transfer-limits.ts';

t.test('TransferLimits: nothing waits without a limit', async (t) => {
  const limits = new TransferLimits();
  t.equal(limits.describe(), null);
  await limits.upload(1e15);
  await limits.download(1e15);
  await limits.request();
});

t.test('TransferLimits: what comes next waits for what was granted before', async (t) => {
  const limits = new TransferLimits({ uploadBytesPerSecond: 1000 });
  const start = performance.now();
  await limits.upload(100);
  await limits.upload(100);
  await limits.upload(1);
  t.ok(performance.now() - start >= 190, 'two pieces of a tenth of a second');
  await limits.download(1e12);
});

t.test('TransferLimits: threads share the line', async (t) => {
  const limits = new TransferLimits({ requestsPerSecond: 10 });
  const again = TransferLimits.fromDescription(structuredClone(limits.describe()));
  const start = performance.now();
  await limits.request();
  await again.request();
  await limits.request();
  t.ok(performance.now() - start >= 190);
  const description = limits.describe()!;
  const worker = new Worker(
    `require('node:worker_threads').parentPort.postMessage(require('node:worker_threads').workerData.shared instanceof SharedArrayBuffer)`,
    {
      eval: true,
      workerData: description,
    },
  );
  t.equal(await new Promise((resolve) => worker.once('message', resolve)), true);
});

t.test('TransferLimits: an interruption ends a wait', async (t) => {
  const limits = new TransferLimits({ downloadBytesPerSecond: 1 });
  await limits.download(1_000_000);
  await t.rejects(limits.download(1, AbortSignal.timeout(20)), { code: 'interrupted' });
});

t.test('TransferLimits: a rate that is none is a mistake', async (t) => {
  for (const rate of [0, -1, Number.NaN]) t.throws(() => new TransferLimits({ uploadBytesPerSecond: rate }), RangeError);
});

t.test('TransferLimits: pieces are small where little may be sent', async (t) => {
  t.equal(new TransferLimits().uploadPieceSizeBytes, 256 * 1024);
  t.equal(new TransferLimits({ uploadBytesPerSecond: 4000 }).uploadPieceSizeBytes, 1000);
  t.equal(new TransferLimits({ uploadBytesPerSecond: 1 }).uploadPieceSizeBytes, 1);
});
