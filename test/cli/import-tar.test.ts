import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { TarWriter } from '../../bin/shared/tar.ts';
import { readTar } from '../../bin/shared/tar-reader.ts';
import { openRoot } from '../../engine/system/mod.ts';
import { contentCases } from '../fidelity/cases/contents.ts';
import { compareCases } from '../fidelity/compare.ts';
import { cases, makeCases } from '../fidelity/make-cases.ts';
import { makeTestFolder, removeTestFolder } from '../fidelity/test-folder.ts';
import { run, scratchFolder } from './cli.ts';
import { fileEntry } from './fake-engine.ts';

/** Cases of many or large files: made if LAGAN_EVERY_CASE is set. */
const large = new Set([...contentCases.map(({ name }) => name), 'ten-thousand-files', 'thousand-levels', 'many-empty-folders']);

/** A home folder with the default repository. */
function home(t: Test) {
  const folder = scratchFolder(t);
  const lagan = (argv: string[], stdin?: Uint8Array) => run(argv, { env: { HOME: folder }, cwd: folder, ...(stdin && { stdin }) });
  return { folder, lagan };
}

t.test('export and import: of every nasty case the imported snapshot is equal, and restores as the original', async (t) => {
  const place = makeTestFolder();
  t.teardown(() => removeTestFolder(place));
  const [original, outside, target] = ['original', 'outside', 'target'].map((name) => join(place, name)) as [string, string, string];
  for (const folder of [original, outside]) mkdirSync(folder);
  const [root, other] = [openRoot(original), openRoot(outside)];
  const { made } = makeCases(root, other, process.env.LAGAN_EVERY_CASE ? cases : cases.filter(({ name }) => !large.has(name)));
  closeSync(other);
  const { lagan } = home(t);
  t.equal((await lagan(['backup', original, '--tag', 'a', '--description', 'all', '--host', 'elsewhere'])).exitCode, 0);
  t.match(await lagan(['export', 'latest', '-o', 'all.tar']), { exitCode: 0, stderr: '' });
  t.match(await lagan(['import', 'tar', 'all.tar', '--json', '--no-progress']), {
    exitCode: 0,
    json: [{ outcome: 'imported' }, { imported: 1 }],
  });
  t.match(await lagan(['diff', 'latest~1', 'latest']), { exitCode: 0, stdout: '' });
  const [{ snapshots }] = (await lagan(['snapshots', '--json'])).json as [{ snapshots: Record<string, unknown>[] }];
  const kept = ({ time, ended, host, user, paths, tags, description }: Record<string, unknown>) => ({
    time,
    ended,
    host,
    user,
    paths,
    tags,
    description,
  });
  t.same(kept(snapshots[1]!), kept(snapshots[0]!));
  t.match(await lagan(['import', 'tar', 'all.tar', '--json', '--no-progress']), {
    json: [{ outcome: 'present' }, { imported: 0, present: 1 }],
  });
  t.match(await lagan(['restore', `latest:${original}`, '--target', target]), { exitCode: 0 });
  const restored = openRoot(target);
  t.same(
    compareCases(made, root, restored).filter(({ differences }) => differences.length > 0),
    [],
  );
  for (const descriptor of [root, restored]) closeSync(descriptor);
});

t.test('export: GNU tar extracts it, holes included', async (t) => {
  const { folder, lagan } = home(t);
  mkdirSync(join(folder, 'data'));
  const file = openSync(join(folder, 'data/holes'), 'w');
  writeSync(file, 'begin', 0);
  writeSync(file, 'end', 10_000_000);
  closeSync(file);
  await lagan(['backup', 'data']);
  await lagan(['export', 'latest', '-o', 'x.tar']);
  t.match(spawnSync('tar', ['-xf', 'x.tar', '-C', folder, '--transform=s,.*/,out/,'], { cwd: folder, encoding: 'utf8' }), {
    status: 0,
    stderr: '',
  });
  t.equal(spawnSync('cmp', ['out/holes', 'data/holes'], { cwd: folder }).status, 0);
});

