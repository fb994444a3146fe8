/** An object on its way to a remote store: it is gathered in parts of one size, and a part goes off while the next one fills. */
import assert from 'node:assert/strict';
import { checkObjectSize, throwIfInterrupted, totalSizeBytes } from './_names.ts';
import { storageLimits } from './limits.ts';
import type { CreateOutcome, ObjectWriter } from './storage.ts';

export interface Part {
  /** From 0. */
  readonly number: number;
  /** In the object. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** An upload that has begun. */
export interface PartUpload {
  put(part: Part): Promise<void>;
  /** Sends the last part, which may be shorter, and makes the object visible. Called once, when all other parts are there. */
  complete(last: Part): Promise<CreateOutcome>;
  /** Deletes what was uploaded, as far as the store does not do so by itself. */
  abandon(): Promise<void>;
}

export interface PartWriterContext {
  readonly name: string;
  readonly partSizeBytes: number;
  /** How many parts may be on their way at once, beside the one that fills. */
  readonly partsInFlight: number;
  /** Begins an upload; its calls heed `signal`, too. */
  readonly begin: (signal: AbortSignal) => Promise<PartUpload>;
  /** Creates an object that is no longer than a part. */
  readonly createWhole: (bytes: Uint8Array, signal: AbortSignal) => Promise<CreateOutcome>;
  readonly onEnd: (writer: PartWriter) => void;
  readonly signal: AbortSignal | undefined;
}

export class PartWriter implements ObjectWriter {
  sizeBytes = 0;
  readonly #context: PartWriterContext;
  readonly #ownAbort = new AbortController();
  readonly #signal: AbortSignal;
  readonly #inFlight = new Set<Promise<void>>();
  #bytes: Uint8Array | undefined;
  #filled = 0;
  #partsSent = 0;
  #upload: Promise<PartUpload> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #state: 'open' | 'committing' | 'ended' = 'open';
  #commit: Promise<CreateOutcome> | undefined;

  constructor(context: PartWriterContext) {
    this.#context = context;
    this.#signal = context.signal === undefined ? this.#ownAbort.signal : AbortSignal.any([context.signal, this.#ownAbort.signal]);
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    assert(this.#state === 'open', 'append after the end of a writer');
    try {
      throwIfInterrupted(this.#context.signal);
      checkObjectSize(this.#context.name, this.sizeBytes + totalSizeBytes(parts), storageLimits.objectSizeBytes);
      for (const part of parts) await this.#add(part);
      this.#throwFailure();
    } catch (error) {
      await this.#clean();
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
    if (this.#commit === undefined) await this.#clean();
    else await this.#commit.catch(() => undefined);
  }

  async #finish(): Promise<CreateOutcome> {
    try {
      throwIfInterrupted(this.#context.signal);
      const outcome = await this.#complete();
      this.#end();
      return outcome;
    } catch (error) {
      await this.#clean();
      throw error;
    }
  }

  async #complete(): Promise<CreateOutcome> {
    const bytes = this.#bytes?.subarray(0, this.#filled) ?? new Uint8Array(0);
    if (this.#upload === undefined) return this.#context.createWhole(bytes, this.#signal);
    await Promise.all(this.#inFlight);
    this.#throwFailure();
    const upload = await this.#upload;
    return upload.complete({ number: this.#partsSent, offset: this.sizeBytes - this.#filled, bytes });
  }

  /** Copies: the caller may change its bytes afterwards. A full part goes off when more comes, so that the last one is never empty. */
  async #add(bytes: Uint8Array): Promise<void> {
    const { partSizeBytes } = this.#context;
    for (let offset = 0; offset < bytes.length; ) {
      if (this.#filled === partSizeBytes) await this.#send();
      this.#bytes ??= Buffer.allocUnsafeSlow(partSizeBytes);
      const count = Math.min(partSizeBytes - this.#filled, bytes.length - offset);
      this.#bytes.set(bytes.subarray(offset, offset + count), this.#filled);
      this.#filled += count;
      this.sizeBytes += count;
      offset += count;
    }
  }

  async #send(): Promise<void> {
    while (this.#inFlight.size >= this.#context.partsInFlight) await Promise.race(this.#inFlight);
    this.#throwFailure();
    const part = { number: this.#partsSent++, offset: this.sizeBytes - this.#filled, bytes: this.#bytes! };
    this.#bytes = undefined;
    this.#filled = 0;
    this.#upload ??= this.#context.begin(this.#signal);
    const sent = this.#upload
      .then((upload) => upload.put(part))
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#inFlight.delete(sent));
    this.#inFlight.add(sent);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Never throws: what cannot be deleted in a short time is litter for the next opening. */
  async #clean(): Promise<void> {
    if (this.#state === 'ended') return;
    this.#end();
    this.#ownAbort.abort();
    const cleaned = Promise.all(this.#inFlight)
      .then(() => this.#upload)
      .then((upload) => upload?.abandon())
      .catch(() => undefined);
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, storageLimits.remote.abandonTimeoutMs);
    });
    await Promise.race([cleaned, tooLate]);
    clearTimeout(timer);
  }

  #end(): void {
    this.#state = 'ended';
    this.#bytes = undefined;
    this.#context.onEnd(this);
  }
}
