/**
 * One object on its way into an S3 store. It is kept in memory until it is whole, and then stored by one conditional request; an object that is larger than
 * `storageLimits.s3.partSizeBytes` is sent in parts while it grows, one part at a time, and appears when the last one is there.
 */
import assert from 'node:assert/strict';
import { checkObjectSize, throwIfInterrupted, totalSizeBytes } from './_names.ts';
import { PieceBuffer } from './_s3-body.ts';
import { storageLimits } from './limits.ts';
import type { CreateOutcome, ObjectWriter } from './storage.ts';

const largestSizeBytes = Math.min(storageLimits.objectSizeBytes, storageLimits.s3.partSizeBytes * storageLimits.s3.parts);

/** How the object gets there. Every call tries again by itself and rejects with errors for people. */
export interface S3Target {
  readonly name: string;
  readonly signal: AbortSignal | undefined;
  store(content: PieceBuffer): Promise<CreateOutcome>;
  beginUpload(): Promise<S3Upload>;
  onEnd(): void;
}

/** An object that is sent in parts. */
export interface S3Upload {
  /** Parts are numbered from 1. */
  sendPart(number: number, content: PieceBuffer): Promise<void>;
  complete(): Promise<CreateOutcome>;
  /** Never rejects. */
  abort(): Promise<void>;
}

export class S3Writer implements ObjectWriter {
  sizeBytes = 0;
  readonly #target: S3Target;
  #state: 'open' | 'committing' | 'ended' = 'open';
  #content = new PieceBuffer();
  #upload: S3Upload | undefined;
  #partsSent = 0;
  /** The part that is on its way. */
  #sending: Promise<void> | undefined;
  #commit: Promise<CreateOutcome> | undefined;

  constructor(target: S3Target) {
    this.#target = target;
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    assert(this.#state === 'open', 'append after the end of a writer');
    try {
      throwIfInterrupted(this.#target.signal);
      checkObjectSize(this.#target.name, this.sizeBytes + totalSizeBytes(parts), largestSizeBytes);
      for (const part of parts) await this.#add(part);
    } catch (error) {
      await this.#end();
      throw error;
    }
  }

  commit(): Promise<CreateOutcome> {
    assert(this.#state === 'open', 'commit after the end of a writer');
    this.#state = 'committing';
    this.#commit = this.#finish();
    return this.#commit;
  }

  async abort(): Promise<void> {
    if (this.#commit === undefined) await this.#end();
    else await this.#commit.catch(() => undefined);
  }

  async #add(bytes: Uint8Array): Promise<void> {
    const { partSizeBytes } = storageLimits.s3;
    for (let offset = 0; offset < bytes.length; ) {
      // Only when there is more: an object that just fits is one request.
      if (this.#content.sizeBytes === partSizeBytes) await this.#sendPart();
      const piece = bytes.subarray(offset, offset + partSizeBytes - this.#content.sizeBytes);
      this.#content.append(piece);
      this.sizeBytes += piece.length;
      offset += piece.length;
    }
  }

  /** Sends what is there as a part, after the one before has arrived; the caller goes on filling the next one. */
  async #sendPart(): Promise<void> {
    await this.#sending;
    this.#upload ??= await this.#target.beginUpload();
    const content = this.#content;
    this.#content = new PieceBuffer();
    this.#sending = this.#upload.sendPart(++this.#partsSent, content);
    this.#sending.catch(() => undefined); // Whoever waits for it next is told.
  }

  async #finish(): Promise<CreateOutcome> {
    try {
      throwIfInterrupted(this.#target.signal);
      if (this.#upload === undefined) return await this.#target.store(this.#content);
      await this.#sendPart();
      await this.#sending;
      const outcome = await this.#upload.complete();
      this.#upload = undefined;
      return outcome;
    } finally {
      await this.#end();
    }
  }

  /** Never rejects. */
  async #end(): Promise<void> {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#content = new PieceBuffer();
    await this.#sending?.catch(() => undefined);
    await this.#upload?.abort();
    this.#target.onEnd();
  }
}
