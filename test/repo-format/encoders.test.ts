/** Encoders against the fixed vectors: what a good vector decodes to must be encoded to the very bytes. */
import t from 'tap';
import * as format from '../../repo-format/mod.ts';
import type { ParsedVector } from '../../spec/vectors/_vector.ts';
import { readVectorFiles } from '../spec/_vector-files.ts';

type Again = (bytes: Uint8Array, header: ParsedVector['header']) => Uint8Array;

const again: Record<string, Again> = {
  cbor: (bytes) => format.encodeCbor(format.decodeCbor(bytes).value),
  varint: (bytes) => write((writer) => writer.bigVarint(new format.ByteReader(bytes).bigVarint())),
  svarint: (bytes) => write((writer) => writer.svarint(new format.ByteReader(bytes).svarint())),
  block: (bytes, { kind }) => {
    const block = format.decodeBlock(bytes, 'vector', kind as format.PackKind);
    return format.concatBytes([format.encodeBlockPrefix(block), block.payload]);
  },
  'pack-contents': (bytes) => format.encodePackContents(format.decodePackContents(bytes)),
  'pack-rows': (bytes) => format.encodePackRows(format.decodePackRows(bytes)),
  'index-page': encodePageAgain,
  'index-contents': (bytes) => format.encodeIndexContents(format.decodeIndexContents(bytes)),
  node: (bytes) => format.encodeNode(format.decodeNode(bytes)),
  snapshot: (bytes) => format.encodeSnapshot(format.decodeSnapshot(bytes)),
  root: (bytes) => format.encodeRoot(format.decodeRoot(bytes)),
  configuration: (bytes) => format.encodeConfiguration(format.decodeConfiguration(bytes)),
  'format-file': (bytes) => format.encodeFormatFile(format.decodeFormatFile(bytes)),
  hold: (bytes) => format.encodeHold(format.decodeHold(bytes)),
  'deletion-mark': (bytes) => format.encodeDeletionMark(format.decodeDeletionMark(bytes)),
  annotation: (bytes) => format.encodeAnnotation(format.decodeAnnotation(bytes)),
  'damage-report': (bytes) => format.encodeDamageReport(format.decodeDamageReport(bytes)),
  verification: (bytes) => format.encodeVerification(format.decodeVerification(bytes)),
  catalogue: (bytes) => format.encodeCatalogue(format.decodeCatalogue(bytes)),
  'lost-list': (bytes) => format.encodeLostList(format.decodeLostList(bytes)),
  'key-slot': encodeSlotAgain,
  keyring: encodeKeyringAgain,
  'text-key': (bytes, { kind }) =>
    new TextEncoder().encode(
      format.encodeTextKey(kind as format.TextKeyKind, format.decodeTextKey(kind as format.TextKeyKind, new TextDecoder().decode(bytes))),
    ),
};

/** Good, but not as our writer does it. */
const otherwise = /unknown-key|parent-missing|ok-(file|windows|lower-case|look-alikes|groups-of-4|spaces)\.txt$|text-key\/ok-file/;

for (const { path, vector } of readVectorFiles()) {
  const encode = again[vector.container];
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

function write(run: (writer: format.ByteWriter) => void): Uint8Array {
  const writer = new format.ByteWriter();
  run(writer);
  return writer.finish();
}

function encodePageAgain(bytes: Uint8Array): Uint8Array {
  const count = bytes.length / 36;
  const names = format.concatBytes(Array.from({ length: count }, (_, index) => bytes.subarray(index * 36, index * 36 + 32)));
  return format.encodeIndexPage(
    names,
    Array.from({ length: count }, (_, index) => format.packOrdinalAt(bytes, index)),
  );
}

function encodeSlotAgain(bytes: Uint8Array, { keyEncryptionKey, objectName }: ParsedVector['header']): Uint8Array {
  const { nonce, sealed: _sealed, additionalData: _data, ...slot } = format.decodeKeySlot(bytes, objectName);
  const key = format.fromHex(keyEncryptionKey!);
  const accessKey = format.openKeySlot(format.decodeKeySlot(bytes, objectName), key);
  return format.encodeKeySlot(slot as format.SlotDescription, { keyEncryptionKey: key, accessKey, nonce });
}

function encodeKeyringAgain(bytes: Uint8Array, header: ParsedVector['header']): Uint8Array {
  const accessKey = format.fromHex(header.accessKey!);
  const repositoryId = format.fromHex(header.repository!);
  const keyring = format.decodeKeyring(bytes, header.grants as format.Grants, { accessKey, repositoryId, number: Number(header.number) });
  return format.encodeKeyring(keyring, { accessKey, repositoryId, nonce: bytes.slice(0, 12) });
}
