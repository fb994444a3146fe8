/**
 * A storage in a store of objects that is reached by HTTP: what is the same for all of them. A store's own file says how its requests look ({@link ObjectStoreCalls}).
 *
 * Safe creation: each creation carries a random mark, kept with the object as metadata. If the answer to a request is lost, the request is sent again; when
 * the store then says that the name is taken, the mark tells whether it was taken by us.
 */
import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import pLimit from 'p-limit';
import { isLaganError, LaganError } from '../../repo-format/mod.ts';
import { isBrokenConnection } from './_http-errors.ts';
import {
  checkGetSize,
  checkObjectName,
  checkPrefix,
  checkRange,
  isObjectName,
  notFound,
  throwIfInterrupted,
  tooShort,
  totalSizeBytes,
} from './_names.ts';
import { type Part, type PartUpload, PartWriter, WholeContent } from './_part-writer.ts';
import { remoteCall } from './_remote-call.ts';
import { Retries, type RetryOptions } from './_retries.ts';
import type { TransferLimits } from './_transfer-limits.ts';
import { storageLimits } from './limits.ts';
import type {
  ByteRange,
  CallOptions,
  CreateOutcome,
  GetOptions,
  ListedObject,
  ListOptions,
  ObjectEnd,
  ObjectWriter,
  PlaceState,
  Storage,
  StorageDescription,
} from './storage.ts';

/** The metadata that holds the mark of who created an object. */
export const markName = 'laganmark';

export interface ObjectHead {
  readonly sizeBytes: number;
  readonly mark: string | undefined;
}

/** An object whose bytes, or those of a range, are about to come. */
export interface OpenedObject {
  readonly objectSizeBytes: number;
  readonly bodySizeBytes: number;
  readonly body: Readable;
}

export interface ListedPage {
  readonly objects: readonly { readonly key: string; readonly sizeBytes: number }[];
  /** Where the next page begins; undefined after the last one. */
  readonly next: string | undefined;
}

/** Of one upload in parts; `retried` is true if the call was made before and its outcome is unknown. */
export interface PartCalls {
  put(part: Part, options: { signal: AbortSignal; retried: boolean }): Promise<void>;
  complete(last: Part, options: { signal: AbortSignal; retried: boolean }): Promise<CreateOutcome>;
  abandon(): Promise<void>;
}

/**
 * One request each, not tried again, ended by its signal if that is possible. Keys are full names within bucket or container. Errors are as the library throws them;
 * {@link ObjectStoreCalls.explain} tells what they mean.
 */
export interface ObjectStoreCalls {
  readonly partSizeBytes: number;
  readonly partsInFlight: number;
  /** What a person can do if the bucket or container is not there. */
  readonly placeHint: string;
  /** Undefined if the range lies beyond the end. One that reaches beyond it may give less. */
  open(key: string, range: ByteRange | undefined, signal: AbortSignal): Promise<OpenedObject | undefined>;
  head(key: string, signal: AbortSignal): Promise<ObjectHead>;
  create(key: string, bytes: Uint8Array, options: { mark: string; signal: AbortSignal }): Promise<CreateOutcome>;
  beginParts(key: string, options: { mark: string; signal: AbortSignal }): Promise<PartCalls>;
  /** In ascending order; what comes before `after` may be left out. */
  list(prefix: string, options: { after: string; next: string | undefined; signal: AbortSignal }): Promise<ListedPage>;
  remove(key: string, signal: AbortSignal): Promise<void>;
  makePlace(signal: AbortSignal): Promise<void>;
  /** What an error means. Only `unavailable` is tried again; `not-found` may be said of an object or of the whole place. */
  explain(error: unknown, context: { attempt: string; name: string | undefined }): unknown;
}

export interface ObjectStoreOptions {
  readonly limits: TransferLimits;
  /** Somebody has talked to the store at this address. */
  readonly hasAnswered?: boolean | undefined;
  /** For tests. */
  readonly retries?: RetryOptions | undefined;
}

export class ObjectStore implements Storage {
  readonly location: string;
  readonly #calls: ObjectStoreCalls;
  /** '' or ends with '/'. */
  readonly #prefix: string;
  readonly #limits: TransferLimits;
  readonly #retries: Retries;
  readonly #writers = new Set<ObjectWriter>();
  /** Something was answered: the address is right. */
  #hasAnswered: boolean;
  /** Something was found: the bucket is there. */
  #placeSeen = false;

