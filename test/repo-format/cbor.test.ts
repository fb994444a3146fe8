import t from 'tap';
import { decodeAnnotation, decodeCbor, decodeHold, encodeCbor, LaganError } from '../../repo-format/mod.ts';

t.test('encodeCbor: keys in the order of RFC 8949, undefined left out', async (t) => {
  const bytes = encodeCbor({ b: 1, aa: 2, a: undefined, z: -1 });
  t.equal(Buffer.from(bytes).toString('hex'), 'a3616201617a20626161' + '02');
});

t.test('decodeCbor: byte strings, big integers and the key __proto__ come back', async (t) => {
  const value = { __proto__: null, bytes: Uint8Array.of(1), big: 2n ** 60n, list: [true, false, null, 'ü'] };
  t.same(decodeCbor(encodeCbor({ ...value })).value, { bytes: Uint8Array.of(1), big: 2n ** 60n, list: [true, false, null, 'ü'] });
  const { value: odd } = decodeCbor(Buffer.from('a1695f5f70726f746f5f5f01', 'hex'));
  t.same(Object.keys(odd as object), ['__proto__']);
});

t.test('decodeCbor: the offset of a fault counts from that of the CBOR', async (t) => {
  t.throws(() => decodeCbor(Uint8Array.of(0x18, 0x01), { objectName: 'object', offset: 100 }), {
    code: 'malformed',
    object: 'object',
    offset: 100,
  });
});

t.test('fields: the error says which value and where it is', async (t) => {
  const snapshots = [new Uint8Array(16), new Uint8Array(15)];
  const payload = encodeCbor({ version: 1, snapshots, until: null, reason: '' });
  const error = thrown(() => decodeHold(payload, 'object'));
  t.match(error, { code: 'malformed', object: 'object', expected: '16 bytes', found: '15 bytes' });
  t.match(error.message, /snapshots\.1/);
  t.equal(payload[error.offset!], 0x4f, 'the offset is that of the byte string');
  const missing = thrown(() => decodeHold(encodeCbor({ version: 1, snapshots: [] }), 'object'));
  t.match(missing, { code: 'malformed', found: 'missing' });
});

t.test('fields: null and missing are the same where null is allowed', async (t) => {
  const annotation = { version: 1, time: [0, 0] };
  t.same(decodeAnnotation(encodeCbor(annotation)), decodeAnnotation(encodeCbor({ ...annotation, tags: null, description: null })));
});

t.test('decodeCbor: many empty values are refused before they fill the memory', async (t) => {
  const count = 9_000_000;
  const bytes = new Uint8Array(count + 5).fill(0x80);
  bytes.set([0x9a, count >>> 24, (count >>> 16) & 255, (count >>> 8) & 255, count & 255]);
  t.throws(() => decodeCbor(bytes), { code: 'malformed' });
});

function thrown(run: () => unknown): LaganError {
  try {
    run();
  } catch (error) {
    if (error instanceof LaganError) return error;
  }
  throw new Error('no LaganError was thrown');
}
