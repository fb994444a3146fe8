/** An object on its way to a remote store: it is gathered in parts of one size, and a part goes off while the next one fills. */
import assert from 'node:assert/strict';
import { checkObjectSize, throwIfInterrupted, totalSizeBytes } from './_names.ts';
import { storageLimits } from './limits.ts';
import type { CreateOutcome, ObjectWriter } from './storage.ts';

/** What gathers the bytes of a part. */
export interface PartContent {
  readonly sizeBytes: number;
  /** Copies: the caller may change its bytes afterwards. */
  append(bytes: Uint8Array): void;
}

/** Gathers bytes in one piece of memory, taken when the first one comes. */
export class WholeContent implements PartContent {
  sizeBytes = 0;
  readonly #limitBytes: number;
  #buffer: Uint8Array = new Uint8Array(0);

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.sizeBytes);
  }

  append(bytes: Uint8Array): void {
    if (this.#buffer.length === 0) this.#buffer = Buffer.allocUnsafeSlow(this.#limitBytes);
    this.#buffer.set(bytes, this.sizeBytes);
    this.sizeBytes += bytes.length;
  }
}

export interface Part<Content extends PartContent = WholeContent> {
  /** From 0. */
  readonly number: number;
  /** In the object. */
  readonly offset: number;
  readonly content: Content;
}

/** An upload that has begun. */
export interface PartUpload<Content extends PartContent = WholeContent> {
  put(part: Part<Content>): Promise<void>;
  /** Sends the last part, which may be shorter, and makes the object visible. Called once, when all other parts are there. */
  complete(last: Part<Content>): Promise<CreateOutcome>;
  /** Deletes what was uploaded, as far as the store does not do so by itself. */
  abandon(): Promise<void>;
}

export interface PartWriterContext<Content extends PartContent> {
  readonly name: string;
  readonly partSizeBytes: number;
  /** Of the object. Default: `storageLimits.objectSizeBytes`. */
  readonly largestSizeBytes?: number;
  readonly newContent: () => Content;
  /** How many parts may be on their way at once, beside the one that fills. */
  readonly partsInFlight: number;
  /** Begins an upload; its calls heed `signal`, too. */
  readonly begin: (signal: AbortSignal) => Promise<PartUpload<Content>>;
  /** Creates an object that is no longer than a part. */
  readonly createWhole: (content: Content, signal: AbortSignal) => Promise<CreateOutcome>;
  readonly onEnd: (writer: ObjectWriter) => void;
  readonly signal: AbortSignal | undefined;
}

export class PartWriter<Content extends PartContent = WholeContent> implements ObjectWriter {
  sizeBytes = 0;
  readonly #context: PartWriterContext<Content>;
  readonly #ownAbort = new AbortController();
  readonly #signal: AbortSignal;
  readonly #inFlight = new Set<Promise<void>>();
  #content: Content;
  #partsSent = 0;
  #upload: Promise<PartUpload<Content>> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #state: 'open' | 'committing' | 'ended' = 'open';
  #commit: Promise<CreateOutcome> | undefined;

  constructor(context: PartWriterContext<Content>) {
    this.#context = context;
    this.#content = context.newContent();
    this.#signal = context.signal === undefined ? this.#ownAbort.signal : AbortSignal.any([context.signal, this.#ownAbort.signal]);
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    assert(this.#state === 'open', 'append after the end of a writer');
    try {
      throwIfInterrupted(this.#context.signal);
      const { name, largestSizeBytes = storageLimits.objectSizeBytes } = this.#context;
      checkObjectSize(name, this.sizeBytes + totalSizeBytes(parts), largestSizeBytes);
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
    if (this.#upload === undefined) return this.#context.createWhole(this.#content, this.#signal);
    await Promise.all(this.#inFlight);
    this.#throwFailure();
    const upload = await this.#upload;
    return upload.complete(this.#part());
  }

  /** A full part goes off when more comes, so that the last one is never empty, and an object that just fits is one request. */
  async #add(bytes: Uint8Array): Promise<void> {
    const { partSizeBytes } = this.#context;
    for (let offset = 0; offset < bytes.length; ) {
      if (this.#content.sizeBytes === partSizeBytes) await this.#send();
      const piece = bytes.subarray(offset, offset + partSizeBytes - this.#content.sizeBytes);
      this.#content.append(piece);
      this.sizeBytes += piece.length;
      offset += piece.length;
    }
  }

  /** The part that fills. */
  #part(): Part<Content> {
    return { number: this.#partsSent, offset: this.sizeBytes - this.#content.sizeBytes, content: this.#content };
  }

  async #send(): Promise<void> {
    while (this.#inFlight.size >= this.#context.partsInFlight) await Promise.race(this.#inFlight);
    this.#throwFailure();
    const part = this.#part();
    this.#partsSent++;
    this.#content = this.#context.newContent();
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
    this.#content = this.#context.newContent();
    this.#context.onEnd(this);
  }
}
