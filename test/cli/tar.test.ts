import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Entry } from '../../bin/shared/engine.ts';
import { TarWriter } from '../../bin/shared/tar.ts';
import { run, scratchFolder } from './cli.ts';
import { directoryEntry, fakeEngine, fileEntry, socketEntry, symlinkEntry, walked } from './fake-engine.ts';

/** The archive of these entries. */
async function archive(
  entries: readonly { path: string | Uint8Array; entry: Entry; content?: string | Uint8Array }[],
): Promise<{ bytes: Buffer; missing: number[] }> {
  const pieces: Buffer[] = [];
  const writer = new TarWriter(async (bytes) => void pieces.push(Buffer.from(bytes)));
  const missing: number[] = [];
  for (const { path, entry, content } of entries) {
    missing.push(
      await writer.add({ path: Buffer.from(path), entry, ...(content !== undefined && { content: pieceByPiece(Buffer.from(content)) }) }),
    );
  }
  await writer.end();
  const bytes = Buffer.concat(pieces);
  t.equal(bytes.length % 512, 0);
  t.equal(bytes.length, writer.sizeBytes);
  return { bytes, missing };
}

async function* pieceByPiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += 1000) yield bytes.subarray(offset, offset + 1000);
}

/** GNU tar's answer; bytes of names as Latin-1. */
function tar(...parameters: string[]): { stdout: string; stderr: string; status: number | null } {
  const { stdout, stderr, status } = spawnSync('tar', parameters, {
    encoding: 'latin1',
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
  });
  return { stdout, stderr, status };
}

function saved(t: Tap, bytes: Uint8Array): string {
  const file = join(scratchFolder(t), 'archive.tar');
  writeFileSync(file, bytes);
  return file;
}
type Tap = Parameters<typeof scratchFolder>[0];

function listing(t: Tap, bytes: Uint8Array): string[] {
  const { stdout, stderr, status } = tar('--quoting-style=literal', '--full-time', '--numeric-owner', '-tvf', saved(t, bytes));
  if (status !== 0 || stderr !== '') throw new Error(stderr);
  return stdout.trimEnd().split('\n');
}

t.test('TarWriter: sizes around a block, exact content, padding', async (t) => {
  const sizes = [0, 1, 511, 512, 513, 1024, 70_000];
  const contents = sizes.map((size) => Buffer.alloc(size, 'abcdefg'));
  const { bytes } = await archive(
    sizes.map((size, index) => ({ path: `f${size}`, entry: fileEntry('f', size), content: contents[index]! })),
  );
  const file = saved(t, bytes);
  for (const [index, size] of sizes.entries())
    t.equal(tar('-xOf', file, `f${size}`).stdout, contents[index]!.toString('latin1'), `${size}`);
});

t.test('TarWriter: names of 98 to 255 bytes, with every kind of byte', async (t) => {
  const names = [98, 99, 100, 101, 255].map((length) => 'n'.repeat(length));
  const bytes = [
    ...names.map((name) => Buffer.from(name)),
    Buffer.from('é€'),
    Buffer.of(0x66, 0xfc, 0xff),
    Buffer.from('a\tb'),
    Buffer.from(`${`${'d'.repeat(255)}/`.repeat(20)}end`),
  ];
  const { bytes: tarBytes } = await archive(bytes.map((path) => ({ path, entry: fileEntry('x', 0) })));
  const { stdout } = tar('--quoting-style=literal', '--show-transformed-names', '-tf', saved(t, tarBytes));
  t.same(
    stdout.trimEnd().split('\n'),
    bytes.map((name) => name.toString('latin1')),
  );
});

t.test('TarWriter: owners, modes, and times from before 1970 to after 2106', async (t) => {
  const times = [
    { seconds: 1_700_000_000, nanoseconds: 123_456_789 },
    { seconds: -86_400, nanoseconds: 0 },
    { seconds: 6_000_000_000, nanoseconds: 1 },
    { seconds: 0, nanoseconds: 0 },
    { seconds: -1, nanoseconds: 250_000_000 },
  ];
  const { bytes } = await archive(
    times.map((mtime, index) => ({
      path: `f${index}`,
      entry: { ...fileEntry('x', 0), mtime, mode: 0o6755, uid: 4_294_967_294, gid: index } as Entry,
    })),
  );
  const lines = listing(t, bytes).map((line) => line.split(/ +/).slice(0, 5).join(' '));
  t.same(lines.slice(0, 4), [
    '-rwsr-sr-x 4294967294/0 0 2023-11-14 22:13:20.123456789',
    '-rwsr-sr-x 4294967294/1 0 1969-12-31 00:00:00',
    '-rwsr-sr-x 4294967294/2 0 2160-02-18 10:40:00.000000001',
    '-rwsr-sr-x 4294967294/3 0 1970-01-01 00:00:00',
  ]);
  // As GNU tar writes it; what it then lists (1.34) is another matter.
  t.match(bytes.toString('latin1'), /\d+ mtime=-0\.750000000\n/);
});

