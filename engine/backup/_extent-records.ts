import type { Extent } from '../../repo-format/mod.ts';
import type { PackTable } from '../index/mod.ts';

/** kind u8 | length f64 | pack ordinal u32 | name 32 */
const recordSizeBytes = 45;
const kinds = ['data', 'hole', 'zeros'] as const;

/** The extents of a job's files on their way from a worker to the main thread: fixed-size records in one buffer. */
export class ExtentRecords {
  #bytes = Buffer.allocUnsafeSlow(recordSizeBytes * 64);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  addData(length: number, { names, offset, ordinal }: { names: Uint8Array; offset: number; ordinal: number }): void {
    const at = this.#begin(0, length);
    this.#bytes.writeUInt32LE(ordinal, at + 9);
    this.#bytes.set(names.subarray(offset, offset + 32), at + 13);
  }

  /** A hole or zeros; joined with the one before (within the same file: `firstOfFile` is the count when it began). */
  addEmpty(kind: 'hole' | 'zeros', length: number, firstOfFile: number): void {
    const code = kinds.indexOf(kind);
    const previous = (this.#count - 1) * recordSizeBytes;
    if (this.#count > firstOfFile && this.#bytes[previous] === code)
      this.#bytes.writeDoubleLE(this.#bytes.readDoubleLE(previous + 1) + length, previous + 1);
    else this.#begin(code, length);
  }

  /** The records, in a buffer of their own that can be transferred. */
  take(): Uint8Array {
    const taken = new Uint8Array(this.#bytes.subarray(0, this.#count * recordSizeBytes));
    this.#count = 0;
    return taken;
  }

  #begin(kind: number, length: number): number {
    const at = this.#count++ * recordSizeBytes;
    if (at + recordSizeBytes > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(this.#bytes.length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes[at] = kind;
    this.#bytes.writeDoubleLE(length, at + 1);
    return at;
  }
}

/** Reads `count` records from number `first` on. */
export function readExtents(records: Uint8Array, { first, count, packs }: { first: number; count: number; packs: PackTable }): Extent[] {
  const bytes = Buffer.from(records.buffer, records.byteOffset, records.byteLength);
  const extents = new Array<Extent>(count);
  for (let index = 0; index < count; index++) {
    const at = (first + index) * recordSizeBytes;
    const kind = kinds[bytes[at]!]!;
    const length = bytes.readDoubleLE(at + 1);
    extents[index] =
      kind === 'data'
        ? { kind, length, name: records.slice(at + 13, at + 45), pack: packs.packOf(bytes.readUInt32LE(at + 9)) }
        : { kind, length };
  }
  return extents;
}
