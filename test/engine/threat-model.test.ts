/** What docs/threat-model.md says can be seen and done by those who are not trusted; each test is named there. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { backupWithin } from '../../engine/backup/backup.ts';
import { newIdentity, newKeyFileSecret } from '../../engine/keys/mod.ts';
import { openFile, walkSnapshot } from '../../engine/look/mod.ts';
import { PackReader } from '../../engine/packs/mod.ts';
import { addKey, createRepository, listSnapshots, openRepository, type Repository } from '../../engine/repository/mod.ts';
import { InMemory, type Storage } from '../../engine/storage/mod.ts';
import { decodeCbor, idFromBytes, isCollectorPack, type PackId, parseObjectName } from '../../repo-format/mod.ts';
import { randomBytesOf } from './random.ts';
import { namesIn } from './repository/sample.ts';

const projectFolder = fileURLToPath(new URL('../..', import.meta.url));
const secret = newKeyFileSecret();
const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

function newSource(t: Test, files: Record<string, Uint8Array | string>): string {
  const folder = mkdtempSync(path.join(base, 'lagan-threats-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), bytes);
  }
  return folder;
}

const newRepository = (): Promise<Repository> => createRepository(new InMemory(), { slots: [{ secret, label: 'owner' }], patienceMs: 0 });

function backUp(repository: Repository, source: string) {
  return backupWithin(
    repository,
    { paths: [source], workers: 1, host: 'host-of-tenant', tags: ['tag-of-tenant'], compression: 'none' },
    {},
  );
}

/** The packs of contents, with what is clear of them: the sealed lengths of their blocks. */
async function packsOf({
  storage,
  keys,
}: Repository): Promise<{ id: PackId; sizeBytes: number; names: string[]; chunkLengths: number[]; sealedLengths: number[] }[]> {
  const reader = new PackReader({ storage, keys, contentsLimit: 8 });
  const packs = [];
  for await (const { name, sizeBytes } of storage.list('writer/packs/')) {
    const parsed = parseObjectName(name);
    if (parsed?.type !== 'pack' || (await storage.get(name))[6] !== 1) continue;
    const { blocks } = await reader.open(parsed.id, 'pack');
    packs.push({
      id: parsed.id,
      sizeBytes,
      names: blocks.flatMap(({ names }) =>
        Array.from({ length: names.length / 32 }, (_, index) => Buffer.from(names.subarray(index * 32, index * 32 + 32)).toString('hex')),
      ),
      chunkLengths: blocks.flatMap(({ chunkLengths }) => [...chunkLengths]),
      sealedLengths: blocks.map(({ sealedLength }) => sealedLength),
    });
  }
  return packs;
}

t.test('nothing of contents, names, host, tags or paths is in the store in clear', async (t) => {
  const source = newSource(t, {
    'name-of-folder/name-of-file': 'content of a file that is longer than a word',
    'other-name': randomBytesOf('r', 5000),
  });
  const repository = await newRepository();
  await backUp(repository, source);
  const secrets = ['name-of-folder', 'name-of-file', 'content of a file', 'host-of-tenant', 'tag-of-tenant', source, path.basename(source)];
  const stored = await Promise.all(
    (await namesIn(repository.storage)).map(async (name) => Buffer.concat([Buffer.from(name), await repository.storage.get(name)])),
  );
  for (const text of secrets)
    t.notOk(
      stored.some((bytes) => bytes.includes(text)),
      text,
    );
  t.notOk(stored.some((bytes) => bytes.includes(randomBytesOf('r', 5000).subarray(0, 32))));
});

t.test('what is clear of a key slot is what the threat model says', async (t) => {
  const repository = await newRepository();
  await addKey(repository, { secret: { kind: 'recipient', publicKey: newIdentity().publicKey }, label: 'escrow' });
  await addKey(repository, { secret: { kind: 'password', password: 'p', cost: { memoryKiB: 32, passes: 1, lanes: 1 } }, label: 'admin' });
  const keys = new Set<string>();
  for (const name of await namesIn(repository.storage, 'owner/keys/'))
    for (const key of Object.keys(decodeCbor(await repository.storage.get(name)).value as object)) keys.add(key);
  const random = ['id', 'repository', 'salt', 'nonce', 'sealed', 'proof', 'ephemeral', 'lagan'];
  t.same([...keys].filter((key) => !random.includes(key)).sort(), ['created', 'grants', 'kdf', 'kind', 'label', 'recipient']);
});

t.test('the store sees lengths of blocks, none of chunks', async (t) => {
  const files = Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [`file-${index}`, randomBytesOf(`${index}`, 1000 + index * 977)]),
  );
  const repository = await newRepository();
  await backUp(repository, newSource(t, files));
  const packs = await packsOf(repository);
  const chunks = packs.flatMap(({ chunkLengths }) => chunkLengths);
  t.ok(chunks.length >= 40);
  t.equal(packs.flatMap(({ sealedLengths }) => sealedLengths).length, 1, 'they are in one block');
});