  constructor(
    calls: ObjectStoreCalls,
    place: { url: string; path: readonly string[] },
    { limits, hasAnswered = false, retries }: ObjectStoreOptions,
  ) {
    this.location = place.url;
    this.#calls = calls;
    this.#prefix = place.path.map((part) => `${part}/`).join('');
    this.#limits = limits;
    this.#hasAnswered = hasAnswered;
    this.#retries = new Retries(retries);
  }

  async state(options: CallOptions = {}): Promise<PlaceState> {
    try {
      for await (const page of this.#pages('', { signal: options.signal })) {
        if (page.objects.some(({ key }) => key !== this.#prefix)) return 'occupied';
      }
      return 'empty';
    } catch (error) {
      if (isLaganError(error, 'no-repository')) return 'absent';
      throw error;
    }
  }

  async prepare(options: CallOptions = {}): Promise<void> {
    if ((await this.state(options)) !== 'absent') return;
    await this.#run({ attempt: 'making the place', signal: options.signal, needs: 'nothing' }, (signal) => this.#calls.makePlace(signal));
  }

  /** Nothing: these stores delete unfinished uploads by themselves, and nobody else sees them. */
  async removeLitter({ signal }: CallOptions = {}): Promise<number> {
    throwIfInterrupted(signal);
    return 0;
  }

  async get(name: string, range?: ByteRange, options: GetOptions = {}): Promise<Uint8Array> {
    const { bytes } = await this.#getPart(name, range, options);
    return bytes;
  }

  getEnd(name: string, last: number, options: GetOptions = {}): Promise<ObjectEnd> {
    return this.#getPart(name, { last }, options);
  }

  async size(name: string, options: CallOptions = {}): Promise<number> {
    checkObjectName(name);
    return (await this.#head(name, options.signal)).sizeBytes;
  }

  async create(name: string, parts: readonly Uint8Array[], options: CallOptions = {}): Promise<CreateOutcome> {
    checkObjectName(name);
    throwIfInterrupted(options.signal);
    if (totalSizeBytes(parts) <= this.#calls.partSizeBytes) return this.#createWhole(name, Buffer.concat(parts), options.signal);
    const writer = await this.createWriter(name, options);
    await writer.append(parts);
    return writer.commit();
  }

  async createWriter(name: string, { signal }: CallOptions = {}): Promise<ObjectWriter> {
    checkObjectName(name);
    throwIfInterrupted(signal);
    const { partSizeBytes, partsInFlight } = this.#calls;
    const writer = new PartWriter({
      name,
      partSizeBytes,
      partsInFlight,
      newContent: () => new WholeContent(partSizeBytes),
      begin: (signal) => this.#beginParts(name, signal),
      createWhole: ({ bytes }, signal) => this.#createWhole(name, bytes, signal),
      onEnd: (writer) => this.#writers.delete(writer),
      signal,
    });
    this.#writers.add(writer);
    return writer;
  }

  async *list(prefix: string, { signal, after = '' }: ListOptions = {}): AsyncGenerator<ListedObject> {
    checkPrefix(prefix);
    let last = '';
    for await (const { objects } of this.#pages(prefix, { signal, after })) {
      for (const { key, sizeBytes } of objects) {
        const name = key.slice(this.#prefix.length);
        if (!isObjectName(name) || name <= after) continue;
        if (name <= last) throw this.#outOfOrder(name, last);
        throwIfInterrupted(signal);
        last = name;
        yield { name, sizeBytes };
      }
    }
  }

  async delete(names: readonly string[], { signal }: CallOptions = {}): Promise<void> {
    for (const name of names) checkObjectName(name);
    throwIfInterrupted(signal);
    const atOnce = pLimit(storageLimits.remote.deletionsInFlight);
    const remove = (name: string) =>
      this.#run({ attempt: 'deleting', name, signal }, (callSignal) => this.#calls.remove(this.#prefix + name, callSignal)).catch(
        (error: unknown) => {
          if (!isLaganError(error, 'not-found')) throw error;
        },
      );
    const results = await Promise.allSettled(names.map((name) => atOnce(remove, name)));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#writers].map((writer) => writer.abort()));
  }

  describe(): StorageDescription {
    return { kind: 'url', url: this.location, limits: this.#limits.describe(), hasAnswered: this.#hasAnswered };
  }

  async *#pages(prefix: string, options: ListOptions): AsyncGenerator<ListedPage> {
    const { signal, after = '' } = options;
    let next: string | undefined;
    do {
      const page = await this.#run({ attempt: 'listing', name: prefix, signal, needs: 'place' }, (callSignal) =>
        this.#calls.list(this.#prefix + prefix, { after: after === '' ? '' : this.#prefix + after, next, signal: callSignal }),
      );
      yield page;
      if (page.next !== undefined && page.next === next) throw new LaganError('io', `${this.location}: the listing does not get ahead`);
      next = page.next;
    } while (next !== undefined);
  }

  async #getPart(name: string, range: ByteRange | undefined, options: GetOptions): Promise<ObjectEnd> {
    checkObjectName(name);
    checkRange(range);
    if (range !== undefined && 'length' in range) checkGetSize(name, range.length, options);
    if (range !== undefined && ('last' in range ? range.last : range.length) === 0) return this.#getNothing(name, range, options);
    const { signal } = options;
    const sizeBytes = range === undefined ? storageLimits.remote.unknownSizeBytes : 'last' in range ? range.last : range.length;
    const part = await this.#run({ attempt: 'reading', name, signal, sizeBytes }, async (callSignal, onProgress) => {
      const opened = await this.#calls.open(this.#prefix + name, range, callSignal);
      if (opened === undefined) return undefined;
      const bytes = await this.#read(opened, { name, range, options, signal: callSignal, onProgress });
      return { bytes, objectSizeBytes: opened.objectSizeBytes };
    });
    return part ?? this.#getNothing(name, range, options);
  }

