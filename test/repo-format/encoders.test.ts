/** Encoders against the fixed vectors: what a good vector decodes to must be encoded to the very bytes. */
import t from 'tap';
import * as format from '../../repo-format/mod.ts';
import { readVectorFiles } from '../spec/_vector-files.ts';
import { encodedAgain } from './_encoders.ts';

/** Good, but not as our writer does it. */
const otherwise =
  /unknown-key|ok-locks-null|ok-wrong-proof|parent-missing|ok-(file|windows|lower-case|look-alikes|groups-of-4|spaces)\.txt$|text-key\/ok-file/;

for (const { path, vector } of readVectorFiles()) {
  const encode = encodedAgain[vector.container];
  if (encode === undefined || vector.expect !== 'ok' || otherwise.test(path)) continue;
  t.test(`${path}: encoded to the same bytes`, async (t) => {
    t.equal(format.toHex(encode(vector.bytes, vector.header)), format.toHex(vector.bytes));
  });
}

t.test('sealObject: makes the bytes of the vector', async (t) => {
  const { vector } = readVectorFiles().find(({ path }) => path === 'sealed/ok-lost-list.txt')!;
  const { bytes, header } = vector;
  const classKey = format.fromHex(header.classKey!);
  const opened = format.openObject(bytes, {
    kind: 'lost-list',
    repositoryId: format.fromHex(header.repository!),
    classKeyOf: () => classKey,
  });
  t.equal(format.toHex(format.sealObject({ ...opened.header, classKey }, opened.payload)), format.toHex(bytes));
});
