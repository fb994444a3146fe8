/**
 * What can be seen of an object without a key, while it passes by: its header (spec/sealed.md), that its segments follow each other without a gap, its footer, and that it is
 * no longer than its kind may be. Nothing of it is kept.
 */
import {
  decodeFormatFile,
  decodeKeySlot,
  type ExpectedHeader,
  footerLayout,
  LaganError,
  limits,
  type ObjectKind,
  type ObjectName,
  objectIdOf,
  parseSealedFooter,
  parseSealedHeader,
  sealedLayout,
} from '../../repo-format/mod.ts';
import { serveLimits } from './limits.ts';

export interface ObjectCheck {
  /** The most that the object may have. */
  readonly limitBytes: number;
  /** Codes: malformed, name-mismatch, repository-too-new, limit-exceeded. */
  add(bytes: Uint8Array): void;
  /** All bytes were added. Codes as of {@link add}. */
  end(): void;
}

type Type = ObjectName['type'];

/** A name without a kind is that of a clear object. A pack's kind is not in its name. */
const sealedKinds: Partial<Record<Type, readonly ObjectKind[]>> = {
  configuration: ['configuration'],
  hold: ['hold'],
  'deletion-mark': ['deletion-mark'],
  'damage-report': ['damage-report'],
  verification: ['verification'],
  'base-index': ['index-table'],
  'session-index': ['index-table'],
  catalogue: ['catalogue'],
  'lost-list': ['lost-list'],
  annotation: ['annotation'],
  pack: ['pack', 'metadata-pack'],
  snapshot: ['snapshot'],
  checkpoint: ['checkpoint'],
  root: ['root'],
};

/** `repositoryId` is undefined as long as the repository is being made. */
export function objectCheckOf(
  parsed: ObjectName,
  { name, repositoryId }: { name: string; repositoryId: Uint8Array | undefined },
): ObjectCheck {
  const kinds = sealedKinds[parsed.type];
  if (kinds === undefined) return new ClearCheck(parsed, name);
  return new SealedCheck(name, { kinds, limitBytes: limitOf(parsed.type), expected: { repositoryId, objectId: objectIdOf(name) } });
}

/** An object of which nothing is known but how long it may be. */
export class SizeCheck implements ObjectCheck {
  readonly limitBytes: number;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  add(): void {}

  end(): void {}
}

function limitOf(type: Type): number {
  if (type === 'pack') return limits.packSizeBytes + limits.packContentsSizeBytes;
  if (type === 'base-index' || type === 'session-index') return serveLimits.indexTableSizeBytes;
  return type === 'root' ? limits.rootSizeBytes : limits.smallObjectSizeBytes;
}

class ClearCheck implements ObjectCheck {
  readonly limitBytes: number;
  readonly #parsed: ObjectName;
  readonly #name: string;
  readonly #parts: Uint8Array[] = [];

  constructor(parsed: ObjectName, name: string) {
    this.limitBytes = parsed.type === 'keyring' ? limits.keyringSizeBytes : limits.clearObjectSizeBytes;
    this.#parsed = parsed;
    this.#name = name;
  }

  add(bytes: Uint8Array): void {
    this.#parts.push(bytes);
  }

