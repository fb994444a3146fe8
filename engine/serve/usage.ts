/**
 * How much a writer has stored, for its quota: a file with a line for each object, which all servers of a place add to and read on from where they were. Its last word is a dot: a line without it was cut off.
 * A line is written before its object appears, so that nothing is there that does not count; what the collector has deleted since is found when
 * the quota is used up, and no longer counts.
 */
import fs from 'node:fs';
import path from 'node:path';
import { isLaganError, LaganError } from '../../repo-format/mod.ts';
import { isStored, type Storage } from '../storage/mod.ts';
import { Refusal } from './_refusal.ts';
import type { Quota } from './grants.ts';
import { type ServeLimits, serveLimits } from './limits.ts';

export interface UsageTotals {
  readonly bytes: number;
  readonly objects: number;
}

interface Entry {
  readonly sizeBytes: number;
  /** Milliseconds since 1970. */
  readonly written: number;
}

export class Usage {
  readonly #file: string;
  readonly #limits: ServeLimits;
  readonly #entries = new Map<string, Entry>();
  /** Of what is on its way. */
  readonly #reserved = { bytes: 0, objects: 0 };
  #bytes = 0;
  /** Up to where the file was read, and the piece of a line at that end. */
  #offset = 0;
  #rest = '';
  #recount: Promise<void> | undefined;
  #recounted = 0;

  /** `file` need not exist. */
  constructor(file: string, limits: ServeLimits = serveLimits) {
    this.#file = file;
    this.#limits = limits;
  }

  /** Codes: io. */
  totals(): UsageTotals {
    this.#readOn();
    return { bytes: this.#bytes, objects: this.#entries.size };
  }

  /**
   * Takes the place that an object needs, and gives it back by {@link Reservation.release}. Code: no-space.
   */
  async reserve(request: { bytes: number; objects: number }, { quota, storage }: { quota: Quota; storage: Storage }): Promise<Reservation> {
    if (this.#lacking(request, quota) !== undefined) await this.#recountOnce(storage);
    const lacking = this.#lacking(request, quota);
    if (lacking !== undefined) throw lacking;
    this.#reserved.bytes += request.bytes;
    this.#reserved.objects += request.objects;
    return new Reservation(() => {
      this.#reserved.bytes -= request.bytes;
      this.#reserved.objects -= request.objects;
    });
  }

  /** Writes down an object that is about to appear. Codes: io, no-space. */
  add(name: string, sizeBytes: number): void {
    this.#append(`+ ${Date.now()} ${sizeBytes} ${name} .\n`);
  }

  #lacking(request: { bytes: number; objects: number }, quota: Quota): Refusal | undefined {
    const used = this.totals();
    const bytes = used.bytes + this.#reserved.bytes + request.bytes;
    const objects = used.objects + this.#reserved.objects + request.objects;
    if (quota.bytes !== undefined && bytes > quota.bytes) return overQuota('bytes', quota.bytes, used.bytes);
    if (quota.objects !== undefined && objects > quota.objects) return overQuota('objects', quota.objects, used.objects);
    return undefined;
  }

  /** Looks which objects are still there; not more often than the limit says. */
  async #recountOnce(storage: Storage): Promise<void> {
    if (Date.now() - this.#recounted < this.#limits.recountIntervalMs) return this.#recount;
    this.#recounted = Date.now();
    this.#recount = this.#look(storage);
    await this.#recount;
  }

  async #look(storage: Storage): Promise<void> {
    const gone: string[] = [];
    const oldest = Date.now() - this.#limits.storingMs;
    for (const [name, { written }] of [...this.#entries]) {
      if (written < oldest && !(await isStored(storage, name))) gone.push(name);
    }
    if (gone.length > 0) this.#append(gone.map((name) => `- ${Date.now()} 0 ${name} .\n`).join(''));
    this.#readOn();
  }

  #append(text: string): void {
    try {
      fs.mkdirSync(path.dirname(this.#file), { recursive: true, mode: 0o700 });
      // After what a full disk cut off a line begins anew.
      fs.appendFileSync(this.#file, this.#rest === '' ? text : `\n${text}`, { mode: 0o600 });
    } catch (error) {
      throw this.#error('write down what a writer stores', error);
    }
  }

  /** What this and other processes have added. */
  #readOn(): void {
    let descriptor: number | undefined;
    try {
      descriptor = fs.openSync(this.#file, 'r');
      const { size } = fs.fstatSync(descriptor);
      if (size > this.#limits.usageFileSizeBytes)
        throw new LaganError('limit-exceeded', `${this.#file} is too large: stop the servers and delete it, and all is counted from 0`);
      for (const piece = Buffer.alloc(Math.min(size - this.#offset, 1024 * 1024)); this.#offset < size; ) {
        const count = fs.readSync(descriptor, piece, 0, piece.length, this.#offset);
        if (count === 0) break;
        this.#offset += count;
        this.#take(piece.toString('latin1', 0, count));
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw this.#error('read what a writer has stored', error);
    } finally {
      if (descriptor !== undefined) fs.closeSync(descriptor);
    }
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const [, sign, written, size, name] = /^([+-]) ([0-9]+) ([0-9]+) (\S+) \.$/.exec(line) ?? [];
      if (name === undefined) continue;
      const before = this.#entries.get(name)?.sizeBytes ?? 0;
      this.#bytes -= before;
      this.#entries.delete(name);
      if (sign === '-') continue;
      // Of two who raced for a name the larger one counts: it may be the one that is there.
      const sizeBytes = Math.max(before, Number(size));
      this.#entries.set(name, { sizeBytes, written: Number(written) });
      this.#bytes += sizeBytes;
    }
  }

  #error(attempt: string, error: unknown): unknown {
    if (isLaganError(error)) return error;
    const errno = (error as NodeJS.ErrnoException).code;
    return new LaganError(errno === 'ENOSPC' || errno === 'EDQUOT' ? 'no-space' : 'io', `cannot ${attempt}: ${errno}`, {
      cause: error,
      object: this.#file,
      errno,
    });
  }
}

export class Reservation {
  readonly #giveBack: () => void;
  #isHeld = true;

  constructor(giveBack: () => void) {
    this.#giveBack = giveBack;
  }

  /** Any number of times. */
  release(): void {
    if (this.#isHeld) this.#giveBack();
    this.#isHeld = false;
  }
}

function overQuota(what: 'bytes' | 'objects', quota: number, used: number): Refusal {
  return new Refusal(507, 'no-space', `the quota of this writer is used up: ${used} of ${quota} ${what}`, {
    expected: quota,
    found: used,
    hint: 'have old snapshots forgotten and lagan maintain run there, or the quota raised',
  });
}
