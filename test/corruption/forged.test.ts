/** Objects that open, because they were sealed with the right key, but say what is not so: a faulty writer, or faulty memory. */
import t from 'tap';
import { check, type Entry, openFile, walkSnapshot } from '../../engine/mod.ts';
import { decodeBlock, objectKey, openStoredSegment, parseSealedHeader, sealSegment } from '../../repo-format/mod.ts';
import { makeSample, type Objects, openDamaged, packsOf } from './sample-repository.ts';

const sample = await makeSample(t.testdir());
const whole = await openDamaged(sample);

/** Changes the plaintext of a block, which must keep its length, and seals it again. */
function reseal(
  objects: Objects,
  { name, number, offset, sealedLength }: { name: string; number: number; offset: number; sealedLength: number },
  change: (plaintext: Uint8Array) => void,
): void {
  const bytes = objects.get(name)!.slice();
  const header = bytes.subarray(0, 80);
  const { kind, epoch } = parseSealedHeader(header);
  const key = objectKey(whole.keys.classKey(kind, epoch), header);
  const plaintext = Uint8Array.from(openStoredSegment(key, header, { number, offset }, bytes.subarray(offset, offset + 4 + sealedLength)));
  change(plaintext);
  bytes.set(sealSegment(key, header, { number, offset }, [plaintext]), offset);
  objects.set(name, bytes);
}

t.test('check and openFile: content that does not have its name', async (t) => {
  const [pack] = await packsOf(whole, 'pack');
  const number = pack!.blocks.findIndex(({ codec }) => codec === 'raw');
  const block = pack!.blocks[number]!;
  const repository = await openDamaged(sample, (objects) =>
    reseal(objects, { name: pack!.name, number, ...block }, (plaintext) => {
      plaintext[plaintext.length - 1]! ^= 1;
    }),
  );
  t.match(await check(repository), { errors: [] }, 'the structure is right');
  const { errors } = await check(repository, { readData: true });
  t.match(errors, [{ code: 'name-mismatch', object: pack!.name, offset: block.offset }]);
  t.ok(errors[0]!.pathCount > 0);

  const lastName = Buffer.from(block.names.subarray(-32));
  const entry = await fileWith(lastName);
  await t.rejects(readAll(openFile(repository, entry).stream()), { code: 'name-mismatch' }, 'no byte of it is handed out');
  await t.rejects(openFile(repository, entry).read(0, entry.type === 'file' ? entry.size : 0), { code: 'name-mismatch' });
  t.ok((await readAll(openFile(whole, entry).stream())) > 0);
});

t.test('check: a block that does not agree with the contents of its pack', async (t) => {
  const [pack] = await packsOf(whole, 'pack');
  const number = pack!.blocks.findIndex(({ codec, chunkLengths }) => codec === 'raw' && chunkLengths.length > 3);
  const block = pack!.blocks[number]!;
  const repository = await openDamaged(sample, (objects) =>
    reseal(objects, { name: pack!.name, number, ...block }, (plaintext) => {
      plaintext[0] = 1; // zstd, which the payload is not
    }),
  );
  t.match((await check(repository, { readData: true })).errors, [{ code: 'malformed', object: pack!.name, offset: block.offset }]);
});

t.test('check: a block that cannot be decompressed, or to another length', async (t) => {
  const packs = [...(await packsOf(whole, 'pack')), ...(await packsOf(whole, 'metadata-pack'))];
  const pack = packs.find(({ blocks }) => blocks.some(({ codec }) => codec === 'zstd'))!;
  const number = pack.blocks.findIndex(({ codec }) => codec === 'zstd');
  const block = pack.blocks[number]!;
  for (const offsetInPayload of [0, 4, 9, 20]) {
    const repository = await openDamaged(sample, (objects) =>
      reseal(objects, { name: pack.name, number, ...block }, (plaintext) => {
        const { payload } = decodeBlock(plaintext);
        payload[offsetInPayload]! ^= 0xff;
      }),
    );
    const { errors } = await check(repository, { readData: true });
    t.ok(
      errors.some(({ code, object }) => object === pack.name && (code === 'malformed' || code === 'name-mismatch')),
      `byte ${offsetInPayload}: ${errors.map(({ code }) => code)}`,
    );
  }
});

async function fileWith(name: Buffer): Promise<Entry> {
  for (const snapshot of sample.snapshots) {
    for await (const { entry } of walkSnapshot(whole, snapshot)) {
      if (entry.type !== 'file' || entry.content.form === 'none') continue;
      if (entry.content.form === 'inline' && entry.content.extents.some((extent) => extent.kind === 'data' && name.equals(extent.name)))
        return entry;
      if (entry.content.form === 'node' && entry.size > 1024 * 1024 && Buffer.from(entry.name).toString() === 'large') {
        const { TreeReader } = await import('../../engine/trees/mod.ts');
        const { PackReader } = await import('../../engine/packs/mod.ts');
        for await (const extents of new TreeReader(new PackReader(whole)).extents(entry.content)) {
          if (extents.some((extent) => extent.kind === 'data' && name.equals(extent.name))) return entry;
        }
      }
    }
  }
  throw new Error('no file has that chunk');
}

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<number> {
  let sizeBytes = 0;
  for await (const piece of stream) sizeBytes += piece.length;
  return sizeBytes;
}