  end(): void {
    const bytes = Buffer.concat(this.#parts);
    if (this.#parsed.type === 'format') decodeFormatFile(bytes, this.#name);
    if (this.#parsed.type === 'key-slot') this.#checkSlot(bytes, this.#parsed.id);
    const { nonceSizeBytes, tagSizeBytes } = sealedLayout;
    if (this.#parsed.type === 'keyring' && bytes.length <= nonceSizeBytes + tagSizeBytes)
      throw malformed(this.#name, 'too short for a keyring', bytes.length);
  }

  #checkSlot(bytes: Uint8Array, id: string): void {
    const slot = decodeKeySlot(bytes, this.#name);
    if (slot.id === id) return;
    throw new LaganError('name-mismatch', `${this.#name}: the slot has another id`, { object: this.#name, expected: id, found: slot.id });
  }
}

interface SealedRules {
  readonly kinds: readonly ObjectKind[];
  readonly limitBytes: number;
  readonly expected: ExpectedHeader;
}

class SealedCheck implements ObjectCheck {
  readonly limitBytes: number;
  readonly #name: string;
  readonly #rules: SealedRules;
  readonly #header = Buffer.alloc(sealedLayout.headerSizeBytes);
  /** The last bytes that were added, as many as a footer has. */
  #tail: Uint8Array = new Uint8Array(0);
  #sizeBytes = 0;
  /** Where the next segment, or the footer, begins; before it, where the last two segments did. */
  #starts: number[] = [sealedLayout.headerSizeBytes];
  /** Of the length field there. */
  #lengthBytes: number[] = [];
  /** What stands there is no length: it can only be a footer. */
  #mustBeFooter = false;
  #segments = 0;

  constructor(name: string, rules: SealedRules) {
    this.#name = name;
    this.#rules = rules;
    this.limitBytes = rules.limitBytes;
  }

  add(bytes: Uint8Array): void {
    const from = this.#sizeBytes;
    this.#sizeBytes += bytes.length;
    if (from < this.#header.length) this.#addToHeader(bytes, from);
    this.#walk(bytes, from);
    this.#tail = Buffer.concat([this.#tail, bytes.subarray(-footerLayout.sizeBytes)]).subarray(-footerLayout.sizeBytes);
  }

  end(): void {
    if (this.#sizeBytes < this.#header.length) parseSealedHeader(this.#header.subarray(0, this.#sizeBytes), {}, this.#name);
    if (this.#isFooted()) this.#checkFooter();
    else this.#checkOnlySegment();
  }

  #checkOnlySegment(): void {
    const isWhole = this.#segments === 1 && this.#start === this.#sizeBytes;
    if (!isWhole) throw malformed(this.#name, 'its one segment does not end where the object ends', this.#sizeBytes);
  }

  #isFooted(): boolean {
    return this.#rules.kinds.some((kind) => kind === 'pack' || kind === 'index-table');
  }

  #addToHeader(bytes: Uint8Array, from: number): void {
    this.#header.set(bytes.subarray(0, this.#header.length - from), from);
    if (this.#sizeBytes < this.#header.length) return;
    const { kinds, expected } = this.#rules;
    const { kind } = parseSealedHeader(this.#header, expected, this.#name);
    if (!kinds.includes(kind)) throw malformed(this.#name, `a ${kind} under the name of a ${kinds[0]}`, sealedLayout.kind);
  }

  get #start(): number {
    return this.#starts.at(-1)!;
  }

  /** Goes from length field to length field. */
  #walk(bytes: Uint8Array, from: number): void {
    const { lengthFieldSizeBytes, smallestSealedLength } = sealedLayout;
    while (this.#start + this.#lengthBytes.length < this.#sizeBytes) {
      if (this.#mustBeFooter) {
        if (this.#sizeBytes <= this.#start + footerLayout.sizeBytes) return;
        throw malformed(this.#name, 'a segment that is too short', this.#start);
      }
      this.#lengthBytes.push(bytes[this.#start + this.#lengthBytes.length - from]!);
      if (this.#lengthBytes.length < lengthFieldSizeBytes) continue;
      const length = Buffer.from(this.#lengthBytes).readUInt32LE();
      if (length < smallestSealedLength) this.#mustBeFooter = true;
      else this.#next(length);
    }
  }

  #next(length: number): void {
    this.#starts = [...this.#starts.slice(-2), this.#start + sealedLayout.lengthFieldSizeBytes + length];
    this.#lengthBytes = [];
    this.#segments++;
    if (this.#segments > limits.blocksPerPack + 2 && this.#rules.kinds.includes('pack'))
      throw malformed(this.#name, 'too many segments', this.#start);
  }

  /** The first bytes of a footer were taken for a length, which leads beyond the end. */
  #checkFooter(): void {
    const at = this.#sizeBytes - footerLayout.sizeBytes;
    const contentsLimit = this.#rules.kinds.includes('pack') ? limits.packContentsSizeBytes : limits.indexContentsSizeBytes;
    const { offset } = parseSealedFooter(this.#tail, { objectName: this.#name, fileSizeBytes: this.#sizeBytes, limit: contentsLimit });
    const index = this.#starts.indexOf(at);
    if (index < 0) throw malformed(this.#name, 'its segments do not end at the footer', at);
    if (this.#starts[index - 1] !== offset) throw malformed(this.#name, 'its contents are not the last segment', offset);
  }
}

function malformed(name: string, what: string, offset: number): LaganError {
  return new LaganError('malformed', `${name}: ${what} (at offset ${offset})`, { object: name, offset });
}
