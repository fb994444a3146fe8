/** Which volumes of a pod are taken: Velero's rules row by row, ours beside them, and a reason for each that is not. */
import t from 'tap';
import { type ChooseOptions, chooseVolumes, type Pod, type PodVolume, recordOfTaken, workloadOf } from '../../../k8s/pods/mod.ts';
import { claimOf, optionsOf, podOf } from './_objects.ts';

const empty = (name: string): PodVolume => ({ name, emptyDir: {} });
const claimed = (name: string): PodVolume => ({ name, persistentVolumeClaim: { claimName: name } });

/** `name` for what is taken, `name: reason` for what is not. */
function told(pod: Pod, options: ChooseOptions): string[] {
  const { taken, skipped } = chooseVolumes(pod, options);
  for (const { message } of skipped) if (message === '') throw new Error('a reason without words');
  return [...taken.map(({ volume }) => volume.name), ...skipped.map(({ name, reason }) => `${name}: ${reason}`)].sort();
}

for (const prefix of ['backup.velero.io', 'lagan.dev']) {
  t.test(`chooseVolumes: ${prefix}/backup-volumes and -excludes`, async (t) => {
    const annotated = (annotations: Record<string, string>) => podOf([empty('a'), empty('b'), empty('c')], { metadata: { annotations } });
    const [named, leftOut] = [
      annotated({ [`${prefix}/backup-volumes`]: 'a, b,' }),
      annotated({ [`${prefix}/backup-volumes-excludes`]: 'b' }),
    ];
    t.same(told(named, optionsOf('opt-in')), ['a', 'b', 'c: not-chosen']);
    t.same(told(named, optionsOf('opt-out')), ['a', 'b', 'c']);
    t.same(told(leftOut, optionsOf('opt-out')), ['a', 'b: left-out', 'c']);
    t.same(told(leftOut, optionsOf('opt-in')), ['a: not-chosen', 'b: left-out', 'c: not-chosen']);
    const both = annotated({ [`${prefix}/backup-volumes`]: 'a,b', [`${prefix}/backup-volumes-excludes`]: 'b' });
    t.same(told(both, optionsOf('opt-in')), ['a', 'b: left-out', 'c: not-chosen'], 'who leaves it out wins');
    t.same(told(annotated({ [`${prefix}/backup-volumes`]: 'a,x' }), optionsOf('opt-in')), [
      'a',
      'b: not-chosen',
      'c: not-chosen',
      'x: unknown-volume',
    ]);
  });
}

t.test('chooseVolumes: a claim says for itself, whatever its pod says', async (t) => {
  const annotations = { 'backup.velero.io/backup-volumes': 'b', 'backup.velero.io/backup-volumes-excludes': 'a' };
  const pod = podOf([claimed('a'), claimed('b'), claimed('c')], { metadata: { annotations } });
  const annotated = (name: string, value: string) => claimOf(name, { annotations: { 'lagan.dev/backup': value } });
  const claims = [annotated('a', 'true'), annotated('b', 'false'), annotated('c', 'yes')];
  t.same(told(pod, optionsOf('opt-in', { claims })), ['a', 'b: left-out', 'c: annotation-invalid']);
});

t.test('chooseVolumes: what is never taken, and says so', async (t) => {
  const volumes: PodVolume[] = [
    { name: 'secret', secret: {} },
    { name: 'config', configMap: {} },
    { name: 'projected', projected: {} },
    { name: 'downward', downwardAPI: {} },
    { name: 'image', image: {} },
    { name: 'default-token-x1y2z', secret: {} },
  ];
  for (const mode of ['opt-in', 'opt-out'] as const) {
    const pod = podOf(volumes, {
      metadata: { annotations: { 'backup.velero.io/backup-volumes': volumes.map(({ name }) => name).join() } },
    });
    t.same(told(pod, optionsOf(mode)), volumes.map(({ name }) => `${name}: type-never-taken`).sort(), mode);
  }
});

t.test('chooseVolumes: paths of the node only where the administrator allows them, through a claim, too', async (t) => {
  const hostPath = (path: string): PodVolume => ({ name: 'host', hostPath: { path } });
  const allowedHostPaths = ['/srv/shop'];
  const cases: [string, boolean][] = [
    ['/srv/shop', true],
    ['/srv/shop/data/', true],
    ['/srv//shop/./data', true],
    ['/srv/shopping', false],
    ['/srv', false],
    ['/srv/shop/../other', false],
    ['/', false],
  ];
  for (const [path, isTaken] of cases)
    t.same(told(podOf([hostPath(path)]), optionsOf('opt-out', { allowedHostPaths })), [isTaken ? 'host' : 'host: host-path'], path);
  t.same(told(podOf([hostPath('/srv/shop')]), optionsOf('opt-out')), ['host: host-path']);
  t.same(
    told(podOf([hostPath('/srv/shop')]), optionsOf('opt-out', { allowedHostPaths: ['', 'srv/shop'] })),
    ['host: host-path'],
    'what is no path allows nothing',
  );
  const persistentVolumes = [{ metadata: { name: 'pv-data' }, spec: { hostPath: { path: '/srv/bank' } } }];
  t.same(told(podOf([claimed('data')]), optionsOf('opt-out', { claims: [claimOf('data')], persistentVolumes, allowedHostPaths })), [
    'data: host-path',
  ]);
});

