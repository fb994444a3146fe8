/** Each vector that a reader must reject, sealed and put where a repository has such a thing. */
import { randomBytes } from 'node:crypto';
import * as format from '../../repo-format/mod.ts';
import type { ParsedVector } from '../../spec/vectors/_vector.ts';
import type { Forge } from '../spec/_forge.ts';
import { readVectorFiles } from '../spec/_vector-files.ts';
import { chunk, directory, fileEntry, type HostileCase, snapshotOf, snapshotOfBlock, snapshotOfNode } from './_case.ts';

type Place = (forge: Forge, vector: ParsedVector) => Promise<unknown>;

const newId = <Id extends string = format.ObjectId>() => format.idFromBytes<Id>(randomBytes(16));
const small =
  (kind: format.ObjectKind, name: () => string): Place =>
  (forge, { bytes }) =>
    forge.seal(name(), kind, bytes);
const snapshotName = () => format.objectNames.snapshot(0, newId<format.SessionId>());

const places: Readonly<Record<string, Place>> = {
  node: placeNode,
  block: (forge, { bytes }) => snapshotOfBlock(forge, { chunks: [chunk], plaintext: bytes }),
  'pack-contents': (forge, { bytes }) => snapshotOfBlock(forge, { chunks: [chunk] }, { contents: bytes }),
  'pack-rows': (forge, { bytes }) => placeTable(forge, { packRows: bytes }),
  'index-page': (forge, { bytes }) => placeTable(forge, { page: bytes }),
  'index-contents': (forge, { bytes }) => placeTable(forge, { contents: bytes }),
  snapshot: small('snapshot', snapshotName),
  cbor: small('snapshot', snapshotName),
  root: small('root', () => format.objectNames.root(1)),
  configuration: small('configuration', () => format.objectNames.configuration(1)),
  'format-file': (forge, { bytes }) => replace(forge, format.objectNames.format, bytes),
  'key-slot': replaceSlots,
  hold: small('hold', () => format.objectNames.hold(newId())),
  'deletion-mark': small('deletion-mark', () => format.objectNames.deletionMark(newId())),
  annotation: placeAnnotation,
  'damage-report': small('damage-report', () => format.objectNames.damageReport(newId())),
  verification: small('verification', () => format.objectNames.verification(newId())),
  catalogue: small('catalogue', () => format.objectNames.catalogue(newId())),
  'lost-list': small('lost-list', () => format.objectNames.lostList(newId())),
};

/** A slot's name is another one here, and so is the object that CBOR stands in: what is looked at first may give another code. */
const alsoRight: Readonly<Record<string, readonly format.ErrorCode[]>> = {
  'key-slot': ['name-mismatch', 'wrong-key', 'no-key', 'malformed'],
  snapshot: ['name-mismatch'],
  root: ['name-mismatch'],
  'index-page': ['malformed'],
  'index-contents': ['malformed'],
  'format-file': ['authentication-failed', 'name-mismatch'],
};

export const vectorCases: readonly HostileCase[] = readVectorFiles()
  .filter(({ vector }) => vector.expect !== 'ok' && vector.bytes.length > 0 && places[vector.container] !== undefined)
  .map(({ path, vector }) => ({
    name: `vector ${path.replace('.txt', '')}`,
    expect: [vector.expect as format.ErrorCode, ...(alsoRight[vector.container] ?? [])],
    build: (forge) => places[vector.container]!(forge, vector),
  }));

/** A directory becomes the top folder, a content that of a file, a list of packs the snapshot's. */
async function placeNode(forge: Forge, { bytes }: ParsedVector): Promise<void> {
  if (bytes[0] === 3) {
    const [list] = await forge.nodes([bytes]);
    const [tree] = await forge.nodes([directory([fileEntry('f')])]);
    await snapshotOf(forge, { tree: tree!, packs: { ...list!, height: bytes[2] ?? 0, count: 1 }, listPacks: [list!.pack] });
  } else if (bytes[0] === 2) {
    const [node] = await forge.nodes([bytes]);
    const content = { form: 'node', node: node!, height: Math.min(bytes[2] ?? 0, 32), packs: [node!.pack] } as const;
    await snapshotOfNode(forge, directory([fileEntry('f', { content, size: 5 })]), { packs: [node!.pack] });
  } else await snapshotOfNode(forge, bytes.length === 0 ? new Uint8Array(1) : bytes);
}

/** A snapshot, and an index table of one pack of which some plaintext is the vector's. */
async function placeTable(forge: Forge, forged: { packRows?: Uint8Array; page?: Uint8Array; contents?: Uint8Array }): Promise<void> {
  const pack = await forge.pack('pack', [{ chunks: [chunk] }]);
  const name = forge.nameOf(chunk, 'pack');
  const extents: format.Extent[] = [{ kind: 'data', length: chunk.length, name, pack }];
  await snapshotOfNode(forge, directory([fileEntry('f', { content: { form: 'inline', extents } })]), { packs: [pack] });
  const packRows = forged.packRows ?? format.encodePackRows([{ id: pack, kind: 'pack', chunkCount: 1, storedSizeBytes: 1 }]);
  const page = forged.page ?? format.encodeIndexPage(name, [0]);
  const rows = Math.max(1, Math.floor(page.length / format.indexRowLayout.sizeBytes));
  const contents = { rows, packs: 1, sampleRows: 0, firstNames: page.slice(0, 32), replaced: [], older: [], leftOut: [] };
  const filter = new Uint8Array(format.filterBlockCount(rows) * format.filterLayout.blockSizeBytes).fill(255);
  const segments = [packRows, page, filter].filter(({ length }) => length > 0);
  const table = format.objectNames.sessionIndex(0, newId<format.SessionId>(), 0, 0);
  await forge.segmented(table, 'index-table', { segments, contents: forged.contents ?? format.encodeIndexContents(contents) });
}

async function placeAnnotation(forge: Forge, { bytes }: ParsedVector): Promise<void> {
  const { session } = await snapshotOf(forge, {});
  await forge.seal(format.objectNames.annotation(session, 0), 'annotation', bytes);
}

async function replace({ storage }: Forge, name: string, bytes: Uint8Array): Promise<void> {
  await storage.delete([name]);
  await storage.create(name, [bytes]);
}

/** The only slot that there is then. */
async function replaceSlots(forge: Forge, { bytes, header }: ParsedVector): Promise<void> {
  for await (const { name } of forge.storage.list(format.objectPrefixes.keySlots)) await forge.storage.delete([name]);
  await forge.storage.create(header.objectName ?? format.objectNames.keySlot(newId()), [bytes]);
}
