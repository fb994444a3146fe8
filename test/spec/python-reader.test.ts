/**
 * A repository of our engine, read by a reader in Python that was written from the specification alone.
 * Needs python3 (or what LAGAN_TEST_PYTHON names) with cryptography, cbor2, zstandard, lz4 and blake3.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { backup, createRepository, keyFileText, openStorage, retireEpochs, rotateMasterKey } from '../../engine/mod.ts';
import { LocalFolder } from '../../engine/storage/mod.ts';
import { noise } from './_noise.ts';
import { StoredRepository } from './_stored-repository.ts';

const python = process.env.LAGAN_TEST_PYTHON ?? 'python3';
const reader = fileURLToPath(new URL('reader.py', import.meta.url));
const probe = spawnSync(python, [
  '-c',
  'import blake3, cbor2, lz4.block, zstandard; from cryptography.hazmat.primitives.kdf.argon2 import Argon2id',
]);
const skip = probe.status === 0 ? false : `${python} is missing or lacks packages: ${probe.stderr ?? probe.error}`;
if (skip) console.error(`SKIPPED: ${skip}`);

const folder = mkdtempSync(join(tmpdir(), 'lagan-python-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const paths = {
  source: join(folder, 'source'),
  repository: join(folder, 'repository'),
  keyFile: join(folder, 'key'),
  passwordFile: join(folder, 'password'),
};

t.test('the Python reader restores what the engine stored', { skip }, async (t) => {
  makeSource(paths.source);
  await makeRepository();
  const keyFile = ['--key-file', paths.keyFile];
  const password = ['--password-file', paths.passwordFile];

  const listed = run(t, [...keyFile, 'list'])
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.equal(listed.length, 4, 'all snapshots are listed');
  t.same(
    run(t, [...password, 'list'])
      .trim()
      .split('\n').length,
    4,
    'a password opens it, too',
  );

  for (const { id, tags } of listed) {
    const target = join(folder, `target-${tags[0]}`);
    run(t, [...keyFile, 'extract', id, target]);
    const text = readFileSync(join(target, paths.source, `text-${tags[0]}`), 'utf8');
    t.equal(text, textFor(tags[0]), `${tags[0]}: the new file`);
  }
  compareFolders(t, paths.source, join(folder, `target-${listed.at(-1).tags[0]}`, paths.source), 'the last snapshot');
  const tree = run(t, [...keyFile, 'tree', 'latest']);
  const stored = await StoredRepository.open(new LocalFolder(paths.repository), new Uint8Array(32).fill(7));
  const codecs = new Set((await stored.packs()).flatMap(({ blocks }) => blocks.map(({ codec }) => codec)));
  t.same([...codecs].sort(), ['lz4', 'raw', 'zstd'], 'all codecs were used');
  t.match(tree, /^file 0640 5 -?\d+\.\d{9} .*\/source\/hello$/m, 'the tree is shown');
});

t.test('the Python reader restores after a rotation, when the old keys were retired', { skip }, async (t) => {
  const place = join(folder, 'rotated');
  const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(7) } as const;
  const storage = await openStorage(place);
  const repository = await createRepository(storage, { slots: [{ secret, label: 'key file' }] });
  await backup(repository, { paths: [paths.source], tags: ['before'] });
  const { repository: rotated } = await rotateMasterKey(repository);
  await backup(rotated, { paths: [paths.source], tags: ['after'], force: true });
  t.same((await retireEpochs(rotated)).epochs, [1]);
  await storage.close();
  const options = [reader, place, '--key-file', paths.keyFile, 'extract', 'latest', join(folder, 'target-rotated')];
  const result = spawnSync(python, options, { encoding: 'utf8' });
  t.equal(result.status, 0, result.stderr);
  compareFolders(t, paths.source, join(folder, 'target-rotated', paths.source), 'after the rotation');
});

t.test('the Python reader refuses what was changed', { skip }, async (t) => {
  for (const pack of packFiles()) {
    const bytes = readFileSync(pack);
    chmodSync(pack, 0o600);
    bytes[100]! ^= 1;
    writeFileSync(pack, bytes);
  }
  const result = spawnSync(python, [reader, paths.repository, '--key-file', paths.keyFile, 'extract', 'latest', join(folder, 'damaged')], {
    encoding: 'utf8',
  });
  t.not(result.status, 0);
  t.match(result.stderr, /Damaged/);
});

function makeSource(source: string): void {
  mkdirSync(join(source, 'folder', 'empty'), { recursive: true });
  writeFileSync(join(source, 'hello'), 'hello', { mode: 0o640 });
  writeFileSync(join(source, 'nothing'), '');
  writeFileSync(join(source, 'big'), noise(9_000_000, 'big'));
  writeFileSync(join(source, 'compressible'), 'All work and no play. '.repeat(100_000));
  writeFileSync(join(source, 'sparse'), 'x');
  truncateSync(join(source, 'sparse'), 5_000_000);
  for (let index = 0; index < 300; index++) writeFileSync(join(source, 'folder', `file-${index}`), noise(index * 7, `${index}`));
  symlinkSync('../hello', join(source, 'folder', 'link'));
  linkSync(join(source, 'hello'), join(source, 'folder', 'hard-link'));
  writeFileSync(Buffer.concat([Buffer.from(`${source}/not-utf-8-`), Buffer.from([0xff, 0x0a, 0xfe])]), 'raw');
  utimesSync(join(source, 'hello'), 0, -1000);
}

async function makeRepository(): Promise<void> {
  const secret = new Uint8Array(32).fill(7);
  writeFileSync(paths.keyFile, keyFileText({ kind: 'key-file', secret }));
  writeFileSync(paths.passwordFile, 'caf\u00e9\n');
  const slots = [
    { secret: { kind: 'key-file', secret }, label: 'key file' },
    { secret: { kind: 'password', password: 'cafe\u0301', cost: { memoryKiB: 1024, passes: 1, lanes: 1 } }, label: 'password' },
  ] as const;
  const storage = await openStorage(paths.repository);
  const repository = await createRepository(storage, { slots });
  for (const compression of ['auto', 'none', 'lz4', 'zstd:9'] as const) {
    const tag = compression.replace(':', '-');
    writeFileSync(join(paths.source, `text-${tag}`), textFor(tag));
    await backup(repository, { paths: [paths.source], tags: [tag], compression });
  }
  await storage.close();
}

/** Compresses well, and differs from tag to tag all over. */
function textFor(tag: string): string {
  return Array.from({ length: 20_000 }, (_, index) => `${tag} ${index * 7919}\n`).join('');
}

function run(t: Test, options: string[]): string {
  const result = spawnSync(python, [reader, paths.repository, ...options], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  t.equal(result.status, 0, `${options[2]}: ${result.stderr}`);
  return result.stdout;
}

function compareFolders(t: Test, source: string, target: string, name: string): void {
  const result = spawnSync('diff', ['-r', '--no-dereference', source, target], { encoding: 'utf8' });
  t.equal(result.status, 0, `${name}: ${result.stdout}${result.stderr}`);
  const describe = (folder: string) =>
    spawnSync('find', [folder, '-printf', '%P %y %m %s %T@ %l %n\\0'], { encoding: 'latin1' }).stdout.split('\0').sort();
  t.same(describe(target), describe(source), `${name}: types, modes, sizes, times, links`);
}

function packFiles(): string[] {
  const packs = join(paths.repository, 'writer', 'packs');
  return readdirSync(packs, { recursive: true, encoding: 'utf8' })
    .map((name) => join(packs, name))
    .filter((name) => /[0-9a-f]{32}$/.test(name));
}
