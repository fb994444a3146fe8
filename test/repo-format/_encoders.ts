/** Decodes what a container holds and encodes it again: what a writer of ours would have stored for the same value. */
import * as format from '../../repo-format/mod.ts';
import type { ParsedVector } from '../../spec/vectors/_vector.ts';

type Again = (bytes: Uint8Array, header: ParsedVector['header']) => Uint8Array;

export const encodedAgain: Readonly<Record<string, Again>> = {
  cbor: (bytes) => format.encodeCbor(format.decodeCbor(bytes).value),
  varint: (bytes) => write((writer) => writer.bigVarint(whole(bytes, (reader) => reader.bigVarint()))),
  svarint: (bytes) => write((writer) => writer.svarint(whole(bytes, (reader) => reader.svarint()))),
  block: (bytes, { kind }) => {
    const block = format.decodeBlock(bytes, 'vector', kind as format.PackKind);
    return format.concatBytes([format.encodeBlockPrefix(block), block.payload]);
  },
  'pack-contents': (bytes, { kind }) =>
    format.encodePackContents(format.decodePackContents(bytes, 'vector', { kind: kind as format.PackKind })),
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

/** Containers of which a value has one encoding only. In the others a reader passes over keys that it does not know, or tables may be in another order. */
export const canonicalContainers: ReadonlySet<string> = new Set([
  'cbor',
  'varint',
  'svarint',
  'block',
  'pack-contents',
  'pack-rows',
  'index-page',
]);

function whole<T>(bytes: Uint8Array, read: (reader: format.ByteReader) => T): T {
  const reader = new format.ByteReader(bytes, 'vector');
  const value = read(reader);
  reader.end();
  return value;
}

function write(run: (writer: format.ByteWriter) => void): Uint8Array {
  const writer = new format.ByteWriter();
  run(writer);
  return writer.finish();
}

function encodePageAgain(bytes: Uint8Array, { packs }: ParsedVector['header']): Uint8Array {
  const count = format.checkRows(bytes, { packs: Number(packs) });
  const names = format.concatBytes(Array.from({ length: count }, (_, index) => bytes.subarray(index * 36, index * 36 + 32)));
  return format.encodeIndexPage(
    names,
    Array.from({ length: count }, (_, index) => format.packOrdinalAt(bytes, index)),
  );
}

function encodeSlotAgain(bytes: Uint8Array, { keyEncryptionKey, objectName, proofKey }: ParsedVector['header']): Uint8Array {
  const { nonce, sealed: _sealed, additionalData: _data, proof, provenData: _proven, ...slot } = format.decodeKeySlot(bytes, objectName);
  const key = format.fromHex(keyEncryptionKey!);
  const accessKey = format.openKeySlot(format.decodeKeySlot(bytes, objectName), key);
  // A proof that came into a slot whose vector has none cannot be made again without its key.
  if (proof !== null && proofKey === undefined) return bytes;
  const proven = proof === null ? undefined : format.fromHex(proofKey!);
  return format.encodeKeySlot(slot as format.SlotDescription, { keyEncryptionKey: key, accessKey, nonce, proofKey: proven });
}

function encodeKeyringAgain(bytes: Uint8Array, header: ParsedVector['header']): Uint8Array {
  const accessKey = format.fromHex(header.accessKey!);
  const repositoryId = format.fromHex(header.repository!);
  const keyring = format.decodeKeyring(bytes, header.grants as format.Grants, { accessKey, repositoryId, number: Number(header.number) });
  return format.encodeKeyring(keyring, { accessKey, repositoryId, nonce: bytes.slice(0, 12) });
}
