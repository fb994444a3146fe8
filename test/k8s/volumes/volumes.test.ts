/** One volume into a snapshot and back, and how it is known again. */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { type BackupResult, listSnapshots } from '../../../engine/mod.ts';
import {
  backUpVolume,
  isFilled,
  readMark,
  recordOf,
  restoreEmptyVolume,
  restoreVolume,
  retainVolume,
  snapshotsOf,
  type VolumeIdentity,
  type VolumeManifest,
} from '../../../k8s/volumes/mod.ts';
import { makePlace, type Place, write } from '../../engine/backup/_fixture.ts';
import { randomBytesOf } from '../../engine/random.ts';

const identity: VolumeIdentity = {
  cluster: 'blue',
  namespace: 'shop',
  claim: { uid: 'c0ffee', name: 'data-db-0' },
  workload: 'StatefulSet/db',
  volume: 'data',
};
const manifest: VolumeManifest = { mode: 'Filesystem', size: '1Gi', storageClass: 'fast', accessModes: ['ReadWriteOnce'], fsGroup: 2000 };

const backUp = ({ repository }: Place, folder: string, changed: Partial<VolumeIdentity> = {}): Promise<BackupResult> =>
  backUpVolume(repository, { place: { kind: 'folder', path: folder }, identity: { ...identity, ...changed }, manifest, workers: 1 });

t.test(
  'backUpVolume, restoreVolume: content, and what the folder itself was like; the snapshot says which volume it is, not where it was',
  async (t) => {
    const place = await makePlace(t);
    write(place.source, 'folder/file', 'content');
    chmodSync(place.source, 0o2770);
    await backUp(place, place.source);
    const [info] = await listSnapshots(place.repository);
    t.same(recordOf(info!.snapshot), { identity, manifest });
    t.notMatch(JSON.stringify(info!.snapshot), place.folder);
    const target = path.join(place.folder, 'mount');
    mkdirSync(target);
    const { errors, files } = await restoreVolume(place.repository, info!, { place: { kind: 'folder', path: target }, workers: 1 });
    t.same({ errors, files }, { errors: [], files: 1 });
    t.equal(readFileSync(path.join(target, 'folder/file'), 'utf8'), 'content');
    t.equal(statSync(target).mode & 0o7777, 0o2770);
  },
);

t.test('backUpVolume: an empty volume has a snapshot, too; one that is not mounted is told of', async (t) => {
  const place = await makePlace(t);
  t.ok((await backUp(place, place.source)).snapshotId);
  const gone = path.join(place.folder, 'gone');
  await t.rejects(backUp(place, gone), { code: 'source-empty', object: gone });
  const device = { place: { kind: 'device', path: gone }, identity, manifest: { mode: 'Block' } } as const;
  await t.rejects(backUpVolume(place.repository, device), { code: 'source-empty', object: gone });
});

t.test('backUpVolume: a volume is known again by its claim, by the name of its claim, and by its workload, wherever it is', async (t) => {
  const place = await makePlace(t);
  for (let file = 0; file < 4; file++) write(place.source, `file-${file}`, randomBytesOf(`file ${file}`, 1000));
  const first = await backUp(place, place.source);
  const moved = path.join(place.folder, 'another-pod');
  renameSync(place.source, moved);
  const cases: [string, Partial<VolumeIdentity>, boolean][] = [
    ['the claim, by its UID', { workload: 'ReplicaSet/other', volume: 'other', claim: { uid: 'c0ffee', name: 'renamed' } }, true],
    ['a claim of its name', { claim: { uid: 'made-anew', name: 'data-db-0' }, workload: null, volume: null }, true],
    ['the workload, of a volume without a claim', { claim: null }, true],
    ['another cluster that was made of this one', { cluster: 'green', claim: { uid: 'made-anew', name: 'data-db-0' } }, true],
    ['another namespace', { namespace: 'bank' }, false],
    ['another volume', { claim: null, volume: 'logs' }, false],
    ['another workload', { claim: null, workload: 'StatefulSet/cache' }, false],
  ];
  for (const [title, changed, isKnown] of cases) {
    const { parent, statistics } = await backUpVolume(place.repository, {
      place: { kind: 'folder', path: moved },
      identity: { ...identity, ...changed },
      manifest,
      workers: 1,
    });
    t.equal(parent !== null, isKnown, title);
    t.equal(statistics.unchangedFiles, isKnown ? 4 : 0, `${title}: files that are not read again`);
    t.equal(statistics.newBytes, 0, `${title}: nothing is stored twice`);
  }
  const snapshots = await listSnapshots(place.repository);
  t.ok(snapshotsOf(identity, manifest, snapshots).some(({ id }) => id === first.snapshotId));
  t.notOk(snapshotsOf({ ...identity, namespace: 'elsewhere' }, manifest, snapshots).length);
});

