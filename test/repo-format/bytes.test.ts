import t from 'tap';
import { ByteReader, ByteWriter, compareBytes, equalBytes, LaganError, varintSizeBytes } from '../../repo-format/mod.ts';

t.test('ByteWriter and ByteReader: numbers around every boundary come back', async (t) => {
  const numbers = [
    0,
    1,
    ...[7, 14, 21, 28, 31, 32, 35, 42, 49, 52].flatMap((bits) => [2 ** bits - 1, 2 ** bits, 2 ** bits + 1]),
    Number.MAX_SAFE_INTEGER,
  ];
  const writer = new ByteWriter(1);
  for (const number of numbers) writer.varint(number);
  for (const number of numbers) for (const signed of [number, -number]) writer.svarint(signed);
  const bigs = [2n ** 53n, 2n ** 56n - 1n, 2n ** 56n, 2n ** 63n, 2n ** 64n - 1n];
  for (const big of bigs) writer.bigVarint(big);
  writer.u32(0xfedcba98);
  writer.u64(Number.MAX_SAFE_INTEGER);
  writer.u64(2n ** 64n - 1n);
  const reader = new ByteReader(writer.finish());
  for (const number of numbers) t.equal(reader.varint(), number);
  for (const number of numbers) for (const signed of [number, -number]) t.equal(reader.svarint() + 0, signed + 0);
  for (const big of bigs) t.equal(reader.bigVarint(), big);
  t.equal(reader.u32(), 0xfedcba98);
  t.equal(reader.u64(), Number.MAX_SAFE_INTEGER);
  t.equal(reader.u64big(), 2n ** 64n - 1n);
  reader.end();
});

t.test('ByteReader.varint: the limit itself passes, one more does not', async (t) => {
  for (const limit of [0, 1, 126, 127, 128, 16383, 16384, 2 ** 32]) {
    const read = (value: number) => {
      const writer = new ByteWriter();
      writer.varint(value);
      return new ByteReader(writer.finish(), 'object').varint(limit, 'count');
    };
    t.equal(read(limit), limit);
    t.throws(() => read(limit + 1), { code: 'limit-exceeded', object: 'object', offset: 0, expected: limit, found: limit + 1 });
  }
});

t.test('ByteReader: whatever is missing is an error that says where', async (t) => {
  const bytes = Uint8Array.of(1, 2, 3);
  const after = (count: number) => {
    const reader = new ByteReader(bytes, 'object');
    reader.raw(count);
    return reader;
  };
  for (const read of [
    (reader: ByteReader) => reader.u32(),
    (reader: ByteReader) => reader.raw(3),
    (reader: ByteReader) => reader.byteString(9),
  ]) {
    t.throws(() => read(after(1)), { code: 'malformed', object: 'object' });
  }
  t.throws(() => after(3).u8(), { code: 'malformed', offset: 3, found: 0 });
  t.throws(() => after(2).end(), { code: 'malformed', offset: 2, expected: 0, found: 1 });
  t.throws(() => after(0).expectItems(2, 2, 'items'), { code: 'malformed' });
  after(0).expectItems(3, 1, 'items');
});

t.test('ByteReader.raw: a view, not a copy', async (t) => {
  const bytes = Uint8Array.of(1, 2, 3);
  t.equal(new ByteReader(bytes).raw(2).buffer, bytes.buffer);
});

t.test('ByteWriter: what the format cannot hold is a RangeError', async (t) => {
  const writer = new ByteWriter();
  for (const value of [-1, 0.5, 2 ** 53, Number.NaN]) t.throws(() => writer.varint(value), RangeError);
  t.throws(() => writer.bigVarint(2n ** 64n), RangeError);
  t.throws(() => writer.svarint(2n ** 63n), RangeError);
  t.throws(() => writer.u64(-1), RangeError);
});

t.test('varintSizeBytes: as many bytes as are written', async (t) => {
  for (const value of [0, 127, 128, 16383, 16384, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    const writer = new ByteWriter();
    writer.varint(value);
    t.equal(varintSizeBytes(value), writer.length);
  }
});

t.test('compareBytes: unsigned, and a beginning comes first', async (t) => {
  const sorted = [[], [0], [0, 0], [0x7f], [0x80], [0xff], [0xff, 0]].map((bytes) => Uint8Array.from(bytes));
  for (const [index, left] of sorted.entries()) {
    for (const [other, right] of sorted.entries()) {
      t.equal(Math.sign(compareBytes(left, right)), Math.sign(index - other));
      t.equal(equalBytes(left, right), index === other);
    }
  }
});

t.test('LaganError: fields that were not given are not there', async (t) => {
  const error = new LaganError('malformed', 'message', { offset: 3 });
  t.same(Object.keys(error).sort(), ['code', 'name', 'offset']);
});
