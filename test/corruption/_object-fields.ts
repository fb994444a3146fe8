/** The fields of an object as it is stored, one after another and without a gap: what damage can hit, and where it can be cut. */
import * as format from '../../repo-format/mod.ts';

export interface StoredField {
  /** Such as `header: salt` or `segment 1: tag`. */
  readonly name: string;
  readonly offset: number;
  readonly length: number;
}

/** All fields of an object. Of clear CBOR each byte counts as a field. */
export function fieldsOf(name: string, bytes: Uint8Array): StoredField[] {
  const { type } = format.parseObjectName(name)!;
  const fields = new Fields();
  if (type === 'format' || type === 'key-slot') {
    for (let at = 0; at < bytes.length; at++) fields.add('clear', 1);
  } else if (type === 'keyring') {
    fields.add('nonce', 12);
    fields.addSealed('keyring', bytes.length - 12);
  } else {
    addHeader(fields);
    if (type === 'pack' || type === 'session-index' || type === 'base-index') addSegments(fields, bytes);
    else addSegment(fields, { name: 'segment', sealedLength: bytes.length - fields.end - 4 });
  }
  if (fields.end !== bytes.length) throw new Error(`${name}: the fields end at ${fields.end} of ${bytes.length}`);
  return fields.list;
}

class Fields {
  readonly list: StoredField[] = [];
  end = 0;

  add(name: string, length: number): void {
    this.list.push({ name, offset: this.end, length });
    this.end += length;
  }

  /** Ciphertext and tag. */
  addSealed(name: string, length: number): void {
    this.add(`${name}: ciphertext`, length - format.aeadTagSizeBytes);
    this.add(`${name}: tag`, format.aeadTagSizeBytes);
  }
}

function addHeader(fields: Fields): void {
  const { sealedLayout: layout } = format;
  const starts = [
    ['magic', layout.magic],
    ['kind', layout.kind],
    ['version', layout.version],
    ['epoch', layout.epoch],
    ['reserved', layout.reserved],
    ['repository id', layout.repositoryId],
    ['object id', layout.objectId],
    ['salt', layout.salt],
    ['', layout.headerSizeBytes],
  ] as const;
  for (let index = 0; index + 1 < starts.length; index++) fields.add(`header: ${starts[index]![0]}`, starts[index + 1]![1] - fields.end);
}

/** Segments follow each other up to the footer; each says its length. */
function addSegments(fields: Fields, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const footer = bytes.length - format.footerLayout.sizeBytes;
  const contents = Number(view.getBigUint64(footer, true));
  for (let number = 0; fields.end < footer; number++) {
    const name = fields.end === contents ? 'contents' : `segment ${number}`;
    addSegment(fields, { name, sealedLength: view.getUint32(fields.end, true) });
  }
  fields.add('footer: offset', 8);
  fields.add('footer: length', 4);
  fields.add('footer: magic', 4);
}

function addSegment(fields: Fields, { name, sealedLength }: { name: string; sealedLength: number }): void {
  fields.add(`${name}: length`, format.sealedLayout.lengthFieldSizeBytes);
  fields.addSealed(name, sealedLength);
}
