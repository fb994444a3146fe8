/** What monitoring is told over HTTP. */
import t from 'tap';
import { serveProbes, VolumeMetrics } from '../../../k8s/metrics/mod.ts';

const identity = {
  cluster: 'blue',
  namespace: 'shop',
  claim: { uid: null, name: 'data-db-0' },
  workload: 'StatefulSet/db',
  volume: 'data',
};

t.test('serveProbes: health, readiness with its reason, metrics; anything else is refused', async (t) => {
  const metrics = new VolumeMetrics();
  let reason: string | undefined = 'the repository does not answer';
  const readiness = () => (reason === undefined ? { isReady: true } : { isReady: false, reason });
  const server = await serveProbes({ host: '127.0.0.1', port: 0, metrics, readiness });
  t.teardown(() => server.close());
  const get = async (path: string, init?: RequestInit) => {
    const response = await fetch(`http://${server.address}${path}`, init);
    return { status: response.status, text: await response.text(), type: response.headers.get('content-type') };
  };
  t.match(await get('/healthz'), { status: 200, text: 'ok\n' });
  t.match(await get('/readyz'), { status: 503, text: 'the repository does not answer\n' });
  reason = undefined;
  t.match(await get('/readyz?verbose'), { status: 200 });
  t.match(await get('/metrics'), { status: 200, type: /^text\/plain; version=/ });
  t.match(await get('/'), { status: 404 });
  t.match(await get('/constructor'), { status: 404 });
  t.match(await get('/metrics', { method: 'POST' }), { status: 405 });
  await t.rejects(serveProbes({ host: '127.0.0.1', port: Number(server.address.split(':')[1]), metrics, readiness }), {
    code: 'unavailable',
  });
});

t.test('VolumeMetrics: what was good, what was partial, what failed', async (t) => {
  const metrics = new VolumeMetrics();
  const labels = 'namespace="shop",claim="data-db-0",workload="StatefulSet/db",volume="data"';
  const figureOf = async (name: string, more = '') => {
    const line = (await metrics.text()).split('\n').find((text) => text.startsWith(`${name}{${labels}${more}}`));
    return line === undefined ? Number.NaN : Number(line.split(' ').at(-1));
  };
  metrics.known(identity, 5000);
  t.equal(await figureOf('lagan_volume_backup_last_success_timestamp_seconds'), 5);
  metrics.ended(identity, { result: 'partial', seconds: 2, bytes: 100, newBytes: 10 });
  metrics.ended(identity, { result: 'failure', seconds: 1 });
  t.equal(await figureOf('lagan_volume_backup_last_success_timestamp_seconds'), 5, 'neither is a good backup');
  t.equal(await figureOf('lagan_volume_backup_size_bytes'), 100);
  t.equal(await figureOf('lagan_volume_backup_duration_seconds'), 1);
  metrics.ended(identity, { result: 'success', seconds: 3, bytes: 200, newBytes: 20 });
  t.ok((await figureOf('lagan_volume_backup_last_success_timestamp_seconds')) > Date.now() / 1000 - 60);
  for (const result of ['success', 'partial', 'failure'])
    t.equal(await figureOf('lagan_volume_backup_attempts_total', `,result="${result}"`), 1, result);
  t.equal(await figureOf('lagan_volume_backup_new_bytes'), 20);
  metrics.dueAt(identity, 7000);
  t.equal(await figureOf('lagan_volume_backup_next_timestamp_seconds'), 7);
});
