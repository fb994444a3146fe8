/** Decodes the bytes of a vector, by its container, into a value that compares with the vector's result. */
import { argon2Sync } from 'node:crypto';
import { createBLAKE3 } from 'hash-wasm';
import { createPlainKernel } from '../../engine/kernel/mod.ts';
import { decodeWords } from '../../engine/keys/_words.ts';
import * as format from '../../repo-format/mod.ts';

type Header = Readonly<Record<string, string>>;
type Decode = (bytes: Uint8Array, header: Header) => unknown;

export const decoders: Readonly<Record<string, Decode>> = {
  varint: (bytes) => whole(bytes, (reader) => reader.bigVarint()),
  svarint: (bytes) => whole(bytes, (reader) => reader.svarint()),
  cbor: (bytes) => format.decodeCbor(bytes, { objectName: 'vector' }).value,
  'object-name': (bytes) => format.parseObjectName(textOf(bytes)),
  'object-id': (bytes) => format.objectIdOf(textOf(bytes)),
  access: (bytes, { known }) => format.accessAllowed(format.decodeFormatFile(bytes).features, new Set(known!.split(' '))),
  'features-within': (bytes, { inner }) => {
    format.expectFeaturesWithin(format.decodeFormatFile(bytes).features, JSON.parse(inner!), 'vector');
    return true;
  },
  sealed: openSealed,
  segment: (bytes, { key, header, number, segmentOffset }) =>
    format.openStoredSegment(hex(key), hex(header), { number: Number(number), offset: Number(segmentOffset), objectName: 'vector' }, bytes),
  footer: (bytes, { fileSize, limit }) =>
    format.parseSealedFooter(bytes, { objectName: 'vector', fileSizeBytes: Number(fileSize), limit: Number(limit) }),
  block: (bytes, { kind }) => format.decodeBlock(bytes, 'vector', kind as format.PackKind),
  'pack-contents': (bytes, { kind, contentsOffset }) =>
    format
      .decodePackContents(bytes, 'vector', { kind: kind as format.PackKind, contentsOffset: Number(contentsOffset) })
      .map((block) => ({ ...block, chunkLengths: [...block.chunkLengths] })),
  'chunk-name': (bytes, { key }) => blake3(hex(key), bytes),
  'pack-rows': (bytes) => format.decodePackRows(bytes, 'vector'),
  'index-page': decodePage,
  filter: (bytes, { blocks, name }) => format.filterContains(bytes, Number(blocks), hex(name)),
  'index-contents': (bytes, { contentsOffset }) => format.decodeIndexContents(bytes, 'vector', Number(contentsOffset)),
  node: (bytes) => format.decodeNode(bytes, 'vector'),
  snapshot: (bytes, { objectName }) => format.decodeSnapshot(bytes, objectName ?? 'vector'),
  root: (bytes, { objectName }) => format.decodeRoot(bytes, objectName ?? 'vector'),
  configuration: (bytes) => format.decodeConfiguration(bytes, 'vector'),
  'format-file': (bytes) => format.decodeFormatFile(bytes),
  hold: (bytes) => format.decodeHold(bytes, 'vector'),
  'deletion-mark': (bytes) => format.decodeDeletionMark(bytes, 'vector'),
  annotation: (bytes) => format.decodeAnnotation(bytes, 'vector'),
  'damage-report': (bytes) => format.decodeDamageReport(bytes, 'vector'),
  verification: (bytes) => format.decodeVerification(bytes, 'vector'),
  catalogue: (bytes) => format.decodeCatalogue(bytes, 'vector'),
  'lost-list': (bytes) => format.decodeLostList(bytes, 'vector'),
  'key-slot': openSlot,
  keyring: (bytes, { grants, accessKey, repository, number }) =>
    format.decodeKeyring(bytes, grants as format.Grants, {
      accessKey: hex(accessKey),
      repositoryId: hex(repository),
      number: Number(number),
      objectName: 'vector',
    }),
  'derived-keys': deriveKeys,
  'key-encryption-key': keyEncryptionKey,
  'text-key': (bytes, { kind }) => format.decodeTextKey(kind as format.TextKeyKind, textOf(bytes)),
  'key-words': (bytes) => decodeWords(textOf(bytes)),
  cutting: cuts,
};

