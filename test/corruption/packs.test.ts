/** Damage to packs at named places: the code that a check of all data must give, and the files that it must name. */
import t from 'tap';
import { walkSnapshot } from '../../engine/look/mod.ts';
import { check, type Finding, type Repository } from '../../engine/mod.ts';
import { PackReader } from '../../engine/packs/mod.ts';
import { TreeReader } from '../../engine/trees/mod.ts';
import { footerLayout, sealedLayout } from '../../repo-format/mod.ts';
import { flip, makeSample, type Objects, openDamaged, packsOf, resize, swap } from './sample-repository.ts';

const sample = await makeSample(t.testdir());
const whole = await openDamaged(sample);
const [data, otherData] = await packsOf(whole, 'pack');
type Block = { offset: number; sealedLength: number };
const [metadata] = await packsOf(whole, 'metadata-pack');

/** Places of a pack, as offsets into its file. */
function placesOf({ name, blocks }: { name: string; blocks: readonly { offset: number; sealedLength: number }[] }) {
  const sizeBytes = sample.objects.get(name)!.length;
  const block = blocks[Math.floor(blocks.length / 2)]!;
  const last = blocks.at(-1)!;
  const contents = last.offset + sealedLayout.lengthFieldSizeBytes + last.sealedLength;
  const footer = sizeBytes - footerLayout.sizeBytes;
  return { block: block.offset, blockEnd: block.offset + 4 + block.sealedLength, contents, footer, sizeBytes };
}

async function findingsAfter(
  damage: (objects: Objects) => void,
  readData = true,
): Promise<{ repository: Repository; errors: readonly Finding[] }> {
  const repository = await openDamaged(sample, damage);
  return { repository, errors: (await check(repository, { readData })).errors };
}

/** All files whose chunks are among the names, by walking without the engine's own search. */
async function filesWith(names: readonly Uint8Array[], repository: Repository): Promise<Set<string>> {
  const wanted = new Set(names.map((name) => Buffer.from(name).toString('hex')));
  const trees = new TreeReader(new PackReader(repository));
  const found = new Set<string>();
  for (const snapshot of sample.snapshots) {
    for await (const { path, entry } of walkSnapshot(repository, snapshot)) {
      if (entry.type !== 'file') continue;
      for await (const extents of trees.extents(entry.content)) {
        for (const extent of extents)
          if (extent.kind === 'data' && wanted.has(Buffer.from(extent.name).toString('hex')))
            found.add(Buffer.from(path).toString('latin1'));
      }
    }
  }
  return found;
}

function textsOf(paths: readonly Uint8Array[]): string[] {
  return paths.map((path) => Buffer.from(path).toString('latin1')).sort();
}

t.test('check: nothing is found in a whole repository', async (t) => {
  const result = await check(whole, { readData: true });
  t.match(result, { errors: [], notes: [], complete: true, snapshots: 2, packsRead: result.packs });
  t.ok(result.bytesRead > 4 * 1024 * 1024);
  t.ok(result.blocks >= 5);
  t.ok(result.nodes > 3);
});

for (const [kind, pack] of [
  ['pack of content', data!],
  ['pack of metadata', metadata!],
] as const) {
  const { name } = pack;
  const places = placesOf(pack);
  const header = sealedLayout;
  const flips: readonly (readonly [place: string, offset: number, bit: number, code: string])[] = [
    ['header: magic', header.magic, 0, 'malformed'],
    ['header: kind that is none', header.kind, 7, 'malformed'],
    ['header: another kind', header.kind, 1, 'malformed'],
    ['header: version of the future', header.version, 1, 'repository-too-new'],
    ['header: version 0', header.version, 0, 'malformed'],
    ['header: key epoch', header.epoch, 3, 'authentication-failed'],
    ['header: reserved', header.reserved, 0, 'malformed'],
    ['header: repository id', header.repositoryId, 0, 'name-mismatch'],
    ['header: object id', header.objectId + 15, 7, 'name-mismatch'],
    ['header: salt', header.salt, 4, 'authentication-failed'],
    ['header: last byte of the salt', header.headerSizeBytes - 1, 0, 'authentication-failed'],
    ['block: length field', places.block, 0, 'malformed'],
    ['block: top byte of the length field', places.block + 3, 7, 'malformed'],
    ['block: first byte of the ciphertext', places.block + 4, 0, 'authentication-failed'],
    ['block: last byte of the ciphertext', places.blockEnd - 17, 0, 'authentication-failed'],
    ['block: tag', places.blockEnd - 16, 0, 'authentication-failed'],
    ['block: last byte of the tag', places.blockEnd - 1, 7, 'authentication-failed'],
    ['contents: length field', places.contents, 0, 'malformed'],
    ['contents: ciphertext', places.contents + 4, 0, 'authentication-failed'],
    ['contents: tag', places.footer - 1, 0, 'authentication-failed'],
    ['footer: offset', places.footer, 0, 'malformed'],
    ['footer: top byte of the offset', places.footer + 7, 7, 'malformed'],
    ['footer: sealed length', places.footer + footerLayout.sealedLength, 2, 'malformed'],
    ['footer: magic', places.footer + footerLayout.magic, 0, 'malformed'],
  ];
  t.test(`check: a flipped bit in a ${kind}`, async (t) => {
    for (const [place, offset, bit, code] of flips) {
      const { errors } = await findingsAfter((objects) => flip(objects, name, offset, bit));
      t.match(errors, [{ code, object: name, pack: pack.id }], `${place}, byte ${offset}: ${code}`);
      t.equal(errors.length, 1, `${place}: one finding`);
    }
  });

  t.test(`check: a ${kind} that was cut or continued`, async (t) => {
    const { sizeBytes, contents, footer, block } = places;
    for (const size of [
      0,
      1,
      79,
      80,
      81,
      block,
      block + 4,
      contents - 1,
      contents,
      contents + 1,
      footer - 1,
      footer,
      footer + 1,
      sizeBytes - 1,
      sizeBytes + 1,
    ]) {
      const { errors } = await findingsAfter((objects) => resize(objects, name, size));
      t.equal(errors.length, 1, `${size} bytes: one finding`);
      t.match(errors, [{ code: 'malformed', object: name }], `${size} of ${sizeBytes} bytes`);
      t.ok(errors[0]!.snapshots.length > 0, 'names the snapshots');
    }
  });

  t.test(`check: a missing ${kind}`, async (t) => {
    for (const readData of [false, true]) {
      const { errors } = await findingsAfter((objects) => objects.delete(name), readData);
      t.match(errors, [{ code: 'pack-missing', object: name }], readData ? 'reading data' : 'structure only');
      t.equal(errors.length, 1);
      t.ok(errors[0]!.pathCount > 0, 'names what is hurt');
    }
  });
}

