/**
 * Entries in any order, handed out in the order of the tree: depth first, names of a folder ascending. What does not fit into memory waits in a temporary file,
 * which has no name any more once it is open: so nothing is left behind whatever happens, and an archive of 50 million files takes no more memory than one of ten.
 */
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { LaganError } from '../../repo-format/mod.ts';
import { backupLimits } from './_limits.ts';

/** A row: where it belongs, and what is there. */
export interface SortedRow<Value> {
  /** Names from the top, a NUL between them: so a folder comes before all below it, and that before its next neighbour. */
  readonly key: Uint8Array;
  readonly value: Value;
}

interface Row {
  readonly key: Buffer;
  /** Of rows of one key, that of the greatest number counts. */
  readonly number: number;
  readonly bytes: Buffer;
}

interface Run {
  start: number;
  readonly end: number;
}

const rowHeaderBytes = 16;
const writeBytes = 1024 * 1024;
const readAheadBytes = 256 * 1024;

/** The key of names from the top. Names have no NUL. */
export function keyOf(names: readonly Uint8Array[]): Buffer {
  return Buffer.concat(names.flatMap((name, index) => (index === 0 ? [name] : [Buffer.of(0), name])));
}

export class EntrySorter<Value> {
  readonly #memoryBytes: number;
  readonly #runs: Run[] = [];
  #rows: Row[] = [];
  #usedBytes = 0;
  #file: number | undefined;
  #fileSize = 0;

  /** `memoryBytes`: of rows that wait for being written. */
  constructor(memoryBytes: number = backupLimits.sortedEntriesBytes) {
    this.#memoryBytes = memoryBytes;
  }

  /** Adds a row. Of rows of the same key only that of the greatest number counts. Codes: no-space, io: the temporary file. */
  add(key: Uint8Array, number: number, value: Value): void {
    const row = { key: Buffer.from(key), number, bytes: serialize(value) };
    this.#rows.push(row);
    this.#usedBytes += rowHeaderBytes + row.key.length + row.bytes.length;
    if (this.#usedBytes >= this.#memoryBytes) this.#spill();
  }

  /** All rows in order; may be called again. */
  *sorted(): Generator<SortedRow<Value>> {
    let last: Row | undefined;
    for (const row of this.#merged()) {
      if (last !== undefined && !last.key.equals(row.key)) yield { key: last.key, value: deserialize(last.bytes) };
      last = row;
    }
    if (last !== undefined) yield { key: last.key, value: deserialize(last.bytes) };
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  *#merged(): Generator<Row> {
    this.#rows.sort(compareRows);
    const sources = [...this.#runs.map((run) => this.#rowsOf({ ...run })), this.#rows.values()];
    const heads = sources.map((source) => source.next());
    for (;;) {
      let least = -1;
      for (let index = 0; index < heads.length; index++) {
        if (heads[index]!.done) continue;
        if (least < 0 || compareRows(heads[index]!.value!, heads[least]!.value!) < 0) least = index;
      }
      if (least < 0) return;
      yield heads[least]!.value as Row;
      heads[least] = sources[least]!.next();
    }
  }

  #spill(): void {
    this.#file ??= openNameless();
    this.#rows.sort(compareRows);
    const start = this.#fileSize;
    let waiting: Buffer[] = [];
    let waitingBytes = 0;
    for (const { key, number, bytes } of this.#rows) {
      const header = Buffer.alloc(rowHeaderBytes);
      header.writeUInt32LE(key.length, 0);
      header.writeUInt32LE(bytes.length, 4);
      header.writeDoubleLE(number, 8);
      waiting.push(header, key, bytes);
      waitingBytes += rowHeaderBytes + key.length + bytes.length;
      if (waitingBytes < writeBytes) continue;
      this.#append(Buffer.concat(waiting));
      [waiting, waitingBytes] = [[], 0];
    }
    this.#append(Buffer.concat(waiting));
    this.#runs.push({ start, end: this.#fileSize });
    [this.#rows, this.#usedBytes] = [[], 0];
  }

  #append(bytes: Buffer): void {
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#file!, bytes, done, bytes.length - done, this.#fileSize + done);
    } catch (error) {
      throw temporaryFileError('write', error);
    }
    this.#fileSize += bytes.length;
  }

  *#rowsOf(run: Run): Generator<Row> {
    let held = Buffer.alloc(0);
    const have = (count: number): void => {
      if (held.length >= count) return;
      const wanted = Buffer.alloc(Math.min(Math.max(count - held.length, readAheadBytes), run.end - run.start));
      this.#read(wanted, run.start);
      run.start += wanted.length;
      held = Buffer.concat([held, wanted]);
    };
    while (run.start < run.end || held.length > 0) {
      have(rowHeaderBytes);
      const keyEnd = rowHeaderBytes + held.readUInt32LE(0);
      const end = keyEnd + held.readUInt32LE(4);
      const number = held.readDoubleLE(8);
      have(end);
      yield { key: held.subarray(rowHeaderBytes, keyEnd), number, bytes: held.subarray(keyEnd, end) };
      held = held.subarray(end);
    }
  }

  #read(target: Buffer, position: number): void {
    try {
      for (let done = 0; done < target.length; ) {
        const read = readSync(this.#file!, target, done, target.length - done, position + done);
        if (read === 0) throw new LaganError('io', 'a temporary file of entries ends too early');
        done += read;
      }
    } catch (error) {
      throw error instanceof LaganError ? error : temporaryFileError('read', error);
    }
  }
}

function compareRows(left: Row, right: Row): number {
  return Buffer.compare(left.key, right.key) || left.number - right.number;
}

function openNameless(): number {
  try {
    const folder = mkdtempSync(join(tmpdir(), 'lagan-entries-'));
    try {
      return openSync(join(folder, 'entries'), constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  } catch (error) {
    throw temporaryFileError('create', error);
  }
}

function temporaryFileError(attempt: string, cause: unknown): LaganError {
  const errno = (cause as NodeJS.ErrnoException).code ?? 'EIO';
  const code = errno === 'ENOSPC' || errno === 'EDQUOT' ? 'no-space' : 'io';
  return new LaganError(code, `could not ${attempt} a temporary file for the entries of an archive in ${tmpdir()}: ${errno}`, {
    cause,
    errno,
    hint: 'TMPDIR names a folder with more space',
  });
}
