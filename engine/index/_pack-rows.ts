import { decodePackRows, encodePackRows, idToBytes, type PackRow, packRowLayout } from '../../repo-format/mod.ts';
import { NameMap } from '../names/mod.ts';

const firstRows = 1024;

/** The pack table of a merged table: each pack once, as it will be stored (objects would take three times as much). */
export class PackRows {
  #rows = new Uint8Array(firstRows * packRowLayout.sizeBytes);
  #count = 0;
  /** Ids are 16 bytes, as much as it looks at. */
  readonly #ordinals = new NameMap();

  get count(): number {
    return this.#count;
  }

  get bytes(): Uint8Array {
    return this.#rows.subarray(0, this.#count * packRowLayout.sizeBytes);
  }

  at(ordinal: number): PackRow {
    const { sizeBytes } = packRowLayout;
    return decodePackRows(this.bytes.subarray(ordinal * sizeBytes, (ordinal + 1) * sizeBytes))[0]!;
  }

  /** The pack's ordinal; the first row of a pack stays. */
  add(row: PackRow): number {
    const id = idToBytes(row.id);
    const known = this.#ordinals.get(id, 0);
    if (known >= 0) return known;
    const offset = this.#count * packRowLayout.sizeBytes;
    if (offset === this.#rows.length) this.#grow();
    this.#rows.set(encodePackRows([row]), offset);
    this.#ordinals.add(id, 0, this.#count);
    return this.#count++;
  }

  #grow(): void {
    const rows = new Uint8Array(this.#rows.length * 2);
    rows.set(this.#rows);
    this.#rows = rows;
  }
}