t.test('import tar: what GNU tar has written in each of its formats, sparse files included', async (t) => {
  const { folder, lagan } = home(t);
  const data = join(folder, 'data', 'n'.repeat(50));
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, 'a'), 'hello');
  const file = openSync(join(data, 'holes'), 'w');
  for (let index = 0; index < 40; index++) writeSync(file, `part ${index}`, index * 200_000);
  closeSync(file);
  spawnSync('ln', [join(data, 'a'), join(data, 'hard')]);
  writeFileSync(join(data, 'l'.repeat(90)), 'a path of more than 100 bytes');
  await lagan(['backup', 'data']);
  const [latest] = (await lagan(['snapshots', '--json'])).json as [{ snapshots: { id: string }[] }];
  for (const format of [['gnu'], ['ustar'], ['posix', '0.0'], ['posix', '0.1'], ['posix', '1.0']] as const) {
    const sparse = format[0] === 'ustar' ? [] : ['--sparse', ...(format[1] ? [`--sparse-version=${format[1]}`] : [])];
    const { stdout, status } = spawnSync('tar', ['-c', '-P', `--format=${format[0]}`, ...sparse, join(folder, 'data')], {
      maxBuffer: 2 ** 28,
    });
    t.equal(status, 0);
    const { exitCode, stderr } = await lagan(['import', 'tar', '-'], stdout);
    t.equal(exitCode, 0, stderr);
    const paths = ['latest', join(data, 'holes')];
    t.ok((await lagan(['cat', ...paths])).bytes.equals(readFileSync(join(data, 'holes'))));
    // Zeros instead of holes are cut otherwise.
    if (format[0] === 'ustar') continue;
    const difference = await lagan(['diff', latest.snapshots[0]!.id, 'latest', join(folder, 'data'), '--no-metadata']);
    t.match(difference, { exitCode: 0, stdout: '' }, format.join(' '));
  }
});

t.test('import tar: a foreign archive gets what the options say', async (t) => {
  const { folder, lagan } = home(t);
  writeFileSync(join(folder, 'a'), 'hello');
  await lagan(['backup', 'a']);
  const { stdout } = spawnSync('tar', ['-c', 'a'], { cwd: folder });
  const options = ['--host', 'old', '--time', '2019-05-01T00:00:00Z', '--tag', 't', '--description', 'd', '--as-path', '/srv/old'];
  t.match(await lagan(['import', 'tar', '-', ...options], stdout), { exitCode: 0 });
  t.match((await lagan(['snapshots', '--host', 'old', '--json'])).json, [
    { snapshots: [{ time: /^2019-05-01T00:00:00/, tags: ['t'], description: 'd', paths: [{ path: '/srv/old' }] }] },
  ]);
  t.equal((await lagan(['cat', 'latest', '/srv/old/a', '--host', 'old'])).stdout, 'hello');
});

t.test('import tar: no archive, a compressed one, a damaged one, one that ends early, an empty one, and paths that lead out', async (t) => {
  const { folder, lagan } = home(t);
  writeFileSync(join(folder, 'a'), 'hello');
  await lagan(['backup', 'a']);
  const { stdout: whole } = spawnSync('tar', ['-c', 'a'], { cwd: folder });
  const fails = async (bytes: Uint8Array, code: string) =>
    t.match(await lagan(['--json', 'import', 'tar', '-'], bytes), { error: { code }, stdout: '' });
  await fails(Buffer.alloc(1024, 'x'), 'malformed');
  await fails(gzipSync(whole), 'malformed');
  t.match((await lagan(['import', 'tar', '-'], gzipSync(whole))).stderr, /gzip -dc/);
  const damaged = Buffer.from(whole);
  damaged[3]! ^= 1;
  await fails(damaged, 'malformed');
  for (const length of [1, 511, 513, 515]) await fails(whole.subarray(0, length), 'malformed');
  await fails(Buffer.alloc(1024), 'source-empty');
  await fails(Buffer.alloc(0), 'source-empty');
  const pieces: Uint8Array[] = [];
  const writer = new TarWriter(async (bytes) => void pieces.push(Uint8Array.from(bytes)));
  for (const path of ['../../etc/evil', 'good', 'good/below']) await writer.add({ path: Buffer.from(path), entry: fileEntry('x', 0) });
  await writer.end();
  t.match(await lagan(['import', 'tar', '-'], Buffer.concat(pieces)), { exitCode: 3 });
  t.equal((await lagan(['ls', 'latest', '/', '-R'])).stdout, '/good\n');
});

t.test('readTar: bytes in pieces of any length, content read or not', async (t) => {
  const pieces: Uint8Array[] = [];
  const writer = new TarWriter(async (bytes) => void pieces.push(Uint8Array.from(bytes)));
  for (const size of [0, 1, 511, 512, 513])
    await writer.add({ path: Buffer.from(`f${size}`), entry: fileEntry('f', size), content: [Buffer.alloc(size, 'z')] as never });
  await writer.end();
  const bytes = Buffer.concat(pieces);
  for (const length of [1, 7, 512, 100_000]) {
    const sizes: number[] = [];
    let index = 0;
    const cut = async function* () {
      for (let offset = 0; offset < bytes.length; offset += length) yield bytes.subarray(offset, offset + length);
    };
    for await (const { what } of readTar(cut(), { onWarning: () => t.fail('a warning') })) {
      if (!('fields' in what) || index++ % 2 === 1) continue;
      let size = 0;
      for await (const piece of what.content!) size += piece instanceof Uint8Array ? piece.length : piece.hole;
      sizes.push(size);
    }
    t.same(sizes, [0, 511, 513]);
  }
});
