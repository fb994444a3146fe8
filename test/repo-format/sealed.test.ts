import t from 'tap';
import * as format from '../../repo-format/mod.ts';

const key = new Uint8Array(32).fill(1);
const ids = { repositoryId: new Uint8Array(16).fill(2), objectId: new Uint8Array(16).fill(3) };
const header = format.sealedHeader({ kind: 'pack', epoch: 7, ...ids, salt: new Uint8Array(32).fill(4) });
const place = { number: 5, offset: 1234 };

t.test('sealSegment: parts are sealed as one, in 4 + sum + 16 bytes', async (t) => {
  const whole = Uint8Array.from({ length: 1000 }, (_, index) => index);
  const one = format.sealSegment(key, header, place, [whole]);
  t.equal(one.length, 4 + 1000 + 16);
  for (const cut of [0, 1, 15, 16, 17, 999, 1000]) {
    const inParts = format.sealSegment(key, header, place, [whole.subarray(0, cut), whole.subarray(cut)]);
    t.same(Buffer.from(inParts), Buffer.from(one), `cut at ${cut}`);
  }
  t.same(Buffer.from(format.openStoredSegment(key, header, place, one)), Buffer.from(whole));
});

t.test('sealSegment, openSegment: sizes around a cipher block', async (t) => {
  for (const size of [1, 15, 16, 17, 4095, 4096, 4097]) {
    const plaintext = new Uint8Array(size).fill(9);
    const sealed = format.sealSegment(key, header, place, [plaintext]);
    t.same(Buffer.from(format.openSegment(key, header, place, sealed.subarray(4))), Buffer.from(plaintext));
  }
  t.throws(() => format.sealSegment(key, header, place, [new Uint8Array(0)]), RangeError);
});

t.test('openSegment: nothing opens in another place, object or repository', async (t) => {
  const sealed = format.sealSegment(key, header, place, [new Uint8Array(8)]).subarray(4);
  const other = header.slice();
  other[47]! ^= 1;
  t.throws(() => format.openSegment(key, header, { ...place, number: 6 }, sealed), { code: 'authentication-failed', offset: 1234 });
  t.throws(() => format.openSegment(key, header, { ...place, offset: 1235 }, sealed), { code: 'authentication-failed' });
  t.throws(() => format.openSegment(key, other, place, sealed), { code: 'authentication-failed' });
  t.throws(() => format.openSegment(new Uint8Array(32), header, place, sealed), { code: 'authentication-failed' });
});

t.test('parseSealedHeader: gives back the fields', async (t) => {
  for (const kind of Object.keys(format.objectKinds) as format.ObjectKind[]) {
    for (const epoch of [0, 1, 2 ** 32 - 1]) {
      const fields = { kind, epoch, ...ids, salt: new Uint8Array(32).fill(4) };
      t.same(format.parseSealedHeader(format.sealedHeader(fields)), fields);
    }
  }
});

t.test('sealedHeader, objectKey: arguments of another size are RangeErrors', async (t) => {
  t.throws(() => format.sealedHeader({ kind: 'root', epoch: 0, ...ids, salt: new Uint8Array(31) }), RangeError);
  t.throws(() => format.objectKey(new Uint8Array(31), header), RangeError);
  t.throws(() => format.objectKey(key, header.subarray(1)), RangeError);
});

// covers: SEAL-14
t.test('openObject: a small object has at most 64 MiB, a root 64 KiB', async (t) => {
  const open = (kind: format.ObjectKind, size: number) => {
    const bytes = new Uint8Array(size);
    bytes.set(format.sealedHeader({ kind, epoch: 0, ...ids, salt: new Uint8Array(32) }));
    new DataView(bytes.buffer).setUint32(80, size - 84, true);
    return format.openObject(bytes, { kind, ...ids, classKeyOf: () => key });
  };
  t.throws(() => open('root', format.limits.rootSizeBytes), { code: 'authentication-failed' }, 'the limit itself is tried');
  t.throws(() => open('root', format.limits.rootSizeBytes + 1), { code: 'limit-exceeded' });
  t.throws(() => open('snapshot', format.limits.rootSizeBytes + 1), { code: 'authentication-failed' });
  t.throws(() => open('snapshot', format.limits.smallObjectSizeBytes + 1), { code: 'limit-exceeded' });
});

t.test('sealObject, openObject: asks for the key of the epoch in the header', async (t) => {
  const payload = new Uint8Array([0xa0]);
  const bytes = format.sealObject({ kind: 'hold', epoch: 3, ...ids, salt: new Uint8Array(32), classKey: key }, payload);
  const asked: number[] = [];
  const classKeyOf = (epoch: number) => {
    asked.push(epoch);
    return key;
  };
  t.same(Buffer.from(format.openObject(bytes, { kind: 'hold', ...ids, classKeyOf }).payload), Buffer.from(payload));
  t.same(asked, [3]);
});

