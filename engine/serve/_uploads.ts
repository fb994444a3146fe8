/** Objects that go up in parts: between two requests they wait here, for a while. */
import { randomBytes } from 'node:crypto';
import type { CreateOutcome } from '../storage/mod.ts';
import { type IncomingRequest, readBody } from './_body.ts';
import type { IncomingObject } from './_incoming.ts';
import { Refusal } from './_refusal.ts';
import type { ServeLimits } from './limits.ts';

/** Where a part belongs; `totalBytes` with the last one. */
export interface PartRange {
  readonly offset: number;
  readonly sizeBytes: number;
  readonly totalBytes: number | undefined;
}

interface Upload {
  readonly object: IncomingObject;
  readonly owner: string;
  readonly timer: NodeJS.Timeout;
  /** The request that adds to it: a newer one takes its place, because it comes from a client that has given the older one up. */
  current: { readonly request: IncomingRequest; readonly ended: Promise<void> } | undefined;
  outcome: CreateOutcome | undefined;
  /** What came was wrong: no part can mend that. */
  isSpoilt: boolean;
}

export class Uploads {
  readonly #limits: ServeLimits;
  readonly #uploads = new Map<string, Upload>();

  constructor(limits: ServeLimits) {
    this.#limits = limits;
  }

  /** Returns the id of a new one. `owner` says whose it is. Code: unavailable (too many). */
  begin(owner: string, object: IncomingObject): string {
    const open = [...this.#uploads.values()].filter((upload) => upload.owner === owner && upload.outcome === undefined);
    if (open.length >= this.#limits.uploadsPerWriter) throw new Refusal(429, 'unavailable', 'too many objects are on their way');
    const id = randomBytes(16).toString('hex');
    const timer = setTimeout(() => void this.#forget(id), this.#limits.uploadIdleMs).unref();
    this.#uploads.set(id, { object, owner, timer, current: undefined, outcome: undefined, isSpoilt: false });
    return id;
  }

  /** Adds a part; the last one ends it. Undefined: more is to come. Codes: those of {@link IncomingObject}, not-found. */
  async add(
    id: string,
    owner: string,
    part: { range: PartRange; checksum: string | undefined; request: IncomingRequest; invite: () => void },
  ): Promise<CreateOutcome | undefined> {
    const upload = this.#find(id, owner);
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const before = upload.current;
    upload.current = { request: part.request, ended };
    before?.request.destroy();
    await before?.ended;
    try {
      if (upload.outcome !== undefined) return upload.outcome;
      await this.#append(upload, part);
      upload.timer.refresh();
      if (part.range.totalBytes === undefined) return undefined;
      return await this.#finish(upload, part.range.totalBytes, part.checksum);
    } finally {
      end();
      if (upload.isSpoilt) await this.#forget(id);
    }
  }

  async abandon(id: string, owner: string): Promise<void> {
    this.#find(id, owner);
    await this.#forget(id);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#uploads.keys()].map((id) => this.#forget(id)));
  }

  /** What came before already is passed over: it was on its way when a connection broke. */
  async #append(
    upload: Upload,
    { range, request, invite }: { range: PartRange; request: IncomingRequest; invite: () => void },
  ): Promise<void> {
    const { object } = upload;
    const { offset, sizeBytes } = range;
    const have = object.sizeBytes;
    if (offset > have)
      throw new Refusal(412, 'io', `the upload has ${have} bytes, and what was sent begins at ${offset}`, {
        expected: have,
        found: offset,
      });
    await object.reserve(offset + sizeBytes);
    let at = offset;
    invite();
    await readBody(request, {
      sizeBytes,
      limits: this.#limits,
      take: async (bytes) => {
        const isNew = Math.min(bytes.length, Math.max(0, at + bytes.length - have));
        at += bytes.length;
        if (isNew > 0) await this.#add(upload, bytes.subarray(bytes.length - isNew));
      },
    });
  }

  async #add(upload: Upload, bytes: Uint8Array): Promise<void> {
    upload.isSpoilt = true;
    await upload.object.add(bytes);
    upload.isSpoilt = false;
  }

  async #finish(upload: Upload, totalBytes: number, checksum: string | undefined): Promise<CreateOutcome> {
    const { object } = upload;
    upload.isSpoilt = true;
    if (object.sizeBytes !== totalBytes)
      throw new Refusal(422, 'malformed', `${object.name}: ${object.sizeBytes} bytes came of ${totalBytes}`);
    if (checksum === undefined) throw new Refusal(400, 'usage', 'the checksum is missing');
    upload.outcome = await object.finish(checksum);
    upload.isSpoilt = false;
    return upload.outcome;
  }

  #find(id: string, owner: string): Upload {
    const upload = this.#uploads.get(id);
    if (upload !== undefined && upload.owner === owner) return upload;
    throw new Refusal(410, 'io', 'the upload is not known any more', {
      hint: 'too much time went by, or the server was started anew; run the command again',
    });
  }

  async #forget(id: string): Promise<void> {
    const upload = this.#uploads.get(id);
    if (upload === undefined) return;
    this.#uploads.delete(id);
    clearTimeout(upload.timer);
    upload.current?.request.destroy();
    await upload.current?.ended;
    if (upload.outcome === undefined) await upload.object.abort();
  }
}
