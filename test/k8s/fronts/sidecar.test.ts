/** Volumes mounted into a container: which they are, and what is restored into those that are empty. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import {
  type MountedVolume,
  mountedVolume,
  newestSnapshotOf,
  recordOfMounted,
  restoreIfEmpty,
  type SidecarPod,
} from '../../../k8s/fronts/mod.ts';
import { backUpVolume, type ClaimTimes, readMark } from '../../../k8s/volumes/mod.ts';
import { makePlace, over, type Place, packsOf, write } from '../../engine/backup/_fixture.ts';
import { randomBytesOf } from '../../engine/random.ts';
import { FaultyStorage } from '../../engine/storage/faulty-storage.ts';

const pod: SidecarPod = { cluster: 'blue', namespace: 'shop', workload: 'StatefulSet/db' };
const times: ClaimTimes = { beatMs: 20, staleMs: 200, settleMs: 10 };
const quietly = { onDamage: () => undefined };
const one = { workers: 1, times, ...quietly } as const;

async function backUp({ repository }: Place, folder: string, claim: string | null = null): Promise<MountedVolume> {
  const volume = await mountedVolume('data', folder, claim);
  await backUpVolume(repository, { ...recordOfMounted(pod, volume), workers: 1, place: volume.place });
  return volume;
}

function emptyVolume(place: Place, name = 'empty'): Promise<MountedVolume> {
  mkdirSync(path.join(place.folder, name));
  return mountedVolume('data', path.join(place.folder, name), null);
}

t.test('mountedVolume: a folder, a block device, and neither', async (t) => {
  const place = await makePlace(t);
  t.match(await mountedVolume('data', place.source, 'claim'), { place: { kind: 'folder' }, claim: 'claim' });
  await t.rejects(mountedVolume('data', path.join(place.folder, 'none'), null), { code: 'source-empty', hint: /volumeMount/ });
  await t.rejects(mountedVolume('data', write(place.source, 'file', ''), null), { code: 'unsupported' });
});

t.test(
  'restoreIfEmpty: an empty volume gets the newest; one with data stays as it is; one that was never backed up stays empty',
  async (t) => {
    const place = await makePlace(t);
    const target = await emptyVolume(place);
    mkdirSync(path.join(target.place.path, 'lost+found'));
    t.same(await restoreIfEmpty(place.repository, pod, target, one), { outcome: 'no-snapshot' });
    const file = write(place.source, 'folder/file', 'old');
    await backUp(place, place.source);
    writeFileSync(file, 'newer');
    await backUp(place, place.source);
    t.match(await restoreIfEmpty(place.repository, pod, target, one), { outcome: 'restored', result: { files: 1, errors: [] } });
    t.equal(readFileSync(path.join(target.place.path, 'folder/file'), 'utf8'), 'newer');
    t.equal(statSync(target.place.path).mtimeMs, statSync(place.source).mtimeMs);
    writeFileSync(path.join(target.place.path, 'folder/file'), 'the application was here');
    t.same(await restoreIfEmpty(place.repository, pod, target, one), { outcome: 'filled' });
    t.equal(readFileSync(path.join(target.place.path, 'folder/file'), 'utf8'), 'the application was here');
  },
);

t.test('newestSnapshotOf: by claim, else by workload, as of a time; never those of others', async (t) => {
  const place = await makePlace(t);
  write(place.source, 'file', 'content');
  const beforeMs = Date.now() - 5000;
  const [first, second] = [await backUp(place, place.source, 'data-db-0'), await backUp(place, place.source, 'data-db-1')];
  const newest = (volume: MountedVolume, options?: { beforeMs: number }, of: SidecarPod = pod) =>
    newestSnapshotOf(place.repository, recordOfMounted(of, volume), { ...quietly, ...options });
  const [ofFirst, ofSecond] = [await newest(first), await newest(second)];
  t.not(ofFirst!.id, ofSecond!.id, 'claims of one workload are told apart');
  t.equal(await newest({ ...first, claim: null }), undefined, 'whoever does not say which claim it is gets none of them');
  t.equal(await newest(first, { beforeMs }), undefined);
  t.equal(await newest(first, undefined, { ...pod, namespace: 'bank' }), undefined);
  t.equal(await newest(first, undefined, { ...pod, cluster: 'green' }), undefined);
});

t.test('restoreIfEmpty: a restore that was cut off is no data: it goes on, and until then nothing of it is backed up', async (t) => {
  const place = await makePlace(t);
  for (let file = 0; file < 30; file++) write(place.source, `file-${file}`, randomBytesOf(`${file}`, 300_000));
  const source = await backUp(place, place.source);
  const target = await emptyVolume(place);
  const controller = new AbortController();
  const storage = new FaultyStorage(place.repository.storage);
  storage.plan = { onCall: (_, object) => void (/writer\/packs/.test(object) && controller.abort()) };
  const cut = restoreIfEmpty(over(place, storage).repository, pod, target, { ...one, signal: controller.signal });
  await t.rejects(cut, { code: 'interrupted' });
  const { id } = (await newestSnapshotOf(place.repository, recordOfMounted(pod, source), quietly))!;
  t.match(await readMark(target.place), { snapshot: id });
  await t.rejects(backUp(place, target.place.path), { code: 'half-restored', object: target.place.path });
  t.match(await restoreIfEmpty(place.repository, pod, target, one), { outcome: 'restored', result: { errors: [] } });
  t.equal(await readMark(target.place), null);
  for (let file = 0; file < 30; file++)
    t.ok(readFileSync(path.join(target.place.path, `file-${file}`)).equals(readFileSync(path.join(place.source, `file-${file}`))));
});

t.test('restoreIfEmpty: what another snapshot has left of itself goes away', async (t) => {
  const place = await makePlace(t);
  write(place.source, 'file', 'content');
  await backUp(place, place.source);
  const target = await emptyVolume(place);
  write(target.place.path, '.lagan-restoring', 'what nobody understands');
  write(target.place.path, 'folder/of-another', 'other');
  mkdirSync(path.join(target.place.path, 'lost+found'));
  t.match(await restoreIfEmpty(place.repository, pod, target, one), { outcome: 'restored' });
  t.notOk(existsSync(path.join(target.place.path, 'folder')));
  t.ok(existsSync(path.join(target.place.path, 'lost+found')), 'is of the file system');
});

t.test('restoreIfEmpty: a part of something, and no snapshot to go on with, is an error', async (t) => {
  const place = await makePlace(t);
  const target = await emptyVolume(place);
  write(target.place.path, '.lagan-restoring', 'x');
  await t.rejects(restoreIfEmpty(place.repository, pod, target, one), { code: 'half-restored', hint: /remove \.lagan-restoring/ });
});

t.test('restoreIfEmpty: what is damaged in the snapshot leaves the volume marked, unless it is given up', async (t) => {
  const place = await makePlace(t);
  for (let file = 0; file < 3; file++) write(place.source, `file-${file}`, randomBytesOf(`${file}`, 200_000));
  await backUp(place, place.source);
  const target = await emptyVolume(place);
  for (const name of packsOf(place)) {
    const file = path.join(place.repositoryFolder, 'writer', name);
    const bytes = readFileSync(file);
    if (bytes.length < 100_000) continue;
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(file, bytes);
  }
  const broken = await restoreIfEmpty(place.repository, pod, target, one);
  t.ok(broken.outcome === 'restored' && broken.result.errorCount > 0);
  t.not(await readMark(target.place), null);
  await t.rejects(backUp(place, target.place.path), { code: 'half-restored' });
  t.match(await restoreIfEmpty(place.repository, pod, target, { ...one, acceptErrors: true }), { outcome: 'restored' });
  t.equal(await readMark(target.place), null);
});

t.test('restoreIfEmpty: of two pods that share a volume one waits for the other, and then leaves it alone', async (t) => {
  const place = await makePlace(t);
  for (let file = 0; file < 40; file++) write(place.source, `file-${file}`, randomBytesOf(`${file}`, 50_000));
  await backUp(place, place.source);
  const target = await emptyVolume(place);
  const waits: string[] = [];
  const restore = (owner: string) => restoreIfEmpty(place.repository, pod, target, { ...one, owner, onWait: (other) => waits.push(other) });
  const outcomes = (await Promise.all([restore('pod-a'), restore('pod-b')])).map(({ outcome }) => outcome);
  t.same(outcomes.toSorted(), ['filled', 'restored']);
  t.equal(waits.length > 0, true);
});

t.test('restoreIfEmpty: who says nothing any more has died, and is taken over from; who is at it is not', async (t) => {
  const place = await makePlace(t);
  write(place.source, 'file', 'content');
  const source = await backUp(place, place.source);
  const { id } = (await newestSnapshotOf(place.repository, recordOfMounted(pod, source), quietly))!;
  const target = await emptyVolume(place);
  const mark = (beat: number) =>
    writeFileSync(
      path.join(target.place.path, '.lagan-restoring'),
      `LAGAN RESTORING\n${JSON.stringify({ snapshot: id, owner: 'dead', beat })}\n`,
    );
  mark(1);
  let beat = 1;
  const beating = setInterval(() => mark(++beat), 20);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 600);
  await t.rejects(restoreIfEmpty(place.repository, pod, target, { ...one, owner: 'living', signal: controller.signal }));
  clearInterval(beating);
  t.match(await readMark(target.place), { owner: 'dead' });
  t.match(await restoreIfEmpty(place.repository, pod, target, { ...one, owner: 'living' }), { outcome: 'restored' });
});

t.test('restoreIfEmpty: whatever somebody puts in the place of the mark is neither followed nor waited for', async (t) => {
  const place = await makePlace(t);
  write(place.source, 'file', 'content');
  await backUp(place, place.source);
  const secret = write(place.folder, 'secret', 'not theirs');
  const makers: [string, (file: string) => void][] = [
    ['a link', (file) => symlinkSync(secret, file)],
    ['a fifo', (file) => spawnSync('mkfifo', [file])],
    ['a folder', (file) => mkdirSync(file)],
  ];
  for (const [name, make] of makers) {
    const target = await emptyVolume(place, name);
    make(path.join(target.place.path, '.lagan-restoring'));
    t.match(await readMark(target.place), { snapshot: '', owner: '' }, name);
    await t.rejects(backUp(place, target.place.path), { code: 'half-restored' }, name);
  }
  t.equal(readFileSync(secret, 'utf8'), 'not theirs');
});
