/** Opens a whole object as a reader must that follows the specification, with repo-format alone. What is damaged is a LaganError. */
import type { Repository } from '../../engine/mod.ts';
import * as format from '../../repo-format/mod.ts';

const smallObjects = {
  configuration: format.decodeConfiguration,
  hold: format.decodeHold,
  'deletion-mark': format.decodeDeletionMark,
  annotation: format.decodeAnnotation,
  'damage-report': format.decodeDamageReport,
  verification: format.decodeVerification,
  snapshot: format.decodeSnapshot,
  checkpoint: format.decodeSnapshot,
  root: format.decodeRoot,
  catalogue: format.decodeCatalogue,
  'lost-list': format.decodeLostList,
} as const satisfies Partial<Record<format.ObjectKind, (payload: Uint8Array, name: string) => unknown>>;

export class ObjectOpener {
  readonly #repository: Repository;
  readonly #slots: ReadonlyMap<string, { readonly keyEncryptionKey: Uint8Array }>;

  /** `slots`: the key encryption key of each key slot, by its name. */
  constructor(repository: Repository, slots: ReadonlyMap<string, { readonly keyEncryptionKey: Uint8Array }>) {
    this.#repository = repository;
    this.#slots = slots;
  }

  /** Reads every byte of the object. `packKind`: of which kind of pack a reference says that it is. */
  open(name: string, bytes: Uint8Array, packKind: format.PackKind): void {
    const parsed = format.parseObjectName(name)!;
    if (parsed.type === 'format') this.#openFormat(name, bytes);
    else if (parsed.type === 'key-slot') this.#openSlot(name, bytes);
    else if (parsed.type === 'keyring') this.#openKeyring(name, bytes, parsed);
    else if (parsed.type === 'pack') this.#openPack(name, bytes, packKind);
    else if (parsed.type === 'session-index' || parsed.type === 'base-index') this.#openTable(name, bytes);
    else smallObjects[parsed.type](this.#openSmall(name, bytes, parsed.type), name);
  }

  #openFormat(name: string, bytes: Uint8Array): void {
    const { repositoryId, features } = format.decodeFormatFile(bytes, name);
    const { configuration, keys } = this.#repository;
    format.expectFeaturesWithin(features, configuration.features, name);
    if (!format.equalBytes(repositoryId, keys.repositoryId))
      throw new format.LaganError('name-mismatch', 'no object has that repository id');
  }

  #openSlot(name: string, bytes: Uint8Array): void {
    const slot = format.decodeKeySlot(bytes, name);
    const key = this.#slots.get(name) ?? [...this.#slots.values()][0]!;
    format.openKeySlot(slot, key.keyEncryptionKey);
  }

  #openKeyring(name: string, bytes: Uint8Array, { number, grants }: { number: number; grants: format.Grants }): void {
    const { access, keys } = this.#repository;
    const { repositoryId } = keys;
    const accessKey = grants === 'full' ? access!.accessKey : format.metadataAccessKey(access!.accessKey, repositoryId);
    format.decodeKeyring(bytes, grants, { repositoryId, number, accessKey, objectName: name });
  }

  #openSmall(name: string, bytes: Uint8Array, kind: format.ObjectKind): Uint8Array {
    const { keys } = this.#repository;
    const { repositoryId } = keys;
    const classKeyOf = (epoch: number) => keys.classKey(kind, epoch);
    return format.openObject(bytes, { kind, repositoryId, objectId: format.objectIdOf(name), classKeyOf, objectName: name }).payload;
  }

  #openPack(name: string, bytes: Uint8Array, kind: format.PackKind): void {
    const { open, contents, contentsOffset } = this.#openSegmented(name, bytes, kind);
    for (const [number, row] of format.decodePackContents(contents, name, { kind, contentsOffset }).entries()) {
      format.expectBlock(format.decodeBlock(open(number, row), name, kind), row, name);
    }
  }

  #openTable(name: string, bytes: Uint8Array): void {
    const { open, contents: plaintext, contentsOffset } = this.#openSegmented(name, bytes, 'index-table');
    const contents = format.decodeIndexContents(plaintext, name, contentsOffset);
    const segments = format.indexSegments(contents);
    const readAll = (run: format.SegmentRun, check: (plaintext: Uint8Array, rows: number) => unknown) => {
      for (let index = 0; index < format.segmentCount(run); index++) {
        const { number, place, items } = format.segmentAt(run, index);
        check(open(number, place), items);
      }
    };
    readAll(segments.packs, (rows) => format.decodePackRows(rows, name));
    for (const run of [segments.pages, segments.sample])
      readAll(run, (page, rows) => format.checkRows(page, { packs: contents.packs, rows, objectName: name }));
    readAll(segments.filter, () => undefined);
  }

  /** Header, footer and contents; `open` opens any other segment. */
  #openSegmented(name: string, bytes: Uint8Array, kind: format.ObjectKind) {
    const { keys } = this.#repository;
    const expect = { kind, repositoryId: keys.repositoryId, objectId: format.objectIdOf(name) };
    const { epoch } = format.parseSealedHeader(bytes, expect, name);
    const header = bytes.subarray(0, format.sealedLayout.headerSizeBytes);
    const key = format.objectKey(keys.classKey(kind, epoch), header);
    const open = (number: number, { offset, sealedLength }: { offset: number; sealedLength: number }) =>
      format.openStoredSegment(key, header, { number, offset, objectName: name }, bytes.subarray(offset, offset + 4 + sealedLength));
    const footer = bytes.subarray(Math.max(0, bytes.length - format.footerLayout.sizeBytes));
    const place = format.parseSealedFooter(footer, { objectName: name, fileSizeBytes: bytes.length });
    const contents = open(format.contentsSegmentNumber, { offset: place.offset, sealedLength: place.length });
    return { open, contents, contentsOffset: place.offset };
  }
}
