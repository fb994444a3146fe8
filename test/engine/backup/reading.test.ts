/** Files that change between the scan, the opening and the readings: at named moments, in one thread. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { randomBytesOf } from '../random.ts';
import { expectedNow, nextDescriptor, ReaderParts } from './_reader-parts.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

function folderOf(t: Test): (name: string) => string {
  const folder = t.testdir();
  return (name) => path.join(folder, name);
}

t.test('FileReader: what happened to a file between scan and opening is said, and the others are read', async (t) => {
  const at = folderOf(t);
  const changes: Record<string, (file: string) => void> = {
    vanished: (file) => fs.unlinkSync(file),
    'became-folder': (file) => {
      fs.unlinkSync(file);
      fs.mkdirSync(file);
    },
    'became-link': (file) => {
      fs.unlinkSync(file);
      fs.symlinkSync('/etc/hostname', file);
    },
    'became-fifo': (file) => {
      fs.unlinkSync(file);
      spawnSync('mkfifo', [file]);
    },
    grew: (file) => fs.appendFileSync(file, 'more'),
    shrank: (file) => fs.truncateSync(file, 10),
    emptied: (file) => fs.truncateSync(file, 0),
    'was-replaced': (file) => {
      fs.writeFileSync(`${file}.new`, 'another');
      fs.renameSync(`${file}.new`, file);
    },
    stayed: () => {},
  };
  const bytes = randomBytesOf('a file', 1_000);
  const names = Object.keys(changes);
  for (const name of names) fs.writeFileSync(at(name), bytes);
  fs.mkdirSync(at('folder'));
  fs.writeFileSync(at('folder/file'), bytes);
  const expected = [...names, 'folder/file'].map((name) => expectedNow(at(name)));
  for (const [name, change] of Object.entries(changes)) change(at(name));
  fs.renameSync(at('folder'), at('elsewhere'));
  fs.symlinkSync('elsewhere', at('folder'));
  const before = nextDescriptor();
  const parts = new ReaderParts();
  const outcomes = await parts.readFiles(expected);
  t.equal(nextDescriptor(), before, 'no descriptor is left open');
  const codes = Object.fromEntries(outcomes.map(({ outcome }, index) => [names[index] ?? 'folder/file', outcome.error?.code]));
  t.match(codes, {
    vanished: 'vanished',
    'became-folder': 'replaced',
    'became-link': 'replaced',
    'became-fifo': 'replaced',
    grew: undefined,
    shrank: undefined,
    emptied: undefined,
    'was-replaced': undefined,
    stayed: undefined,
    'folder/file': 'replaced',
  });
  const contents = {
    grew: Buffer.concat([bytes, Buffer.from('more')]),
    shrank: bytes.subarray(0, 10),
    emptied: Buffer.alloc(0),
    'was-replaced': Buffer.from('another'),
    stayed: bytes,
  };
  for (const [name, content] of Object.entries(contents)) {
    const { outcome, extents } = outcomes[names.indexOf(name)]!;
    t.ok((await parts.bytesOf(extents)).equals(content), name);
    t.equal(outcome.bytes, content.length);
    t.equal(outcome.metadata?.size, name === 'stayed' ? undefined : content.length, 'what is known of it is of the moment of opening');
  }
});

t.test('FileReader: a file that shrinks while it is read is stored as far as it goes; its neighbours are whole', async (t) => {
  const at = folderOf(t);
  const bytes = randomBytesOf('shrinking', 3 * MiB);
  for (const [size, left] of [
    [20_000, 5_000],
    [20_000, 0],
    [600 * KiB, 100],
    [3 * MiB, 600 * KiB],
    [3 * MiB, 512 * KiB],
    [3 * MiB, 0],
  ] as const) {
    for (const name of ['a', 'b', 'c']) fs.writeFileSync(at(name), bytes.subarray(0, size));
    const parts = new ReaderParts();
    const expected = ['a', 'b', 'c'].map((name) => expectedNow(at(name)));
    const readsOfOne = Math.max(1, Math.ceil(size / (512 * KiB)));
    // While b is read: at its second reading, or its first if there is but one.
    parts.beforeRead = (number) => {
      if (number === readsOfOne + Math.min(2, readsOfOne)) fs.truncateSync(at('b'), left);
    };
    const [a, b, c] = await parts.readFiles(expected);
    t.equal(a!.outcome.error ?? c!.outcome.error, undefined);
    t.equal(b!.outcome.error?.code, 'shorter', `${size} to ${left} bytes`);
    for (const { extents } of [a!, c!]) t.ok((await parts.bytesOf(extents)).equals(bytes.subarray(0, size)));
    const found = await parts.bytesOf(b!.extents);
    t.ok(found.equals(bytes.subarray(0, found.length)), `${found.length} bytes are there`);
    t.ok(found.length >= left && found.length < size);
  }
});

t.test('FileReader: a file that grows while it is read is stored as long as it was, and told of', async (t) => {
  const at = folderOf(t);
  for (const size of [10_000, 700 * KiB, 2 * MiB]) {
    const bytes = randomBytesOf('growing', size);
    fs.writeFileSync(at('log'), bytes);
    const parts = new ReaderParts();
    const expected = expectedNow(at('log'));
    parts.beforeRead = () => fs.appendFileSync(at('log'), randomBytesOf('line', 300_000));
    const [{ outcome, extents }] = (await parts.readFiles([expected])) as [Awaited<ReturnType<ReaderParts['readFiles']>>[0]];
    t.equal(outcome.error, undefined);
    t.equal(outcome.extras?.faults[0]?.code, 'grew');
    t.equal(outcome.bytes, size);
    t.ok((await parts.bytesOf(extents)).equals(bytes));
  }
});

t.test('FileReader: a change at once after a file was read shows in its times, however soon it comes', async (t) => {
  const at = folderOf(t);
  const parts = new ReaderParts();
  for (let round = 0; round < 25; round++) {
    fs.writeFileSync(at('busy'), `first ${round}`);
    const expected = expectedNow(at('busy'));
    const [read] = await parts.readFiles([expected]);
    fs.writeFileSync(at('busy'), `later ${round}`);
    const changed = read!.outcome.metadata?.changed ?? { seconds: expected.changedSeconds, nanoseconds: expected.changedNanoseconds };
    const now = expectedNow(at('busy'));
    if (now.changedSeconds === changed.seconds && now.changedNanoseconds === changed.nanoseconds) t.fail(`round ${round}`);
  }
});

t.test('LargeFile: a file that is written to between the readings of its segments: every byte has its place', async (t) => {
  const at = folderOf(t);
  const segmentSizeBytes = 512 * KiB;
  const size = 4 * MiB + 321;
  for (const seed of ['one', 'two', 'three', 'four']) {
    const before = randomBytesOf(`before ${seed}`, size);
    const after = randomBytesOf(`after ${seed}`, size);
    fs.writeFileSync(at('database'), before);
    const parts = new ReaderParts();
    const expected = expectedNow(at('database'));
    // All of it is written anew, by parts: what is read before and after has nothing in common, not even the cuts.
    const { content, outcome } = await parts.readLarge(expected, {
      segmentSizeBytes,
      beforePart: (number) => fs.writeFileSync(at('database'), number % 2 === 0 ? after : before),
    });
    t.equal(outcome.error, undefined);
    t.equal(outcome.bytes, size);
    const extents = content.form === 'inline' ? content.extents : [];
    const found = await parts.bytesOf(extents);
    t.equal(found.length, size, 'not a byte more or less');
    let wrong = 0;
    for (let index = 0; index < size; index++) if (found[index] !== before[index] && found[index] !== after[index]) wrong++;
    t.equal(wrong, 0, 'each byte is one that the file had there');
  }
});

t.test('LargeFile: its entry is of the moment of opening, so that a change while it is read shows next time', async (t) => {
  const at = folderOf(t);
  fs.writeFileSync(at('file'), randomBytesOf('content', 2 * MiB));
  const parts = new ReaderParts();
  const expected = expectedNow(at('file'));
  const { outcome } = await parts.readLarge(expected, {
    segmentSizeBytes: 256 * KiB,
    beforePart: (number) => number === 3 && fs.writeFileSync(at('file'), randomBytesOf('new', 2 * MiB)),
  });
  t.equal(outcome.metadata, undefined, 'what the scan saw');
});

t.test('LargeFile: another file that takes its name is not mixed with it', async (t) => {
  const at = folderOf(t);
  const bytes = randomBytesOf('old', 2 * MiB);
  fs.writeFileSync(at('file'), bytes);
  fs.writeFileSync(at('new'), randomBytesOf('new', 2 * MiB));
  const parts = new ReaderParts();
  const { content } = await parts.readLarge(expectedNow(at('file')), {
    segmentSizeBytes: 256 * KiB,
    beforePart: (number) => number === 3 && fs.renameSync(at('new'), at('file')),
  });
  t.ok((await parts.bytesOf(content.form === 'inline' ? content.extents : [])).equals(bytes));
});

t.test('LargeFile: one that shrinks ends where it ends', async (t) => {
  const at = folderOf(t);
  const size = 3 * MiB + 5;
  const bytes = randomBytesOf('shrinking', size);
  for (const left of [0, 1, 256 * KiB, MiB, MiB + 77_777, size - 1]) {
    for (const when of [2, 5, 12]) {
      fs.writeFileSync(at('file'), bytes);
      const parts = new ReaderParts();
      const { content, outcome } = await parts.readLarge(expectedNow(at('file')), {
        segmentSizeBytes: 256 * KiB,
        beforePart: (number) => number === when && fs.truncateSync(at('file'), left),
      });
      const found = await parts.bytesOf(content.form === 'inline' ? content.extents : []);
      t.equal(outcome.bytes, found.length);
      t.ok(found.equals(bytes.subarray(0, found.length)), `${left} bytes left at part ${when}: ${found.length} stored`);
      t.equal(outcome.error?.code, found.length < size ? 'shorter' : undefined);
      t.ok(found.length >= left);
    }
  }
});

t.test('LargeFile: a sparse one whose holes are filled and whose data is punched meanwhile', async (t) => {
  const at = folderOf(t);
  const descriptor = fs.openSync(at('sparse'), 'w+');
  fs.ftruncateSync(descriptor, 8 * MiB);
  for (let offset = 0; offset < 8 * MiB; offset += MiB)
    fs.writeSync(descriptor, randomBytesOf(`${offset}`, 300 * KiB), 0, 300 * KiB, offset);
  const parts = new ReaderParts();
  const { content, outcome } = await parts.readLarge(expectedNow(at('sparse')), {
    segmentSizeBytes: 128 * KiB,
    beforePart: (number) => {
      fs.writeSync(descriptor, randomBytesOf('fill', 100 * KiB), 0, 100 * KiB, (number % 8) * MiB + 500 * KiB);
      spawnSync('fallocate', ['-p', '-o', String((number % 8) * MiB), '-l', String(200 * KiB), at('sparse')]);
    },
  });
  fs.closeSync(descriptor);
  t.equal(outcome.error, undefined);
  t.equal((await parts.bytesOf(content.form === 'inline' ? content.extents : [])).length, 8 * MiB);
});