const large = randomBytesOf('a large file that does not compress', 6_000_000);

t.test('repositories cut the same file at other places', async (t) => {
  const source = newSource(t, { large });
  const cuts = [];
  for (let count = 0; count < 2; count++) {
    const repository = await newRepository();
    await backUp(repository, source);
    const packs = await packsOf(repository);
    cuts.push({ chunks: packs.flatMap(({ chunkLengths }) => chunkLengths), blocks: packs.flatMap(({ sealedLengths }) => sealedLengths) });
  }
  const [one, other] = cuts;
  const common = one!.chunks.filter((length) => other!.chunks.includes(length));
  t.ok(one!.chunks.length > 50 && common.length < one!.chunks.length / 10, `${common.length} of ${one!.chunks.length} lengths are in both`);
  t.notSame(one!.blocks, other!.blocks, 'so the lengths of blocks differ, too');
});

t.test('within one repository it shows that a file was there already', async (t) => {
  const repository = await newRepository();
  const first = await backUp(repository, newSource(t, { victim: large }));
  const probe = await backUp(repository, newSource(t, { guess: large }));
  const other = await backUp(repository, newSource(t, { guess: randomBytesOf('another one', large.length) }));
  t.ok(first.statistics.storedBytes > large.length && other.statistics.storedBytes > large.length);
  t.ok(probe.statistics.storedBytes < large.length / 100, 'the guess was right, and the store sees it');
});

t.test('tenants: the same file in two repositories has nothing in common', async (t) => {
  const source = newSource(t, { large });
  const tenants = [];
  for (let count = 0; count < 2; count++) {
    const repository = await newRepository();
    const { statistics } = await backUp(repository, source);
    t.ok(statistics.storedBytes > large.length, 'each stores it: neither learns whether the other one has it');
    tenants.push({ repository, packs: await packsOf(repository) });
  }
  const [one, other] = tenants.map(({ packs }) => new Set(packs.flatMap(({ names }) => names)));
  t.ok(areApart(one!, other!), 'no name of a chunk');
  const blocks = async (storage: Storage) => {
    const found = new Set<string>();
    for (const name of await namesIn(storage, 'writer/packs/')) {
      const bytes = Buffer.from(await storage.get(name));
      for (let offset = 80; offset + 16 <= Math.min(bytes.length, 1_000_000); offset += 16)
        found.add(bytes.toString('latin1', offset, offset + 16));
    }
    return found;
  };
  t.ok(areApart(await blocks(tenants[0]!.repository.storage), await blocks(tenants[1]!.repository.storage)), 'no block of ciphertext');
});

function areApart(left: ReadonlySet<string>, right: ReadonlySet<string>): boolean {
  return left.size > 0 && [...left].every((one) => !right.has(one));
}

t.test('a key for metadata reads names, and no contents', async (t) => {
  const repository = await newRepository();
  const monitor = newKeyFileSecret();
  await addKey(repository, { secret: monitor, label: 'monitor', grants: 'metadata' });
  const source = newSource(t, { 'a-name': 'its content' });
  await backUp(repository, source);
  const opened = await openRepository(repository.storage, { secret: monitor, mode: 'metadata' });
  const [info] = await listSnapshots(opened);
  const names: string[] = [];
  for await (const { entry } of walkSnapshot(opened, info!)) {
    names.push(Buffer.from(entry.name).toString());
    if (entry.type === 'file') await t.rejects(readAll(opened, entry), { code: 'no-key' });
  }
  t.ok(names.includes('a-name'));
  await t.rejects(openRepository(repository.storage, { secret: monitor, mode: 'read' }), { code: 'no-key' });
});

async function readAll(repository: Repository, entry: Parameters<typeof openFile>[1]): Promise<void> {
  const file = await openFile(repository, entry);
  for await (const _ of file.stream());
}

t.test('a writer cannot pass its pack off as one of the collector', async (t) => {
  const id = new Uint8Array(16).fill(0x80);
  const ofCollector = idFromBytes<PackId>(id);
  t.ok(isCollectorPack(ofCollector));
  t.equal(parseObjectName(`writer/packs/80/${ofCollector}`), null, 'under a name that a writer may write it does not count');
  t.equal(parseObjectName(`collector/packs/00/${'00'.repeat(16)}`), null);
});

t.test('docs/threat-model.md names tests that there are, and names each of them', async (t) => {
  const text = readFileSync(path.join(projectFolder, 'docs/threat-model.md'), 'utf8');
  const rows = [...text.matchAll(/^\| (T\d+) \| (\S+) \| (.*) \|$/gm)];
  t.ok(rows.length > 10);
  for (const [, id, file, title] of rows) {
    t.ok(readFileSync(path.join(projectFolder, file!), 'utf8').includes(title!), `${file}: ${title}`);
    t.match(text, new RegExp(`\\((?:T\\d+, )*${id}(?:, T\\d+)*\\)`), `${id} is named in the text`);
  }
});
