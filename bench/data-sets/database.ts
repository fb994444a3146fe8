/**
 * One file that looks like a database of 8 KiB pages, of which 1 % are changed between two backups, at places chosen by chance: the case
 * in which a backup tool stores everything again if its chunks are large.
 *
 * A page has a header, a list of row pointers growing from the front and rows growing from the back. A row has a header, a number, a
 * status, a binary id, a date, an amount, and a digest in hexadecimal digits. That makes zstd halve it, and lz4 hardly shrink it.
 * The content of each page follows from the seed, its number and its version.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { DataSet } from './data-set.ts';
import { choose, Keystream, SeededNumbers } from './seeded.ts';

export const pageBytes = 8192;
const pageHeaderBytes = 24;
const pointerBytes = 4;
const rowBytes = 288;
export const rowsPerPage = Math.floor((pageBytes - pageHeaderBytes) / (rowBytes + pointerBytes));
const firstRowOffset = pageBytes - rowsPerPage * rowBytes;

/** Each page uses so many bytes of the stream: its digits. */
const seedBytesPerPage = pageBytes / 2;
const pagesPerPiece = 512;
const editedShare = 0.01;
const binaryIdBytes = 32;
const statuses = ['active  ', 'pending ', 'archived', 'deleted '];

type Version = 0 | 1;

export function databaseSet({ sizeBytes }: { sizeBytes: number }): DataSet {
  const pageCount = sizeBytes / pageBytes;
  const fileIn = (folder: string) => join(folder, 'main.db');
  return {
    name: 'database',
    scenarios: ['first', 'edit'],
    recipe: `database 1: ${sizeBytes} bytes`,
    spaceBytes: sizeBytes,
    async make(folder) {
      const file = openSync(fileIn(folder), 'wx');
      const stream = new Keystream(streamSeed(0));
      for (let page = 0; page < pageCount; page += pagesPerPiece) {
        const count = Math.min(pagesPerPiece, pageCount - page);
        writeSync(file, makePages(stream.next(count * seedBytesPerPage), { firstPage: page, version: 0 }));
      }
      closeSync(file);
      return {
        description: `a file like a database, ${pageCount} pages of ${pageBytes} bytes, of which 1 % are changed`,
        files: 1,
        bytes: sizeBytes,
      };
    },
    edit: (folder) => writePages(fileIn(folder), (page, before) => editedPage(page, before)),
    revert: (folder) => writePages(fileIn(folder), (page) => originalPage(page)),
  };
}

/** The pages that an edit changes. */
export function editedPages(pageCount: number): number[] {
  return choose(Math.round(pageCount * editedShare), pageCount, 'lagan bench database edit');
}

/** A page as it is made first. */
export function originalPage(page: number): Buffer {
  return pageOf(page, 0);
}

/** Every second page gets all new rows, the others new ones in the place of one to five neighbours. */
export function editedPage(page: number, before: Buffer): Buffer {
  const after = pageOf(page, 1);
  const numbers = new SeededNumbers(`lagan bench database edit of page ${page}`);
  if (numbers.below(2) === 0) return after;
  const count = 1 + numbers.below(5);
  const start = firstRowOffset + numbers.below(rowsPerPage - count + 1) * rowBytes;
  const mixed = Buffer.from(before);
  after.copy(mixed, 0, 0, pageHeaderBytes);
  after.copy(mixed, start, start, start + count * rowBytes);
  return mixed;
}

function pageOf(page: number, version: Version): Buffer {
  const stream = new Keystream(streamSeed(version), page * seedBytesPerPage);
  return makePages(stream.next(seedBytesPerPage), { firstPage: page, version });
}

function writePages(path: string, content: (page: number, before: Buffer) => Buffer): void {
  const file = openSync(path, 'r+');
  const before = Buffer.alloc(pageBytes);
  for (const page of editedPages(fstatSync(file).size / pageBytes)) {
    readSync(file, before, 0, pageBytes, page * pageBytes);
    writeSync(file, content(page, before), 0, pageBytes, page * pageBytes);
  }
  closeSync(file);
}

function makePages(random: Buffer, about: { firstPage: number; version: Version }): Buffer {
  const pages = Buffer.from(random.toString('hex'), 'latin1');
  for (let index = 0; index * pageBytes < pages.length; index++) {
    const target = pages.subarray(index * pageBytes, (index + 1) * pageBytes);
    const source = random.subarray(index * seedBytesPerPage, (index + 1) * seedBytesPerPage);
    layOutPage(target, { page: about.firstPage + index, version: about.version, random: source });
  }
  return pages;
}

/** `target` is full of hexadecimal digits, of which the digests of the rows remain. */
function layOutPage(target: Buffer, { page, version, random }: { page: number; version: Version; random: Buffer }): void {
  target.fill(0, 0, firstRowOffset);
  target.writeUInt32LE(0x01_00_00_00 + page * 3 + version * 0x10_00_00, 0);
  target.writeUInt16LE(random.readUInt16LE(0), 8);
  target.writeUInt16LE(pageHeaderBytes + rowsPerPage * pointerBytes, 12);
  target.writeUInt16LE(firstRowOffset, 14);
  target.writeUInt16LE(pageBytes, 16);
  for (let row = 0; row < rowsPerPage; row++) {
    const offset = firstRowOffset + row * rowBytes;
    target.writeUInt32LE(offset | (rowBytes << 17), pageHeaderBytes + row * pointerBytes);
    layOutRow(target.subarray(offset, offset + rowBytes), { page, row, version, random });
  }
}

function layOutRow(target: Buffer, { page, row, version, random }: { page: number; row: number; version: Version; random: Buffer }): void {
  const source = row * 64;
  const dice = random.readUInt32LE(source);
  target.fill(0, 0, 32);
  target.writeUInt32LE(5000 + Math.floor(page / 64) + version * 100_000, 0);
  target.writeUInt32LE(page, 12);
  target.writeUInt16LE(row + 1, 16);
  target.writeUInt32LE(0x18_0902, 18);
  target.writeUInt32LE(page * rowsPerPage + row, 24);
  target.write(statuses[dice & 3]!, 32, 'latin1');
  random.copy(target, 40, source + 4, source + 4 + binaryIdBytes);
  const [date, amount] = [`2026-${twoDigits(1 + (page % 12))}-${twoDigits(1 + (row % 28))}`, 100_000 + ((dice >>> 2) % 900_000)];
  target.write(`${date} EUR 0000${amount}.00 `, 40 + binaryIdBytes, 'latin1');
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0');
}

function streamSeed(version: Version): string {
  return `lagan bench database ${version}`;
}