t.test('sealedFooter, parseSealedFooter: beyond 4 GiB, too', async (t) => {
  for (const offset of [80, 2 ** 32 - 1, 2 ** 32, 2 ** 40]) {
    const footer = format.sealedFooter({ offset, length: 100 });
    t.same(format.parseSealedFooter(footer, { fileSizeBytes: offset + 4 + 100 + 16 }), { offset, length: 100 });
    t.throws(() => format.parseSealedFooter(footer, { fileSizeBytes: offset + 4 + 100 + 17 }), { code: 'malformed' });
  }
});

t.test('usesDataKey: content alone is under the data key', async (t) => {
  const kinds = Object.keys(format.objectKinds) as format.ObjectKind[];
  t.same(kinds.filter(format.usesDataKey), ['pack']);
});

t.test('sealedHeader: ids of another size are RangeErrors', async (t) => {
  const fields = { kind: 'root', epoch: 0, ...ids, salt: new Uint8Array(32) } as const;
  for (const size of [0, 15, 17]) {
    t.throws(() => format.sealedHeader({ ...fields, repositoryId: new Uint8Array(size) }), RangeError);
    t.throws(() => format.sealedHeader({ ...fields, objectId: new Uint8Array(size) }), RangeError);
  }
});

t.test('parseSealedFooter: lengths at their limits, and what is known of the file', async (t) => {
  const footer = format.sealedFooter({ offset: 80, length: 17 });
  t.same(format.parseSealedFooter(footer), { offset: 80, length: 17 }, 'the least');
  t.same(format.parseSealedFooter(footer, { limit: 17 }), { offset: 80, length: 17 }, 'as many as may be');
  t.throws(() => format.parseSealedFooter(footer, { limit: 16 }), { code: 'limit-exceeded', expected: 16, found: 17, offset: 8 });
  t.throws(() => format.parseSealedFooter(format.sealedFooter({ offset: 80, length: 16 })), { code: 'malformed', offset: 8, found: 16 });
  t.throws(() => format.parseSealedFooter(format.sealedFooter({ offset: 79, length: 17 })), { code: 'malformed', offset: 0, found: 79 });
  t.throws(() => format.parseSealedFooter(footer, { fileSizeBytes: 118 }), { code: 'malformed', expected: 102, found: 101 });
});

t.test('what does not open: errors name the object, the segment and the sizes', async (t) => {
  const named = { ...place, objectName: 'writer/x' };
  const opening = (where: format.SegmentPlace, bytes: Uint8Array) => () => format.openStoredSegment(key, header, where, bytes);
  t.throws(opening(named, new Uint8Array(4)), { code: 'malformed', expected: 'at least 17', found: 0, message: /^writer\/x: / });
  t.throws(opening(named, new Uint8Array(3)), { code: 'malformed', expected: 4, found: 3 });
  const sealed = format
    .sealSegment(key, header, place, [new Uint8Array(1)])
    .with(20, 0)
    .with(19, 0);
  t.throws(opening(named, sealed), { code: 'authentication-failed', message: /^writer\/x: segment 5 at/, object: 'writer/x' });
  t.throws(opening({ ...named, number: format.contentsSegmentNumber }, sealed), { message: /^writer\/x: the contents at/ });
  t.throws(opening(place, sealed), { message: /^object: segment 5/ });
  const parsing = (change: (bytes: Uint8Array) => Uint8Array, expect: format.ExpectedHeader) => () =>
    format.parseSealedHeader(change(header), expect, 'writer/x');
  t.throws(
    parsing((bytes) => bytes, { objectId: ids.repositoryId }),
    { code: 'name-mismatch', message: /^writer\/x: / },
  );
  t.throws(
    parsing((bytes) => bytes.with(7, 9), {}),
    { code: 'repository-too-new', message: /^writer\/x: version 9/ },
  );
  t.throws(
    parsing((bytes) => bytes.with(15, 1), {}),
    { code: 'malformed', offset: 12, message: /^writer\/x: / },
  );
  const size = format.limits.rootSizeBytes + 1;
  const big = new Uint8Array(size);
  big.set(format.sealedHeader({ kind: 'root', epoch: 0, ...ids, salt: new Uint8Array(32) }));
  const open = () => format.openObject(big, { kind: 'root', ...ids, classKeyOf: () => key, objectName: 'writer/x' });
  t.throws(open, { code: 'limit-exceeded', offset: 0, expected: size - 1, found: size, message: /^writer\/x: / });
});