t.test('TarWriter: a file beyond 8 GiB has its size in the headers', async (t) => {
  const pieces: Buffer[] = [];
  const writer = new TarWriter(async (bytes) => {
    if (pieces.length < 3) pieces.push(Buffer.from(bytes));
    else throw new Error('enough');
  });
  await t.rejects(
    writer.add({ path: Buffer.from('big'), entry: fileEntry('big', 9 * 1024 ** 3), content: pieceByPiece(Buffer.alloc(10)) }),
    { message: 'enough' },
  );
  t.match(Buffer.concat(pieces).toString('latin1'), /19 size=9663676416\n/);
});

t.test('TarWriter: content that is shorter becomes zeros, longer is cut off', async (t) => {
  const { bytes, missing } = await archive([
    { path: 'short', entry: fileEntry('short', 100_000), content: 'abc' },
    { path: 'long', entry: fileEntry('long', 3), content: 'abcdef' },
    { path: 'none', entry: fileEntry('none', 5), content: '' },
  ]);
  t.same(missing, [99_997, 0, 5]);
  const file = saved(t, bytes);
  t.equal(tar('-xOf', file, 'short').stdout, `abc${'\0'.repeat(99_997)}`);
  t.equal(tar('-xOf', file, 'long').stdout, 'abc');
  t.equal(tar('-xOf', file, 'none').stdout, '\0'.repeat(5));
});

t.test('TarWriter: links of all kinds, folders, extended attributes', async (t) => {
  const linked = (entry: Entry): Entry => ({ ...entry, extensions: { link: { count: 2, device: 7 } } });
  const attributes = [
    { name: Buffer.from('user.plain'), value: Buffer.from('text') },
    { name: Buffer.from('user.a=b%c'), value: Uint8Array.of(0, 10, 255) },
  ];
  const longTarget = `../${'t'.repeat(300)}`;
  const { bytes } = await archive([
    { path: 'folder', entry: directoryEntry('folder') },
    { path: 'folder/first', entry: linked(fileEntry('first', 5)), content: 'hello' },
    { path: 'folder/second', entry: linked(fileEntry('second', 5)), content: 'hello' },
    { path: 'soft', entry: symlinkEntry('soft', 'folder/first') },
    { path: 'soft-long', entry: symlinkEntry('soft-long', longTarget) },
    { path: 'attributed', entry: { ...fileEntry('attributed', 0), extensions: { xattrs: attributes } } },
    { path: 'fifo', entry: { ...socketEntry('fifo'), type: 'fifo' } as Entry },
  ]);
  const file = saved(t, bytes);
  const target = join(scratchFolder(t), 'out');
  mkdirSync(target);
  const { status, stderr } = tar('--xattrs', '--xattrs-include=*', '--no-same-owner', '-xf', file, '-C', target);
  t.equal(stderr, '');
  t.equal(status, 0);
  t.equal(lstatSync(join(target, 'folder/first')).ino, lstatSync(join(target, 'folder/second')).ino);
  t.equal(readFileSync(join(target, 'folder/second'), 'utf8'), 'hello');
  t.equal(readlinkSync(join(target, 'soft-long')), longTarget);
  t.ok(lstatSync(join(target, 'fifo')).isFIFO());
  t.equal(lstatSync(join(target, 'folder')).mode & 0o777, 0o755);
  const raw = bytes.toString('latin1');
  t.match(raw, /\d+ SCHILY\.xattr\.user\.plain=text\n/);
  t.ok(raw.includes('SCHILY.xattr.user.a%3Db%25c=\0\n\xff\n'));
});

t.test('TarWriter refuses a socket', async (t) => {
  await t.rejects(archive([{ path: 's', entry: socketEntry('s') }]), RangeError);
});

t.test('dump: an archive that tar extracts, whole, below a path, or from a path on', async (t) => {
  const tree = [
    walked('/srv', directoryEntry('srv')),
    walked('/srv/data', directoryEntry('data')),
    walked('/srv/data/a', fileEntry('a', 5)),
    walked('/srv/other', fileEntry('other', 5)),
  ];
  const names = async (...argv: string[]) => {
    const outcome = await run(['dump', ...argv, '-r', '/r', '--key-file', '/k'], { engine: fakeEngine({ tree }) });
    t.equal(outcome.exitCode, 0);
    return tar('-tf', saved(t, outcome.bytes)).stdout.trimEnd().split('\n');
  };
  t.same(await names('latest'), ['srv/', 'srv/data/', 'srv/data/a', 'srv/other']);
  t.same(await names('latest', '/srv/data'), ['srv/data/', 'srv/data/a']);
  t.same(await names('latest', '/srv/data/a'), ['srv/data/a']);
  t.same(await names('latest:/srv'), ['./', 'data/', 'data/a', 'other']);
  t.same(await names('latest:/srv', 'data'), ['data/', 'data/a']);
});