t.test('check: a damaged block hurts the files with chunks in it, and no others', async (t) => {
  for (const [number, block] of data!.blocks.entries()) {
    const { errors } = await findingsAfter((objects) => flip(objects, data!.name, block.offset + 100));
    const names = block.chunkLengths.length;
    const hurt = await filesWith(
      Array.from({ length: names }, (_, index) => block.names.subarray(32 * index, 32 * index + 32)),
      whole,
    );
    t.match(errors, [{ code: 'authentication-failed', offset: block.offset, pathCount: hurt.size }], `block ${number}`);
    if (hurt.size <= 100) t.same(textsOf(errors[0]!.paths), [...hurt].sort(), 'exactly these');
    t.ok(errors[0]!.paths.length <= 100, 'at most 100 are listed');
  }
});

t.test('check: a missing pack of content hurts its files in every snapshot that has them', async (t) => {
  const { errors } = await findingsAfter((objects) => objects.delete(data!.name), false);
  const names = data!.blocks.flatMap(({ names: all, chunkLengths }) =>
    Array.from(chunkLengths, (_, index) => all.subarray(32 * index, 32 * index + 32)),
  );
  t.equal(errors[0]!.pathCount, (await filesWith(names, whole)).size);
  t.same([...errors[0]!.snapshots].sort(), sample.snapshots.map(({ id }) => id).sort());
});

t.test('check: what only the second snapshot has hurts that one alone', async (t) => {
  const { errors } = await findingsAfter((objects) => objects.delete(otherData!.name), false);
  t.match(errors, [{ code: 'pack-missing' }]);
  t.same(errors[0]!.snapshots, [sample.snapshots[1]!.id]);
  t.ok(textsOf(errors[0]!.paths).includes(`${sample.source}/new`));
});

t.test('check: a missing pack of metadata hurts folders', async (t) => {
  const { errors } = await findingsAfter((objects) => objects.delete(metadata!.name), false);
  t.ok(textsOf(errors[0]!.paths).some((path) => path === '/' || sample.source.startsWith(path) || path.startsWith(sample.source)));
});

t.test('check: packs under the names of others', async (t) => {
  const swapped = await findingsAfter((objects) => swap(objects, data!.name, otherData!.name));
  const codes = swapped.errors.map(({ code, object }) => `${code} ${object}`);
  for (const name of [data!.name, otherData!.name])
    t.ok(codes.includes(`name-mismatch ${name}`) || codes.includes(`malformed ${name}`), name);
  const structure = await findingsAfter((objects) => swap(objects, data!.name, otherData!.name), false);
  t.match(structure.errors, [{ code: 'malformed' }, { code: 'malformed' }], 'their sizes tell, without reading');
});

t.test('check: blocks in the places of others do not open', async (t) => {
  const [first, second] = data!.blocks as unknown as [Block, Block];
  const { errors } = await findingsAfter((objects) => {
    const bytes = objects.get(data!.name)!.slice();
    const length = Math.min(first.sealedLength, second.sealedLength);
    const kept = bytes.slice(first.offset + 4, first.offset + 4 + length);
    bytes.copyWithin(first.offset + 4, second.offset + 4, second.offset + 4 + length);
    bytes.set(kept, second.offset + 4);
    objects.set(data!.name, bytes);
  });
  t.match(errors, [{ code: 'authentication-failed', object: data!.name, count: 2 }]);
});

t.test('check: part n of m reads every pack once, whatever m is', async (t) => {
  for (const parts of [1, 2, 3, 7]) {
    let packsRead = 0;
    for (let part = 1; part <= parts; part++) packsRead += (await check(whole, { readData: { part: [part, parts] } })).packsRead;
    t.equal(packsRead, (await check(whole)).packs, `${parts} parts`);
  }
  t.equal((await check(whole, { readData: { percent: 100 } })).packsRead, (await check(whole)).packs);
  const seeded = { readData: { percent: 50, seed: 'a' } } as const;
  t.equal((await check(whole, seeded)).bytesRead, (await check(whole, seeded)).bytesRead, 'the same seed, the same packs');
  for (const readData of [
    { percent: 0 },
    { percent: 101 },
    { percent: Number.NaN },
    { part: [0, 1] as const },
    { part: [3, 2] as const },
    { part: [1, 65_537] as const },
  ]) {
    await t.rejects(check(whole, { readData }), { name: 'RangeError' }, JSON.stringify(readData));
  }
});