t.test('chooseVolumes: claims that are not there or not bound, volumes that nobody mounts, devices', async (t) => {
  const claims = [
    claimOf('pending', { phase: 'Pending' }),
    claimOf('lost', { phase: 'Lost' }),
    claimOf('db-0-scratch'),
    claimOf('disk', { spec: { volumeMode: 'Block' } }),
  ];
  const scratch: PodVolume = { name: 'scratch', ephemeral: { volumeClaimTemplate: {} } };
  const pod = podOf([claimed('pending'), claimed('lost'), claimed('gone'), scratch, claimed('disk'), empty('unused')], {
    spec: {
      containers: [
        { name: 'app', volumeMounts: [{ name: 'scratch', mountPath: '/s' }], volumeDevices: [{ name: 'disk', devicePath: '/dev/disk' }] },
      ],
    },
  });
  t.same(told(pod, optionsOf('opt-out', { claims })), [
    'disk',
    'gone: claim-missing',
    'lost: claim-not-bound',
    'pending: claim-not-bound',
    'scratch',
    'unused: not-mounted',
  ]);
});

t.test('chooseVolumes: pods that do not run, nodes without an agent; what was not meant to be taken is not told of that', async (t) => {
  const volumes = [empty('a'), { name: 'secret', secret: {} }];
  for (const phase of ['Pending', 'Succeeded', 'Failed', 'Unknown'])
    t.same(told(podOf(volumes, { phase }), optionsOf('opt-out')), ['a: pod-not-running', 'secret: type-never-taken'], phase);
  t.same(told(podOf([empty('a')], { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }), optionsOf('opt-out')), [
    'a: pod-not-running',
  ]);
  t.same(told(podOf([empty('a')], { spec: { nodeName: 'node-b' } }), optionsOf('opt-out')), ['a: no-agent']);
  t.same(told(podOf([empty('a')], { phase: 'Pending' }), optionsOf('opt-in')), ['a: not-chosen']);
});

t.test('chooseVolumes: what an inline driver gives is taken only by name', async (t) => {
  const volume: PodVolume = { name: 'secrets', csi: { driver: 'secrets-store.csi.k8s.io' } };
  t.same(told(podOf([volume]), optionsOf('opt-out')), ['secrets: not-chosen']);
  t.same(told(podOf([volume], { metadata: { annotations: { 'lagan.dev/backup-volumes': 'secrets' } } }), optionsOf('opt-out')), [
    'secrets',
  ]);
});

t.test('chooseVolumes: a pod without volumes', async (t) => {
  t.same(chooseVolumes({ metadata: { name: 'x' }, spec: { containers: [] } }, optionsOf('opt-out')), { taken: [], skipped: [] });
});

t.test('workloadOf: what pods of other names have in common', async (t) => {
  const owned = (kind: string, name: string, labels = {}) =>
    workloadOf(
      podOf([], {
        metadata: {
          labels,
          ownerReferences: [
            { kind: 'Node', name: 'x' },
            { kind, name, controller: true },
          ],
        },
      }),
    );
  t.equal(owned('ReplicaSet', 'web-5f7c9', { 'pod-template-hash': '5f7c9' }), 'Deployment/web');
  t.equal(owned('ReplicaSet', 'web-5f7c9'), 'ReplicaSet/web-5f7c9', 'one that somebody made by hand');
  t.equal(owned('StatefulSet', 'db'), 'StatefulSet/db');
  t.equal(owned('DaemonSet', 'log-12345678'), 'DaemonSet/log-12345678');
  t.equal(owned('Job', 'report-29384756'), 'CronJob/report');
  t.equal(owned('Job', 'migrate'), 'Job/migrate');
  t.equal(workloadOf(podOf([])), 'Pod/db-0');
});

t.test('recordOfTaken: which volume it is, and what it takes to make its claim again', async (t) => {
  const spec = {
    volumeMode: 'Block',
    storageClassName: 'fast',
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '10Gi' } },
  } as const;
  const pod = podOf([claimed('data'), empty('tmp')], { spec: { securityContext: { fsGroup: 2000 } } });
  const { taken } = chooseVolumes(pod, optionsOf('opt-out', { claims: [claimOf('data', { spec })] }));
  const [data, tmp] = taken.map((volume) => recordOfTaken('blue', pod, volume));
  t.match(data, {
    identity: { cluster: 'blue', namespace: 'shop', claim: { uid: 'uid-data', name: 'data' }, workload: 'Pod/db-0', volume: 'data' },
    manifest: { mode: 'Block', size: '10Gi', storageClass: 'fast', accessModes: ['ReadWriteOnce'], fsGroup: 2000, mounts: ['app:/data'] },
  });
  t.match(tmp, { identity: { claim: null, volume: 'tmp' }, manifest: { mode: 'Filesystem', mounts: ['app:/tmp'] } });
});