const keyedHashers = new Map<string, Awaited<ReturnType<typeof createBLAKE3>>>();

/** Must have been awaited for each key before {@link decoders} needs it. */
export async function prepareKey(key: string): Promise<void> {
  keyedHashers.set(key, await createBLAKE3(256, hex(key)));
}

function blake3(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return keyedHashers.get(format.toHex(key))!.init().update(bytes).digest('binary');
}

function whole<T>(bytes: Uint8Array, read: (reader: format.ByteReader) => T): T {
  const reader = new format.ByteReader(bytes, 'vector');
  const value = read(reader);
  reader.end();
  return value;
}

function openSealed(bytes: Uint8Array, { kind, classKey, repository, objectId }: Header): unknown {
  return format.openObject(bytes, {
    kind: kind as format.ObjectKind,
    repositoryId: hex(repository),
    objectId: hex(objectId),
    classKeyOf: () => hex(classKey),
    objectName: 'vector',
  });
}

function decodePage(bytes: Uint8Array, header: Header): unknown {
  const count = format.checkRows(bytes, {
    packs: Number(header.packs),
    objectName: 'vector',
    rows: header.rows === undefined ? undefined : Number(header.rows),
    firstName: optionalHex(header.firstName),
    below: optionalHex(header.below),
  });
  return Array.from({ length: count }, (_, index) => {
    const name = bytes.subarray(index * 36, index * 36 + 32);
    return { name, packOrdinal: format.findInPage(bytes, name) };
  });
}

function openSlot(bytes: Uint8Array, { objectName, keyEncryptionKey: key, proofKey }: Header): unknown {
  const decoded = format.decodeKeySlot(bytes, objectName);
  const accessKey = format.openKeySlot(decoded, hex(key));
  const { nonce: _nonce, sealed: _sealed, additionalData: _data, proof: _proof, provenData: _proven, ...slot } = decoded;
  return { slot, accessKey, ...(proofKey !== undefined && { isProven: format.isProven(decoded, hex(proofKey)) }) };
}

function deriveKeys(bytes: Uint8Array, { repository }: Header): unknown {
  const derive = (key: keyof typeof format.derivedKeys) => format.deriveKey(bytes, hex(repository), key);
  return {
    data: derive('data'),
    metadata: derive('metadata'),
    name: derive('name'),
    metadataName: derive('metadataName'),
    cut: derive('cut'),
    metadataAccess: format.metadataAccessKey(bytes, hex(repository)),
  };
}

function keyEncryptionKey(bytes: Uint8Array, { kind, salt, ephemeral, recipient, memoryKiB, passes, lanes }: Header): Uint8Array {
  if (kind === 'key-file') return format.keyFileEncryptionKey(bytes, hex(salt));
  if (kind === 'recipient')
    return format.recipientEncryptionKey(bytes, { salt: hex(salt), ephemeral: hex(ephemeral), recipient: hex(recipient) });
  const message = textOf(bytes).normalize('NFC');
  return argon2Sync('argon2id', {
    message,
    nonce: hex(salt),
    memory: Number(memoryKiB),
    passes: Number(passes),
    parallelism: Number(lanes),
    tagLength: 32,
  });
}

function cuts(bytes: Uint8Array, { cutKey, horizonBytes, gridBytes }: Header): number[] {
  const kernel = createPlainKernel({
    dataSizeBytes: Math.max(1, bytes.length),
    nameKey: new Uint8Array(32),
    metadataNameKey: new Uint8Array(32),
    cutKey: hex(cutKey),
    cutting: { horizonBytes: Number(horizonBytes), gridBytes: Number(gridBytes) },
  });
  kernel.data.set(bytes);
  kernel.cutter.begin(0);
  return [...kernel.cutter.feed(0, bytes.length), ...kernel.cutter.finish()];
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function hex(text: string | undefined): Uint8Array {
  return format.fromHex(text!);
}

function optionalHex(text: string | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : hex(text);
}