t.test(
  'backUpVolume, restoreVolume: a device, whose holes cost nothing, over what was there; not onto a smaller one, nor into a folder',
  async (t) => {
    const place = await makePlace(t);
    const device = path.join(place.folder, 'device');
    const size = 24 * 1024 * 1024;
    writeFileSync(device, randomBytesOf('device', 3_000_000));
    truncateSync(device, size);
    const block = { identity, manifest: { mode: 'Block' } } as const;
    const { statistics } = await backUpVolume(place.repository, { ...block, place: { kind: 'device', path: device } });
    t.ok(statistics.storedBytes < 3_500_000, `${statistics.storedBytes} bytes`);
    const [info] = await listSnapshots(place.repository);
    const target = path.join(place.folder, 'target');
    writeFileSync(target, new Uint8Array(size + 100).fill(7));
    const told: number[] = [];
    const onProgress = ({ bytesDone }: { bytesDone: number }) => told.push(bytesDone);
    await restoreVolume(place.repository, info!, { place: { kind: 'device', path: target }, onProgress });
    t.ok(readFileSync(target).subarray(0, size).equals(readFileSync(device)));
    t.equal(statSync(target).size, size + 100, 'what the snapshot says nothing of stays');
    t.same(
      told,
      told.toSorted((a, b) => a - b),
    );
    t.equal(told.at(-1), size);
    truncateSync(target, size - 1);
    const before = readFileSync(target);
    await t.rejects(restoreVolume(place.repository, info!, { place: { kind: 'device', path: target } }), {
      code: 'no-space',
      object: target,
    });
    t.ok(readFileSync(target).equals(before), 'nothing was written');
    const folder = { kind: 'folder', path: path.join(place.folder, 'mount') } as const;
    await t.rejects(restoreVolume(place.repository, info!, { place: folder }), { code: 'usage', expected: 'device' });
    t.notOk(existsSync(folder.path));
    rmSync(target);
  },
);

t.test('backUpVolume: a device that was backed up before is found as the parent', async (t) => {
  const place = await makePlace(t);
  const device = path.join(place.folder, 'device');
  writeFileSync(device, randomBytesOf('device', 2_000_000));
  const block = { identity, manifest: { mode: 'Block' }, place: { kind: 'device', path: device } } as const;
  const first = await backUpVolume(place.repository, block);
  const second = await backUpVolume(place.repository, block);
  t.match(second, { parent: first.snapshotId, statistics: { newBytes: 0 } });
});

t.test(
  'restoreEmptyVolume: cut off, a device is marked in its first block: it is neither backed up nor whole; then all of it is there',
  async (t) => {
    const place = await makePlace(t);
    const device = path.join(place.folder, 'device');
    const content = Buffer.concat([new Uint8Array(2_000_000), randomBytesOf('device', 8_000_000)]);
    writeFileSync(device, content);
    const block = { identity, manifest: { mode: 'Block' } } as const;
    await backUpVolume(place.repository, { ...block, place: { kind: 'device', path: device } });
    const [info] = await listSnapshots(place.repository);
    const target = { kind: 'device', path: path.join(place.folder, 'target') } as const;
    writeFileSync(target.path, new Uint8Array(10_000_000));
    const times = { beatMs: 20, staleMs: 100, settleMs: 1 };
    const controller = new AbortController();
    const onProgress = ({ bytesDone }: { bytesDone: number }) => bytesDone > 5_000_000 && controller.abort();
    await t.rejects(restoreEmptyVolume(place.repository, info!, { place: target, onProgress, signal: controller.signal, times }));
    t.match(await readMark(target), { snapshot: info!.id });
    await t.rejects(backUpVolume(place.repository, { ...block, place: target }), { code: 'half-restored', object: target.path });
    t.match(await restoreEmptyVolume(place.repository, info!, { place: target, verify: true, times }), { bytes: 10_000_000 });
    t.ok(readFileSync(target.path).equals(content));
    t.equal(await readMark(target), null);
    t.ok(await isFilled(target), 'data behind zeros is data');
    t.equal(await restoreEmptyVolume(place.repository, info!, { place: target, times }), undefined);
  },
);

t.test('restoreVolume: what the system refuses names the volume', async (t) => {
  const place = await makePlace(t);
  write(place.source, 'file', 'content');
  await backUp(place, place.source);
  const [info] = await listSnapshots(place.repository);
  const gone = { kind: 'folder', path: path.join(place.folder, 'gone') } as const;
  await t.rejects(restoreEmptyVolume(place.repository, info!, { place: gone }), { code: 'io', object: gone.path, errno: 'ENOENT' });
});

t.test('retainVolume: removes what the policy does not keep, of this volume only', async (t) => {
  const place = await makePlace(t);
  write(place.source, 'file', 'content');
  const ids: string[] = [];
  for (let count = 0; count < 3; count++) ids.push((await backUp(place, place.source)).snapshotId!);
  const others = [
    await backUp(place, place.source, { claim: null, workload: 'StatefulSet/other' }),
    await backUp(place, place.source, { cluster: 'green' }),
  ];
  const now = { seconds: Math.floor(Date.now() / 1000) + 10, nanoseconds: 0 };
  const removed = await retainVolume(place.repository, { identity, manifest }, { policy: { last: 1 }, now, onDamage: () => undefined });
  t.same(removed.toSorted(), ids.slice(0, 2).toSorted());
  const left = (await listSnapshots(place.repository)).filter(({ deleted }) => !deleted).map(({ id }) => id);
  t.same(left.toSorted(), [ids[2], ...others.map(({ snapshotId }) => snapshotId)].toSorted());
});