  #head(name: string, signal: AbortSignal | undefined): Promise<ObjectHead> {
    return this.#run({ attempt: 'reading the size of', name, signal }, (callSignal) => this.#calls.head(this.#prefix + name, callSignal));
  }

  /** A range without bytes, or one that the store says is beyond the end: the object must be there and reach so far. */
  async #getNothing(name: string, range: ByteRange | undefined, options: GetOptions): Promise<ObjectEnd> {
    const { sizeBytes } = await this.#head(name, options.signal);
    if (range !== undefined && 'offset' in range && range.offset + range.length > sizeBytes) throw tooShort(name, range, sizeBytes);
    if (sizeBytes > 0 && (range === undefined || ('last' in range && range.last > 0))) {
      throw new LaganError('unavailable', `${name} has ${sizeBytes} bytes, but the store gave none of them`, { object: name });
    }
    return { bytes: options.into?.subarray(0, 0) ?? new Uint8Array(0), objectSizeBytes: sizeBytes };
  }

  async #read(
    { body, bodySizeBytes, objectSizeBytes }: OpenedObject,
    { name, range, options, signal, onProgress }: { name: string; range: ByteRange | undefined; options: GetOptions } & Progress,
  ): Promise<Uint8Array> {
    const destroy = () => void body.destroy();
    signal.addEventListener('abort', destroy, { once: true });
    try {
      if (range !== undefined && 'offset' in range && range.offset + range.length > objectSizeBytes)
        throw tooShort(name, range, objectSizeBytes);
      checkGetSize(name, bodySizeBytes, options);
      const target = options.into?.subarray(0, bodySizeBytes) ?? Buffer.allocUnsafeSlow(bodySizeBytes);
      await this.#fill(target, body, { name, signal, onProgress });
      return new Uint8Array(target.buffer, target.byteOffset, target.length);
    } finally {
      signal.removeEventListener('abort', destroy);
      body.on('error', () => undefined).destroy();
    }
  }

  async #fill(target: Uint8Array, body: Readable, { name, signal, onProgress }: { name: string } & Progress): Promise<void> {
    let filled = 0;
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      // Whoever gave up may use the memory for something else by now.
      signal.throwIfAborted();
      if (filled + chunk.length > target.length)
        throw new LaganError('io', `${name}: the store gave more bytes than it told of`, { object: name });
      target.set(chunk, filled);
      filled += chunk.length;
      await this.#limits.download(chunk.length, signal);
      onProgress();
    }
    if (filled === target.length) return;
    const message = `${name}: the store gave ${filled} of ${target.length} bytes`;
    throw new LaganError('unavailable', message, { object: name, expected: target.length, found: filled });
  }

  async #createWhole(name: string, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<CreateOutcome> {
    const mark = newMark();
    await this.#limits.upload(bytes.length, signal);
    return this.#settle(
      await this.#run({ attempt: 'storing', name, signal, sizeBytes: bytes.length, needs: 'place' }, (callSignal) =>
        this.#calls.create(this.#prefix + name, bytes, { mark, signal: callSignal }),
      ),
      { name, mark, signal },
    );
  }

  async #beginParts(name: string, signal: AbortSignal): Promise<PartUpload> {
    const mark = newMark();
    const upload = await this.#run({ attempt: 'storing', name, signal, needs: 'place' }, (callSignal) =>
      this.#calls.beginParts(this.#prefix + name, { mark, signal: callSignal }),
    );
    const send = async <T>(part: Part, call: (options: { signal: AbortSignal; retried: boolean }) => Promise<T>) => {
      const { sizeBytes } = part.content;
      await this.#limits.upload(sizeBytes, signal);
      return this.#run({ attempt: 'storing', name, signal, sizeBytes, needs: 'place' }, (callSignal, _, attempt) =>
        call({ signal: callSignal, retried: attempt > 1 }),
      );
    };
    return {
      put: (part) => send(part, (options) => upload.put(part, options)),
      complete: async (last) => this.#settle(await send(last, (options) => upload.complete(last, options)), { name, mark, signal }),
      abandon: () => upload.abandon(),
    };
  }

  /** If the name is taken: by an earlier attempt of ours whose answer was lost? Not only we try again, a proxy on the way may do so as well. */
  async #settle(
    outcome: CreateOutcome,
    { name, mark, signal }: { name: string; mark: string; signal: AbortSignal | undefined },
  ): Promise<CreateOutcome> {
    if (outcome === 'created') return outcome;
    try {
      return (await this.#head(name, signal)).mark === mark ? 'created' : 'exists';
    } catch (error) {
      // Deleted meanwhile: it was not ours.
      if (isLaganError(error, 'not-found')) return 'exists';
      throw error;
    }
  }

  async #run<T>(request: RemoteRequest, call: (signal: AbortSignal, onProgress: () => void, attempt: number) => Promise<T>): Promise<T> {
    const { signal, sizeBytes, name, needs = 'object' } = request;
    const once = async (number: number) => {
      await this.#limits.request(signal);
      try {
        return await remoteCall({ signal, sizeBytes }, (callSignal, onProgress) => call(callSignal, onProgress, number));
      } catch (error) {
        throw this.#calls.explain(error, { attempt: `${request.attempt} ${name ?? ''}`.trim(), name });
      }
    };
    try {
      const result = await this.#retries.run(once, { judge: (error, number) => this.#judge(error, number), signal });
      this.#hasAnswered = true;
      this.#placeSeen ||= needs !== 'nothing';
      return result;
    } catch (error) {
      if (!isLaganError(error, 'not-found')) throw error;
      if (needs === 'place') throw this.#noPlace(error);
      if (!this.#placeSeen) await this.#pages('', { signal }).next();
      throw notFound(name ?? '', error);
    }
  }

  #judge(error: unknown, attempt: number): 'never' | 'later' | 'slower' {
    if (!isLaganError(error, 'unavailable')) return 'never';
    this.#hasAnswered ||= error.found !== undefined;
    // A wrong address looks like a store that is away for a while: it is not waited for so long. Where a connection broke, there is somebody.
    const isDoubtful = !this.#hasAnswered && !isBrokenConnection(error);
    if (isDoubtful && attempt >= storageLimits.remote.attemptsOfFirstContact) return 'never';
    return error.found === 429 || error.found === 503 ? 'slower' : 'later';
  }

  #noPlace(cause: unknown): LaganError {
    return new LaganError('no-repository', `there is nothing at ${this.location}: no such bucket or container`, {
      cause,
      found: 'absent',
      hint: this.#calls.placeHint,
    });
  }

  #outOfOrder(name: string, last: string): LaganError {
    return new LaganError('unsupported', `${this.location} lists ${name} after ${last}, which is not the order of names`, {
      object: name,
      hint: 'a store with folders of its own (a hierarchical namespace) cannot hold a repository; use one without',
    });
  }
}

/** Of a call that is under way. */
interface Progress {
  readonly signal: AbortSignal;
  readonly onProgress: () => void;
}

interface RemoteRequest {
  /** For messages: what was tried with the object. */
  readonly attempt: string;
  readonly name?: string;
  readonly signal: AbortSignal | undefined;
  /** Bytes that go over the network. */
  readonly sizeBytes?: number;
  /** What is missing if the store says that something is not there. */
  readonly needs?: 'object' | 'place' | 'nothing';
}

function newMark(): string {
  return randomBytes(16).toString('hex');
}
