import { mock } from 'node:test';
import t from 'tap';
import { remoteCall } from '../../../engine/storage/_remote-call.ts';
import { storageLimits } from '../../../engine/storage/mod.ts';

const { callTimeoutMs, slowestBytesPerSecond } = storageLimits.remote;
const never = new Promise<never>(() => undefined);

t.beforeEach(() => mock.timers.enable({ apis: ['setTimeout', 'Date'] }));
t.afterEach(() => mock.timers.reset());

t.test('remoteCall: a call without an answer is unavailable after its time, and is told to end', async (t) => {
  let seen: AbortSignal | undefined;
  const result = remoteCall({ signal: undefined, sizeBytes: slowestBytesPerSecond }, (signal) => {
    seen = signal;
    return never;
  });
  let isSettled = false;
  result.catch(() => undefined).finally(() => (isSettled = true));
  mock.timers.tick(callTimeoutMs + 999);
  await Promise.resolve();
  t.notOk(isSettled || seen?.aborted, 'its bytes are given their time');
  mock.timers.tick(1);
  await t.rejects(result, { code: 'unavailable' });
  t.ok(seen?.aborted);
});

t.test('remoteCall: bytes that get through put the end off', async (t) => {
  let tell: () => void = () => undefined;
  const result = remoteCall({ signal: undefined }, (_, onProgress) => {
    tell = onProgress;
    return never;
  });
  let isSettled = false;
  result.catch(() => undefined).finally(() => (isSettled = true));
  for (let round = 0; round < 5; round++) {
    mock.timers.tick(callTimeoutMs - 1);
    tell();
  }
  await Promise.resolve();
  t.notOk(isSettled);
  mock.timers.tick(callTimeoutMs);
  await t.rejects(result, { code: 'unavailable' });
});

t.test('remoteCall: an abort answers at once, though the call does not heed it', async (t) => {
  const controller = new AbortController();
  const result = remoteCall({ signal: controller.signal }, () => never);
  controller.abort();
  await t.rejects(result, { code: 'interrupted' });
  await t.rejects(
    remoteCall({ signal: controller.signal }, async () => 1),
    { code: 'interrupted' },
  );
  t.equal(await remoteCall({ signal: undefined }, async () => 1), 1);
});
