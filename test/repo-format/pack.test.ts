import t from 'tap';
import * as format from '../../repo-format/mod.ts';

function block(count: number, offset = 80): format.PackBlock {
  const chunkLengths = new Uint32Array(count).fill(3);
  return { offset, sealedLength: 100, codec: 'zstd', rawLength: count * 3, chunkLengths, names: new Uint8Array(count * 32).fill(count) };
}

t.test('encodeBlockPrefix, decodeBlock: as many chunks as a block may have, and one more', async (t) => {
  const limit = format.limits.chunksPerBlock;
  for (const count of [1, 2, limit - 1, limit, limit + 1]) {
    const chunkLengths = new Array<number>(count).fill(1);
    const prefix = format.encodeBlockPrefix({ codec: 'raw', rawLength: count, chunkLengths });
    const plaintext = format.concatBytes([prefix, new Uint8Array(count)]);
    if (count > limit) t.throws(() => format.decodeBlock(plaintext), { code: 'limit-exceeded', found: count });
    else t.equal(format.decodeBlock(plaintext).chunkLengths.length, count);
  }
  t.throws(() => format.encodeBlockPrefix({ codec: 'raw', rawLength: 0, chunkLengths: [] }), RangeError);
});

t.test('decodeBlock: the payload is a view', async (t) => {
  const plaintext = format.concatBytes([format.encodeBlockPrefix({ codec: 'raw', rawLength: 2, chunkLengths: [2] }), new Uint8Array(2)]);
  t.equal(format.decodeBlock(plaintext).payload.buffer, plaintext.buffer);
});

t.test('encodePackContents, decodePackContents: many blocks come back', async (t) => {
  const blocks = [block(1), block(65_536, 184), block(5, 288)];
  const bytes = format.encodePackContents(blocks);
  const decoded = format.decodePackContents(bytes, 'pack', { kind: 'pack', contentsOffset: 392 });
  t.same(
    decoded.map(({ offset, chunkLengths }) => [offset, chunkLengths.length]),
    [
      [80, 1],
      [184, 65_536],
      [288, 5],
    ],
  );
  t.ok(format.equalBytes(format.encodePackContents(decoded), bytes));
  t.equal(format.packSizeBytes({ offset: 392, length: bytes.length + 16 }), 392 + 4 + bytes.length + 16 + 16);
});

t.test('decodePackContents: a pack has a limit of chunks, whatever its blocks say', async (t) => {
  const writer = new format.ByteWriter();
  const blocks = format.limits.chunksPerPack / format.limits.chunksPerBlock + 1;
  writer.varint(blocks);
  for (let index = 0; index < blocks; index++) {
    writer.varint(80 + index * 104);
    writer.varint(100);
    writer.u8(1);
    writer.varint(format.limits.chunksPerBlock);
    writer.varint(format.limits.chunksPerBlock);
  }
  writer.raw(new Uint8Array(3_000_000));
  t.throws(() => format.decodePackContents(writer.finish()), { code: 'malformed' });
});

// covers: PACK-14
t.test('expectBlock: codec, raw length and every chunk length must be those of the contents', async (t) => {
  const row = { ...block(2), rawLength: 5, chunkLengths: Uint32Array.of(2, 3) };
  const good: format.Block = { codec: 'zstd', rawLength: 5, chunkLengths: [2, 3], payload: new Uint8Array(1) };
  t.doesNotThrow(() => format.expectBlock(good, row));
  for (const change of [{ codec: 'lz4' as const }, { rawLength: 6 }, { chunkLengths: [3, 2] }, { chunkLengths: [5] }]) {
    t.throws(() => format.expectBlock({ ...good, ...change }, row, 'pack'), { code: 'malformed', object: 'pack', offset: 80 });
  }
});
