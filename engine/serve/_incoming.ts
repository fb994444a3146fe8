/** An object on its way in: checked as it passes, counted against the quota, visible only when all of it is as it should be. */
import { createHash, type Hash } from 'node:crypto';
import type { CreateOutcome, ObjectWriter } from '../storage/mod.ts';
import type { ObjectCheck } from './_object-check.ts';
import { Refusal, refused } from './_refusal.ts';
import type { Grant } from './grants.ts';
import type { ServedRepository } from './repository.ts';
import type { Reservation, Usage } from './usage.ts';

export interface IncomingOptions {
  readonly name: string;
  readonly grant: Grant;
  readonly repository: ServedRepository;
  readonly check: ObjectCheck;
  readonly usage: Usage;
}

export class IncomingObject {
  readonly #options: IncomingOptions;
  readonly #hash: Hash = createHash('sha256');
  readonly #reservations: Reservation[] = [];
  #writer: ObjectWriter | undefined;
  #sizeBytes = 0;
  /** Undefined: not even the place of an object is taken. */
  #reservedBytes: number | undefined;

  constructor(options: IncomingOptions) {
    this.#options = options;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get name(): string {
    return this.#options.name;
  }

  /** Takes the place that is still needed for an object of that size. Codes: no-space, limit-exceeded. */
  async reserve(totalBytes: number): Promise<void> {
    const { check, usage, grant, repository, name } = this.#options;
    if (totalBytes > check.limitBytes) {
      const message = `${name} would have ${totalBytes} bytes, the limit is ${check.limitBytes}`;
      throw new Refusal(413, 'limit-exceeded', message, { object: name, expected: check.limitBytes, found: totalBytes });
    }
    const bytes = totalBytes - (this.#reservedBytes ?? 0);
    if (this.#reservedBytes !== undefined && bytes <= 0) return;
    const request = { bytes, objects: this.#reservedBytes === undefined ? 1 : 0 };
    this.#reservations.push(await usage.reserve(request, { quota: grant.quota, storage: repository.storage }));
    this.#reservedBytes = totalBytes;
  }

  /** Codes: those of the check and of the storage. */
  async add(bytes: Uint8Array): Promise<void> {
    this.#writer ??= await this.#options.repository.storage.createWriter(this.name);
    this.#checked(() => this.#options.check.add(bytes));
    this.#hash.update(bytes);
    this.#sizeBytes += bytes.length;
    await this.#writer.append([bytes]);
  }

  /** Makes the object visible if its bytes have that checksum. Codes: name-mismatch, and as of {@link add}. */
  async finish(checksum: string): Promise<CreateOutcome> {
    const { name, usage, repository } = this.#options;
    const found = this.#hash.digest('hex');
    if (found !== checksum) {
      throw new Refusal(422, 'name-mismatch', `${name}: what arrived is not what was sent`, { object: name, expected: checksum, found });
    }
    this.#checked(() => this.#options.check.end());
    this.#writer ??= await repository.storage.createWriter(name);
    usage.add(name, this.#sizeBytes);
    this.#release();
    return this.#writer.commit();
  }

  /** Leaves nothing behind. */
  async abort(): Promise<void> {
    this.#release();
    await this.#writer?.abort();
  }

  #release(): void {
    for (const reservation of this.#reservations.splice(0)) reservation.release();
  }

  #checked(check: () => void): void {
    try {
      check();
    } catch (error) {
      throw refused(error);
    }
  }
}
