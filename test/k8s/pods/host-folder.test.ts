/** Where volumes are on a node, in folders made as a kubelet makes them. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { listSnapshots } from '../../../engine/mod.ts';
import { chooseVolumes, locateVolume, type PersistentVolume, type PodVolume, recordOfTaken } from '../../../k8s/pods/mod.ts';
import { backUpVolume } from '../../../k8s/volumes/mod.ts';
import { contentsOf, makePlace } from '../../engine/backup/_fixture.ts';
import { claimOf, optionsOf, podOf } from './_objects.ts';

function nodeOf(t: Test) {
  const root = mkdtempSync(path.join(tmpdir(), 'lagan-node-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const pods = path.join(root, 'var/lib/kubelet/pods');
  const make = (...names: string[]) => {
    mkdirSync(path.join(pods, ...names), { recursive: true });
    return path.join(pods, ...names);
  };
  return { pods, root, make };
}

const data: PodVolume = { name: 'data', persistentVolumeClaim: { claimName: 'data' } };

function takenOf(volume: PodVolume, persistentVolume: PersistentVolume['spec'] = {}, mode: 'Filesystem' | 'Block' = 'Filesystem') {
  const persistentVolumes = [{ metadata: { name: 'pv-data' }, spec: persistentVolume }];
  const claims = [claimOf('data', { spec: { volumeMode: mode } })];
  const { taken } = chooseVolumes(podOf([volume]), optionsOf('opt-out', { claims, persistentVolumes, allowedHostPaths: ['/srv'] }));
  return taken[0]!;
}

t.test('locateVolume: of each kind, where the kubelet has it', async (t) => {
  const node = nodeOf(t);
  const { make } = node;
  const pod = podOf([data]);
  const placeOf = async (...taken: Parameters<typeof takenOf>) => (await locateVolume(node, pod, takenOf(...taken))).place;
  const emptyDir = make('pod-uid/volumes/kubernetes.io~empty-dir/tmp');
  t.same(await placeOf({ name: 'tmp', emptyDir: {} }), { kind: 'folder', path: emptyDir });
  const csi = make('pod-uid/volumes/kubernetes.io~csi/pv-data/mount');
  t.same(await placeOf(data, { csi: { driver: 'x' } }), { kind: 'folder', path: csi });
  rmSync(path.join(node.pods, 'pod-uid/volumes/kubernetes.io~csi'), { recursive: true });
  const local = make('pod-uid/volumes/kubernetes.io~local-volume/pv-data');
  t.same(await placeOf(data, { local: {} }), { kind: 'folder', path: local });
  const device = path.join(make('pod-uid/volumeDevices/kubernetes.io~csi'), 'pv-data');
  writeFileSync(device, '');
  t.same(await placeOf(data, { csi: { driver: 'x' } }, 'Block'), { kind: 'device', path: device });
});

t.test('locateVolume: none, several, and names that lead elsewhere', async (t) => {
  const node = nodeOf(t);
  const [pod, taken] = [podOf([data]), takenOf(data)];
  await t.rejects(locateVolume(node, pod, taken), { code: 'source-empty', found: 0, hint: /var\/lib\/kubelet\/pods/ });
  for (const plugin of ['kubernetes.io~nfs', 'kubernetes.io~local-volume']) node.make('pod-uid/volumes', plugin, 'pv-data');
  await t.rejects(locateVolume(node, pod, taken), { code: 'source-empty', found: 2 });
  for (const uid of ['..', '', 'a/b'])
    await t.rejects(locateVolume(node, podOf([data], { metadata: { uid } }), taken), { code: 'usage' }, uid);
});

t.test('locateVolume: a path of the node is opened through no symbolic link, and stays what it was', async (t) => {
  const node = nodeOf(t);
  const place = await makePlace(t);
  mkdirSync(path.join(node.root, 'srv/data'), { recursive: true });
  writeFileSync(path.join(node.root, 'srv/data/file'), 'mine');
  mkdirSync(path.join(node.root, 'secret'));
  writeFileSync(path.join(node.root, 'secret/file'), 'not mine');
  symlinkSync('/secret', path.join(node.root, 'srv/link'));
  symlinkSync('../secret', path.join(node.root, 'srv/up'));
  const host = (name: string) => takenOf({ name: 'host', hostPath: { path: `/srv/${name}` } });
  const pod = podOf([]);
  for (const name of ['link', 'up', 'none', 'data/file'])
    await t.rejects(locateVolume(node, pod, host(name)), { code: 'source-empty' }, name);
  await t.rejects(locateVolume({ ...node, root: null }, pod, host('data')), { code: 'unsupported' });
  const taken = host('data');
  const located = await locateVolume(node, pod, taken);
  renameSync(path.join(node.root, 'srv/data'), path.join(node.root, 'srv/moved'));
  symlinkSync('/secret', path.join(node.root, 'srv/data'));
  await backUpVolume(place.repository, { place: located.place, ...recordOfTaken('blue', pod, taken), workers: 1 });
  located.close();
  const [info] = await listSnapshots(place.repository);
  const contents = await contentsOf(place.repository, '/', info);
  t.same(
    [...contents].map(([name, bytes]) => `${name}: ${bytes}`),
    ['file: mine'],
  );
});
