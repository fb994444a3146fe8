/** The bytes of requests and answers: kept and sent in pieces, taken within limits of rate and of silence. */
import { createHash } from 'node:crypto';
import { addAbortListener } from 'node:events';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import type { TransferLimits } from './_transfer-limits.ts';
import { storageLimits } from './limits.ts';

/** Bytes in pieces that belong to us, with their checksum: an object, or a part of one, that may have to be sent again. */
export class PieceBuffer {
  #pieces: Uint8Array[] = [];
  #filled = 0;
  #sizeBytes = 0;
  #crc = 0;

  /** Copies the bytes. */
  append(bytes: Uint8Array): void {
    this.#crc = crc32(bytes, this.#crc);
    this.#sizeBytes += bytes.length;
    for (let offset = 0; offset < bytes.length; ) {
      const last = this.#pieces.at(-1);
      if (last === undefined || this.#filled === last.length) this.#addPiece(bytes.length - offset);
      else offset += this.#fill(last, bytes.subarray(offset));
    }
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get pieces(): readonly Uint8Array[] {
    const last = this.#pieces.at(-1);
    return last === undefined ? [] : [...this.#pieces.slice(0, -1), last.subarray(0, this.#filled)];
  }

  /** CRC-32 as four bytes, most significant first, in base64. */
  get crc32(): string {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(this.#crc);
    return bytes.toString('base64');
  }

  get sha256(): string {
    const hash = createHash('sha256');
    for (const piece of this.pieces) hash.update(piece);
    return hash.digest('hex');
  }

  /** Small objects take little, large ones whole pieces. */
  #addPiece(neededBytes: number): void {
    const { pieceSizeBytes } = storageLimits.s3;
    const grown = Math.max(neededBytes, this.#sizeBytes, 1024);
    this.#pieces.push(new Uint8Array(Math.min(pieceSizeBytes, grown)));
    this.#filled = 0;
  }

  #fill(piece: Uint8Array, bytes: Uint8Array): number {
    const count = Math.min(piece.length - this.#filled, bytes.length);
    piece.set(bytes.subarray(0, count), this.#filled);
    this.#filled += count;
    return count;
  }
}

/** The pieces as a stream that keeps to the upload limit. It ends with an error only if `signal` is aborted. */
export function streamOf(pieces: readonly Uint8Array[], { limits, signal }: { limits: TransferLimits; signal: AbortSignal }): Readable {
  const stream = Readable.from(slowed(pieces, limits, signal), { objectMode: false, highWaterMark: 2 * storageLimits.s3.pieceSizeBytes });
  stream.on('error', () => undefined); // Only by the signal, which ends the request, too.
  return stream;
}

async function* slowed(pieces: readonly Uint8Array[], limits: TransferLimits, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const sizeBytes = limits.uploadPieceSizeBytes;
  for (const piece of pieces) {
    for (let offset = 0; offset < piece.length; offset += sizeBytes) {
      const part = piece.subarray(offset, offset + sizeBytes);
      await limits.upload(part.length, signal);
      yield part;
    }
  }
}

/** An answer that came to an end, or to a halt, before it was whole. */
export class BrokenAnswer extends Error {
  readonly reason: 'cut' | 'silent';

  constructor(reason: 'cut' | 'silent', message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

export interface Reading {
  /** Bytes of the answer that are not wanted, before those that are. */
  readonly skip: number;
  readonly silenceMs: number;
  readonly limits: TransferLimits;
  readonly signal: AbortSignal;
  /** Is told of the bytes that came, so that the rest can be asked for again. */
  readonly onBytes: (count: number) => void;
}

/** Fills `target` with the bytes of an answer. Errors: {@link BrokenAnswer}. */
export async function readInto(body: Readable, target: Uint8Array, { skip, silenceMs, limits, signal, onBytes }: Reading): Promise<void> {
  let unwanted = skip;
  let filled = 0;
  const watch = new SilenceWatch(body, silenceMs);
  const abortion = addAbortListener(signal, () => body.destroy());
  try {
    // To its end, if that is where the wanted bytes end: only then the connection serves again.
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      watch.pause();
      await limits.download(chunk.length, signal);
      const skipped = Math.min(unwanted, chunk.length);
      const bytes = chunk.subarray(skipped, skipped + target.length - filled);
      unwanted -= skipped;
      target.set(bytes, filled);
      filled += bytes.length;
      onBytes(bytes.length);
      if (skipped + bytes.length < chunk.length) break;
      watch.start();
    }
  } catch (error) {
    throw watch.error ?? new BrokenAnswer('cut', `the answer was cut off after ${filled} of ${target.length} bytes`, error);
  } finally {
    watch.pause();
    abortion[Symbol.dispose]();
    body.destroy();
  }
  if (filled < target.length) throw new BrokenAnswer('cut', `the answer ended after ${filled} of ${target.length} bytes`);
}

/** Ends a body that gives nothing for too long. Time in which we do not want anything does not count. */
class SilenceWatch {
  error: BrokenAnswer | undefined;
  readonly #body: Readable;
  readonly #silenceMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(body: Readable, silenceMs: number) {
    this.#body = body;
    this.#silenceMs = silenceMs;
    this.start();
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.error = new BrokenAnswer('silent', `the answer came to a halt: nothing for ${this.#silenceMs} ms`);
      this.#body.destroy(this.error);
    }, this.#silenceMs);
  }

  pause(): void {
    clearTimeout(this.#timer);
  }
}
