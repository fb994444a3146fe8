import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import t, { type Test } from 'tap';
import type { CheckResult, Engine, Finding, MaintainResult, RestoreResult, SnapshotId } from '../../bin/shared/engine.ts';
import { LaganError } from '../../repo-format/mod.ts';
import { type Outcome, parseLines, run, scratchFolder } from './cli.ts';
import {
  type Calls,
  deviceEntry,
  directoryEntry,
  type FakeOptions,
  fakeEngine,
  fileEntry,
  firstId,
  secondId,
  snapshotInfo,
  socketEntry,
  storedHold,
  walked,
} from './fake-engine.ts';
import { problems, schemaNames } from './schemas.ts';

const key = ['-r', '/r', '--key-file', '/k'];
const schemasSeen = new Set<string>();

interface Case extends FakeOptions {
  readonly terminal?: boolean;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly stdin?: string;
}

function lagan(argv: string[], { terminal, env, cwd, stdin, ...fake }: Case = {}): Promise<Outcome> {
  return run([...key, ...argv], {
    engine: fakeEngine(fake),
    ...(terminal && { terminal }),
    ...(env && { env }),
    ...(cwd && { cwd }),
    ...(stdin !== undefined && { stdin }),
  });
}

/** Runs a command with --json; every line must be as the schema of the command says. */
async function json(t: Test, argv: string[], fake: Case = {}): Promise<Record<string, unknown>[]> {
  const name = argv[0]!;
  const outcome = await lagan(['--json', ...argv], fake);
  schemasSeen.add(name);
  for (const value of outcome.json) t.same(problems(name, value), []);
  if (outcome.exitCode !== 0 && outcome.exitCode !== 3) checkError(t, outcome);
  return outcome.json;
}

function checkError(t: Test, outcome: Outcome): void {
  schemasSeen.add('error');
  t.same(problems('error', outcome.error), []);
  t.equal(outcome.error.exitCode, outcome.exitCode);
}

t.test('snapshots: a table, and the same as JSON', async (t) => {
  const snapshots = [
    snapshotInfo(firstId, { tags: ['a', 'b'], description: 'first' }),
    snapshotInfo(secondId, { host: 'db1', seconds: 1_700_086_400, paths: ['/etc', '/srv'] }),
  ];
  const { stdout, exitCode } = await lagan(['snapshots'], { snapshots });
  t.equal(exitCode, 0);
  t.match(
    stdout,
    /^ID +Time +Host +Files +Size +Tags +Paths and description\n11111111 .* web1 +2 +7 B +a,b +\/srv\/data "first"\naaaaaaaa .* db1 +2 +7 B +\/etc \/srv\n$/,
  );
  const [message] = await json(t, ['snapshots'], { snapshots });
  t.match(message, { type: 'snapshots', snapshots: [{ id: firstId, host: 'web1', paths: [{ path: '/srv/data' }] }, { id: secondId }] });
});

t.test('snapshots: which are pinned, and until when; files that changed while they were read are not called unreadable', async (t) => {
  const errors = [
    { path: Buffer.from('/srv/log'), code: 'grew', message: 'grew' },
    { path: Buffer.from('/srv/key'), code: 'EACCES', message: 'could not be opened' },
  ];
  const info = snapshotInfo(secondId);
  const snapshots = [
    { ...snapshotInfo(firstId), heldUntil: null },
    { ...info, heldUntil: { seconds: 1_800_000_000, nanoseconds: 0 } },
    {
      ...snapshotInfo('cc'.repeat(16)),
      snapshot: { ...info.snapshot, errors, statistics: { ...info.snapshot.statistics, errors: 5 } },
    },
  ];
  const { stdout } = await lagan(['snapshots'], { snapshots });
  t.match(stdout, /\/srv\/data \(pinned\)\n.*\/srv\/data \(pinned until 2027-01-15 .*\)\n/);
  t.match(stdout, /\(1 file changed while it was read\) \(4 files could not be read completely\)\n/);
  const [message] = await json(t, ['snapshots'], { snapshots });
  t.match(message, { snapshots: [{ pinned: true }, { pinned: true, pinnedUntil: '2027-01-15T08:00:00.000000000Z' }, { pinned: false }] });
  t.notOk('pinnedUntil' in (message as { snapshots: object[] }).snapshots[0]!);
});

t.test('snapshots --group-by and --latest', async (t) => {
  const snapshots = [snapshotInfo(firstId), snapshotInfo(secondId), snapshotInfo('bb'.repeat(16), { host: 'db1' })];
  const { stdout } = await lagan(['snapshots', '--group-by', 'host,path', '--latest', '1'], { snapshots });
  t.match(stdout, /^host web1, paths \/srv\/data\nID.*\naaaaaaaa.*\n\nhost db1, paths \/srv\/data\nID.*\nbbbbbbbb.*\n$/);
  const [message] = await json(t, ['snapshots', '--group-by', 'host'], { snapshots });
  t.match(message, { snapshots: [{ group: { host: 'web1' } }, { group: { host: 'web1' } }, { group: { host: 'db1' } }] });
});

t.test('snapshots: an empty repository, and damage that is told while the others are listed', async (t) => {
  t.match(await lagan(['snapshots'], { snapshots: [] }), { exitCode: 0, stdout: '', stderr: 'no snapshots\n' });
  const overrides: FakeOptions['overrides'] = {
    listSnapshots: async (_repository, options) => {
      options?.onDamage?.(new LaganError('authentication-failed', 'writer/snapshots/x was changed'));
      return [snapshotInfo(firstId)];
    },
  };
  t.match(await json(t, ['snapshots'], { overrides }), [{ type: 'warning' }, { type: 'snapshots' }]);
});

t.test('ls: the folders of the snapshot, one of its paths, details, recursion', async (t) => {
  t.equal((await lagan(['ls'])).stdout, '/srv/data/a.txt\n/srv/data/link\n/srv/data/disk\n');
  t.equal((await lagan(['ls', 'latest', '/'])).stdout, '/srv\n');
  t.equal((await lagan(['ls', '/srv'])).stdout, '/srv/data\n');
  t.equal((await lagan(['ls', 'latest:/srv', '-0'])).stdout, '/srv/data\0');
  t.equal((await lagan(['ls', '-R', 'latest~1', '/srv'])).stdout.split('\n').length, 5);
  const { stdout } = await lagan(['ls', '-l', 'latest', '/srv/data']);
  t.match(
    stdout,
    /^-rw-r--r-- ann users +5 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d \/srv\/data\/a\.txt\n.* \/srv\/data\/link -> a\.txt\nbrw-r--r-- ann users +8, 1 /,
  );
  t.equal((await lagan(['ls', 'latest', '/srv/data/a.txt'])).stdout, '/srv/data/a.txt\n');
  const messages = await json(t, ['ls', '-R', 'latest', '/']);
  t.match(
    messages.map(({ type }) => type),
    ['snapshot', 'entry', 'entry', 'entry', 'entry', 'entry', 'summary'],
  );
});

t.test('ls: what is not there', async (t) => {
  t.match(await lagan(['--json', 'ls', 'latest', '/none']), { exitCode: 10, error: { code: 'path-not-found' } });
  t.match(await lagan(['--json', 'ls', 'latest~7']), { exitCode: 10, error: { code: 'snapshot-not-found' } });
  const gone = await lagan(['ls'], { snapshots: [snapshotInfo(firstId, { paths: ['/gone', '/srv'] })] });
  t.match(gone, { exitCode: 0, stdout: '/srv/data\n', stderr: /^warning: there is no \/gone/ });
});

const evil = Buffer.from('/srv/\u001b]0;evil\u0007\n\u202e', 'utf8');
const latin = Buffer.of(0x2f, 0x73, 0x72, 0x76, 0x2f, 0xfc);

t.test('names with controls and bytes that are not UTF-8: escaped on a terminal, exact in a pipe and in JSON', async (t) => {
  const tree = [walked(evil, fileEntry('x')), walked(latin, fileEntry(Uint8Array.of(0xfc)))];
  const onTerminal = await lagan(['ls', 'latest', '/'], {
    tree: tree.map(({ path, entry }) => ({ path: path.subarray(4), entry })),
    terminal: true,
  });
  t.equal(onTerminal.stdout, '/\\x1b]0;evil\\x07\\n\\u{202e}\n/\\xfc\n');
  t.same((await lagan(['ls', '-R', 'latest', '/'], { tree })).bytes, Buffer.concat([evil, Buffer.from('\n'), latin, Buffer.from('\n')]));
  const entries = (await json(t, ['ls', '-R', 'latest', '/'], { tree })).filter(({ type }) => type === 'entry');
  t.equal(entries[0]?.path, evil.toString('utf8'));
  t.notOk('pathBase64' in entries[0]!);
  t.match(entries[1], { path: '/srv/\ufffd', pathBase64: latin.toString('base64') });
});

t.test('find: what the engine is asked, and what is printed', async (t) => {
  const calls: Calls = [];
  const found = await lagan(['find', 'a.txt', '/srv/**/l*'], { calls });
  t.equal(found.stdout, '11111111  /srv/data/a.txt\naaaaaaaa  /srv/data/a.txt\n');
  const argv = ['x', '-i', '--type', 'f,l', '--larger-than', '1K', '--smaller-than', '2K', '--newer-than', '@5', '--older-than', '@9'];
  await lagan(['find', ...argv], { calls });
  t.match(
    calls.filter(({ name }) => name === 'findEntries'),
    [
      { options: { patterns: ['a.txt', '/srv/**/l*'] } },
      {
        options: {
          patterns: ['x'],
          ignoreCase: true,
          types: ['file', 'symlink'],
          minimumSize: 1025,
          maximumSize: 2047,
          newerThan: { seconds: 5 },
          olderThan: { seconds: 9 },
        },
      },
    ],
  );
  t.equal((await lagan(['find', 'a.txt', '-s', '1111', '-0'])).stdout, '/srv/data/a.txt\0');
  t.equal((await lagan(['find', 'a.txt', '--latest', '1'])).stdout, 'aaaaaaaa  /srv/data/a.txt\n');
  t.match(await lagan(['find', 'none'], { tree: [] }), { stdout: '', stderr: 'nothing found\n', exitCode: 0 });
  t.match(await json(t, ['find', 'a.txt']), [
    { type: 'match', snapshot: firstId },
    { type: 'match', snapshot: secondId },
    { type: 'summary', matches: 2, snapshots: 2 },
  ]);
});

t.test('diff: marks, totals, and both sides as JSON', async (t) => {
  const differences: FakeOptions['differences'] = [
    { change: 'added', path: Buffer.from('/new'), before: undefined, after: fileEntry('new', 10) },
    { change: 'removed', path: Buffer.from('/old'), before: directoryEntry('old'), after: undefined },
    { change: 'modified', path: Buffer.from('/both'), before: fileEntry('both', 3), after: fileEntry('both', 4) },
    { change: 'metadata', path: Buffer.from('/same'), before: fileEntry('same'), after: fileEntry('same') },
    { change: 'type', path: Buffer.from('/was'), before: fileEntry('was', 1), after: deviceEntry('was') },
  ];
  const { stdout, stderr } = await lagan(['diff', 'latest~1', 'latest'], { differences });
  t.equal(stdout, '+  /new\n-  /old\nM  /both\nm  /same\nT  /was\n');
  t.equal(stderr, '1 added, 1 removed, 1 modified, 1 with other metadata, 1 of another type; 14 B came, 4 B went\n');
  t.notMatch((await lagan(['diff', 'latest~1', 'latest', '--no-metadata'], { differences })).stdout, /same/);
  t.match((await json(t, ['diff', 'latest~1', 'latest'], { differences })).at(-1), {
    type: 'summary',
    before: firstId,
    after: secondId,
    added: 1,
    addedBytes: 14,
  });
});

t.test('cat: the bytes on standard output; JSON about them on standard error', async (t) => {
  t.match(await lagan(['cat', 'latest', '/srv/data/a.txt']), { exitCode: 0, stdout: 'hello', stderr: '' });
  const outcome = await lagan(['--json', 'cat', 'latest:/srv/data/a.txt']);
  t.equal(outcome.stdout, 'hello');
  t.same(problems('cat', outcome.error), []);
  t.match(await lagan(['--json', 'cat', 'latest', '/srv']), { exitCode: 10, error: { code: 'path-not-found' } });
});

t.test('cat --output: a new file, never one that exists; nothing is left of a failure', async (t) => {
  const cwd = scratchFolder(t);
  t.match(await json(t, ['cat', 'latest', '/srv/data/a.txt', '-o', 'out'], { cwd }), [{ type: 'summary', sizeBytes: 5 }]);
  t.equal(readFileSync(join(cwd, 'out'), 'utf8'), 'hello');
  t.match(await lagan(['--json', 'cat', 'latest', '/srv/data/a.txt', '-o', 'out'], { cwd }), { exitCode: 1, error: { code: 'exists' } });
  t.match(await lagan(['--json', 'cat', 'latest', '/none', '-o', 'other'], { cwd }), { exitCode: 10 });
  t.notOk(existsSync(join(cwd, 'other')));
});

t.test('dump: refuses a terminal, tells of sockets and of files that are incomplete', async (t) => {
  t.match(await lagan(['dump', 'latest'], { terminal: true }), { exitCode: 2, stderr: /terminal/ });
  const unread = { ...fileEntry('c', 9), extensions: { readError: { code: 'EIO', message: 'bad sector' } } };
  const tree = [walked('/a', directoryEntry('a')), walked('/a/s', socketEntry('s')), walked('/a/c', unread)];
  const outcome = await lagan(['--json', 'dump', 'latest'], { tree });
  t.equal(outcome.exitCode, 3);
  const messages = parseLines(outcome.stderr);
  for (const message of messages) t.same(problems('dump', message), []);
  t.match(messages, [
    { type: 'warning', path: '/a/c' },
    { type: 'warning', code: 'unsupported' },
    { type: 'summary', entries: 2, skippedSockets: 1 },
  ]);
  const cwd = scratchFolder(t);
  t.match(await json(t, ['dump', 'latest', '-o', 'x.tar'], { cwd, tree }), [{ type: 'warning' }, { type: 'warning' }, { type: 'summary' }]);
});

t.test('export and import tar: an archive that says what it was made of', async (t) => {
  const cwd = scratchFolder(t);
  const tree = [walked('/srv', directoryEntry('srv')), walked('/srv/s', socketEntry('s')), walked('/srv/a', fileEntry('a'))];
  t.match(await json(t, ['export', 'latest', '-o', 'x.tar'], { cwd, tree }), [{ type: 'summary', entries: 3, skippedSockets: 0 }]);
  const calls: Calls = [];
  t.match(await json(t, ['import', 'tar', 'x.tar', '--tag', 'old'], { cwd, calls }), [
    { type: 'import', outcome: 'imported', host: 'web1', from: { program: 'lagan', snapshot: secondId }, snapshot: secondId },
    { type: 'summary', outcome: 'imported', imported: 1, present: 0, failed: 0 },
  ]);
  t.match(calls.find(({ name }) => name === 'backupEntries')?.options, {
    entries: ['srv/', 'srv/s', 'srv/a'],
    tags: ['old'],
    host: 'web1',
    imported: { user: 'root', started: { seconds: 1_700_086_400 } },
  });
  const from = { program: 'lagan', repository: '0'.repeat(32), snapshot: secondId };
  const overrides = { importedFrom: () => from };
  t.match(await json(t, ['import', 'tar', 'x.tar'], { cwd, overrides }), [{ outcome: 'present', snapshot: null }, { present: 1 }]);
  t.match(await json(t, ['import', 'tar', 'x.tar', '--again', '-n'], { cwd, overrides }), [{ outcome: 'dry-run' }, { imported: 1 }]);
  t.match(await lagan(['--json', 'import', 'tar', 'none.tar'], { cwd }), { exitCode: 1, error: { code: 'io' } });
});

const restored = { files: 2, directories: 1, others: 1, bytes: 7, skipped: 1, deleted: 2, verified: 2, errors: 0 };

function restoring(calls: Calls, more: Partial<RestoreResult> = {}): Case {
  const restore: Engine['restore'] = async (_repository, _snapshot, options) => {
    calls.push({ name: 'restore', options: { ...options } });
    return { statistics: restored, errors: [], notRestored: [], durationMs: 1, ...more };
  };
  return { overrides: { restore } };
}

t.test('restore: where to and what', async (t) => {
  const calls: Calls = [];
  const cwd = scratchFolder(t);
  const plan = async (...argv: string[]) => {
    const outcome = await lagan(['restore', ...argv], { ...restoring(calls), cwd });
    const options = calls.pop()?.options;
    const text = (value: unknown) => value && Buffer.from(value as Uint8Array).toString();
    return options
      ? {
          target: text(options.target),
          top: text(options.from),
          paths: (options.paths as Uint8Array[]).map(text),
          overwrite: options.overwrite,
        }
      : outcome.stderr;
  };
  t.same(await plan('latest'), { target: join(cwd, 'restored-aaaaaaaa'), top: undefined, paths: [], overwrite: 'never' });
  t.same(await plan('latest', '/srv/data', 'etc', '-t', 'new'), {
    target: join(cwd, 'new'),
    top: undefined,
    paths: ['/srv/data', '/etc'],
    overwrite: 'never',
  });
  t.same(await plan('latest:/srv/data', '-t', '/abs'), { target: '/abs', top: '/srv/data', paths: [], overwrite: 'never' });
  t.same(await plan('latest:/srv', '--in-place'), { target: '/', top: undefined, paths: ['/srv'], overwrite: 'if-changed' });
  t.same(await plan('latest', '/srv', '--in-place', '--overwrite', 'always', '--delete'), {
    target: '/',
    top: undefined,
    paths: ['/srv'],
    overwrite: 'always',
  });
});

t.test('restore never puts anything into a folder that has something in it unless it is told how', async (t) => {
  const calls: Calls = [];
  const cwd = scratchFolder(t);
  mkdirSync(join(cwd, 'full'));
  writeFileSync(join(cwd, 'full/file'), '');
  mkdirSync(join(cwd, 'empty'));
  const refused = await lagan(['--json', 'restore', 'latest', '-t', 'full'], { ...restoring(calls), cwd });
  t.match(refused, { exitCode: 1, error: { code: 'exists', hint: /--overwrite/ } });
  t.match(await lagan(['--json', 'restore', 'latest', '-t', 'full/file'], { ...restoring(calls), cwd }), {
    exitCode: 1,
    error: { code: 'io' },
  });
  t.equal(calls.length, 0);
  t.equal((await lagan(['restore', 'latest', '-t', 'empty'], { ...restoring(calls), cwd })).exitCode, 0);
  t.equal((await lagan(['restore', 'latest', '-t', 'full', '--overwrite', 'if-changed'], { ...restoring(calls), cwd })).exitCode, 0);
  t.equal(calls.length, 2);
});

t.test('restore: the summary, what the system refused, and exit code 3 for what failed', async (t) => {
  const cwd = scratchFolder(t);
  const more = {
    statistics: { ...restored, errors: 1 },
    errors: [{ path: latin, code: 'pack-missing', message: 'a pack is missing', object: 'writer/packs/aa/x' }],
    notRestored: [{ kind: 'owner', count: 12, example: evil, reason: 'EPERM' } as const],
  };
  const outcome = await lagan(['restore', 'latest'], { ...restoring([], more), cwd });
  t.equal(outcome.exitCode, 3);
  t.match(
    outcome.stdout,
    /^restored 2 files, 1 folder, 7 B to .*\n1 file left as they were, 2 entries deleted, 2 files verified\nnot restored: owner of 12 entries such as \/srv\/\\x1b.*\(EPERM\)\n1 entry could not/,
  );
  t.match(await json(t, ['restore', 'latest'], { ...restoring([], more), cwd }), [
    {
      type: 'summary',
      outcome: 'restored',
      errors: [{ code: 'pack-missing', object: 'writer/packs/aa/x' }],
      notRestored: [{ kind: 'owner', count: 12 }],
    },
  ]);
});

t.test('backup: the summary names the snapshot and the exact command that restores', async (t) => {
  const outcome = await lagan(['backup', '/srv']);
  t.equal(outcome.exitCode, 0);
  t.match(
    outcome.stdout,
    /^snapshot aaaaaaaa saved: 2 files, 1 folder, 7 B, in \d+ ms\nnew: 7 B in 2 of 2 chunks, stored as 9 B\nrestore with: lagan restore aaaaaaaa --target \.\/restored -r \/r --key-file \/k\n$/,
  );
  t.equal((await lagan(['-q', 'backup', '/srv'])).stdout, '');
  t.match(await json(t, ['backup', '/srv']), [{ type: 'summary', outcome: 'saved', snapshot: secondId }]);
});

t.test('backup: files that could not be read are warned of, and the exit code is 3', async (t) => {
  const problem = { path: evil, code: 'EACCES', message: 'could not be opened: EACCES' };
  const overrides: FakeOptions['overrides'] = {
    backup: async (_repository, options) => {
      options.onWarning?.(problem);
      options.onProgress?.({
        phase: 'backup',
        filesDone: 1,
        bytesDone: 1,
        scannedEntries: 2,
        currentPath: evil,
        newBytes: 0,
        storedBytes: 0,
        errors: 1,
      });
      const statistics = {
        files: 1,
        directories: 1,
        others: 0,
        bytes: 1,
        newBytes: 1,
        storedBytes: 1,
        chunks: 1,
        newChunks: 1,
        errors: 1,
        unchangedFiles: 0,
      };
      return { snapshotId: firstId as never, parent: null, unchangedFromParent: false, statistics, errors: [problem], durationMs: 1 };
    },
  };
  const outcome = await lagan(['backup', '/srv'], { overrides });
  t.match(outcome, {
    exitCode: 3,
    stderr: 'warning: /srv/\\x1b]0;evil\\x07\\n\\u{202e}: could not be opened: EACCES\n',
    stdout: /1 file could not be read completely/,
  });
  const messages = await json(t, ['backup', '/srv'], { overrides });
  t.match(messages, [
    { type: 'warning', code: 'EACCES', path: evil.toString() },
    { type: 'summary', errors: [{ code: 'EACCES' }] },
  ]);
});

t.test('backup: unchanged and dry run', async (t) => {
  const overrides: FakeOptions['overrides'] = {
    backup: async () => {
      const statistics = {
        files: 1,
        directories: 1,
        others: 0,
        bytes: 1,
        newBytes: 0,
        storedBytes: 0,
        chunks: 0,
        newChunks: 0,
        errors: 0,
        unchangedFiles: 1,
      };
      return { snapshotId: null, parent: firstId as never, unchangedFromParent: true, statistics, errors: [], durationMs: 1 };
    },
  };
  t.match(
    (await lagan(['backup', '/srv', '--skip-if-unchanged'], { overrides })).stdout,
    /^nothing has changed since 11111111, no snapshot made/,
  );
  t.match((await lagan(['backup', '/srv', '-n'], { overrides })).stdout, /^would save /);
  t.match(await json(t, ['backup', '/srv', '--dry-run'], { overrides }), [{ outcome: 'dry-run', snapshot: null, restoreCommand: null }]);
});

/** An engine that reads the stream to its end, as the real one does before it commits. */
function reading(read: string[]): Case {
  const backupStream: Engine['backupStream'] = async (repository, options) => {
    const pieces: Uint8Array[] = [];
    for await (const piece of options.stream) pieces.push(piece);
    read.push(`${options.name}=${Buffer.concat(pieces)}`);
    return fakeEngine().backup(repository, { paths: [] });
  };
  return { overrides: { backupStream } };
}

t.test('backup --stdin and --stdin-command', async (t) => {
  const read: string[] = [];
  t.equal((await lagan(['backup', '--stdin', '--stdin-name', 'db.sql'], { ...reading(read), stdin: 'dump' })).exitCode, 0);
  t.equal((await lagan(['backup', '--stdin-command', '--', 'sh', '-c', 'printf "%s" "$0" -r', 'a b'], reading(read))).exitCode, 0);
  t.same(read, ['db.sql=dump', 'stdin=a b-r']);
});

t.test('backup --stdin-command: no snapshot of a command that fails', async (t) => {
  for (const command of [['sh', '-c', 'echo half; exit 3'], ['sh', '-c', 'echo half; kill -9 $$'], ['/no/such/program']]) {
    const read: string[] = [];
    const outcome = await lagan(['--json', 'backup', '--stdin-command', '--', ...command], reading(read));
    t.match(outcome, { exitCode: 1, error: { code: 'io' } });
    checkError(t, outcome);
    t.same(read, []);
  }
});

t.test('tag: changes, and says what it would change', async (t) => {
  const calls: Calls = [];
  t.equal(
    (await lagan(['tag', 'latest', '1111', '--add', 'a', '--remove', 'b', '--description', 'd'], { calls })).stdout,
    'aaaaaaaa: new, "text"\n11111111: new, "text"\n',
  );
  t.match(
    calls.filter(({ name }) => name === 'annotateSnapshot'),
    [{ options: { addTags: ['a'], removeTags: ['b'], description: 'd' } }, {}],
  );
  await lagan(['tag', 'latest', '--clear'], { calls });
  t.same(calls.at(-1)?.options.setTags, []);
  const snapshots = [snapshotInfo(firstId, { tags: ['x', 'y'] })];
  const dry = await json(t, ['tag', 'latest', '--add', 'z', '--remove', 'x', '-n'], { snapshots, calls: [] });
  t.match(dry, [{ outcome: 'dry-run', snapshots: [{ id: firstId, tags: ['y', 'z'] }] }]);
  await json(t, ['tag', 'latest', '--set', 'z']);
});

function checking(found: Partial<CheckResult>, seen: unknown[] = []): Case {
  const check: Engine['check'] = async (_repository, options) => {
    seen.push(options?.readData);
    const counts = {
      snapshots: 2,
      nodes: 3,
      files: 5,
      packs: 3,
      packsRead: 1,
      blocks: 2,
      chunks: 4,
      bytesRead: 5,
      packsLeft: 0,
      bytesLeft: 0,
      remembered: 1,
      reports: 0,
      notRecorded: null,
      durationMs: 1,
    };
    return { errors: [], notes: [], complete: true, ...counts, ...found };
  };
  return { overrides: { check } };
}

function maintaining(found: Partial<MaintainResult>): Case {
  const maintain: Engine['maintain'] = async (_repository, options) => {
    for (const error of found.damage ?? []) options?.onDamage?.(error);
    return {
      outcome: options?.dryRun ? 'dry-run' : 'collected',
      collections: 1,
      isUnderWay: false,
      snapshots: 3,
      droppedSnapshots: 1,
      heldSnapshots: 0,
      unfinishedSessions: 0,
      endedCheckpoints: 0,
      locks: null,
      neededPacks: 5,
      neededBytes: 5 * 1024,
      freedPacks: 2,
      freedBytes: 2048,
      repackedPacks: 0,
      repackReasons: { unused: 0, epoch: 0, small: 0, scattered: 0 },
      repackedBytes: 0,
      unusedBytes: null,
      rescuedPacks: 0,
      lostPacks: 0,
      lostChunks: 0,
      foldedTables: 0,
      foldedSnapshots: 0,
      deletedObjects: 7,
      damage: [],
      durationMs: 1,
      ...found,
    };
  };
  return { overrides: { maintain } };
}

t.test('maintain: what was freed, and why the rest was not', async (t) => {
  t.match(await lagan(['maintain'], maintaining({ foldedTables: 20, foldedSnapshots: 19 })), {
    exitCode: 0,
    stdout:
      /^freed 2\.00 KiB in 2 packs, in .*\n5\.00 KiB in 5 packs are needed by 3 snapshots\n1 forgotten snapshot removed\n20 index tables and 19 snapshots folded together\n$/,
  });
  t.match(await lagan(['maintain', '-n'], maintaining({ foldedTables: 1, foldedSnapshots: 1 })), {
    stdout: /^would free 2\.00 KiB in 2 packs\n[\s\S]*would be removed\n.*would be folded together\n$/,
  });
  const damage = [new LaganError('malformed', 'the pack x is damaged', { object: 'x' })];
  const reasons = await lagan(['maintain'], maintaining({ heldSnapshots: 2, unfinishedSessions: 1, rescuedPacks: 3, damage }));
  t.match(
    reasons.stdout,
    /5 packs are needed by 3 snapshots and 1 unfinished backup\n[\s\S]*2 forgotten snapshots stay: they are pinned[\s\S]*1 unfinished backup stored is kept[\s\S]*3 packs stay for the next run[\s\S]*nothing is freed/,
  );
  t.match(reasons.stderr, /the pack x is damaged/);
  t.match(await json(t, ['maintain'], maintaining({ damage })), [
    { type: 'warning', code: 'malformed' },
    { type: 'summary', damaged: 1 },
  ]);
  t.match(await lagan(['maintain'], maintaining({ outcome: 'idle' })), { stdout: /^nothing to free, in / });
  const none = { freedPacks: 0, freedBytes: 0 };
  t.match(await lagan(['maintain', '-n'], maintaining({ ...none, droppedSnapshots: 0, isUnderWay: true })), {
    stdout: /^would free nothing\n[\s\S]*another maintenance is at it/,
  });
  t.match(await lagan(['maintain'], maintaining({ ...none, heldSnapshots: 1, rescuedPacks: 1, neededPacks: 1 })), {
    stdout:
      /^freed nothing, in .*\n.* in 1 pack is needed by 3 snapshots\n1 forgotten snapshot removed; what it had is needed by others, too\n1 forgotten snapshot stays: it is pinned .*\n1 pack stays for the next run: /,
  });
  t.match(await lagan(['maintain'], maintaining({ lostPacks: 1, lostChunks: 300 })), {
    stdout: /1 pack is gone or damaged, and 300 chunks of it are nowhere else: back up sources that still have the files/,
  });
  const repacked = { repackedPacks: 6, repackedBytes: 4096, repackReasons: { unused: 1, epoch: 0, small: 2, scattered: 3 } };
  t.match(await lagan(['maintain', '-n'], maintaining(repacked)), {
    stdout:
      /6 packs would be repacked: 4\.00 KiB of them .* \(3 so that the newest snapshot is read in order, 2 because they are small\)\n/,
  });
  for (const share of ['5', '101%', '-1%', 'much'])
    t.equal((await lagan(['maintain', '--max-unused', share], maintaining({}))).exitCode, share === '5' ? 0 : 2, share);
  t.match(await lagan(['maintain'], maintaining({ unusedBytes: 2048 })), { stdout: /about 2\.00 KiB stay unused .*--max-unused 0%/ });
});

t.test('check: sound, and how much is read', async (t) => {
  const seen: unknown[] = [];
  t.match(await lagan(['check'], checking({}, seen)), {
    exitCode: 0,
    stdout: /^checked 2 snapshots, 5 files, 4 chunks in 3 packs, 1 pack \(5 B\) read, .*no damage found\n$/,
  });
  for (const argv of [['--read-data'], ['--read-data-subset', '2.5%'], ['--read-data-subset=3/7']])
    await lagan(['check', ...argv], checking({}, seen));
  t.same(seen, [false, true, { percent: 2.5 }, { part: [3, 7] }]);
  t.match(await json(t, ['check'], checking({})), [{ type: 'summary', outcome: 'sound' }]);
});

t.test('check: damage names files and snapshots, and ends with check-failed, exit code 6', async (t) => {
  const paths = Array.from({ length: 12 }, (_, index) => Buffer.from(`/srv/${index}`));
  const finding: Finding = {
    severity: 'damage',
    code: 'pack-missing',
    message: 'the pack x is not there',
    object: 'writer/packs/aa/x',
    offset: undefined,
    pack: undefined,
    count: 1,
    snapshots: [firstId as SnapshotId],
    paths,
    pathCount: 14,
  };
  const note: Finding = {
    ...finding,
    severity: 'note',
    code: 'litter',
    message: 'nothing names y',
    snapshots: [],
    paths: [],
    pathCount: 0,
  };
  const outcome = await lagan(['check'], checking({ errors: [finding], notes: [note], complete: false }));
  t.equal(outcome.exitCode, 6);
  t.match(
    outcome.stdout,
    /^damage: the pack x is not there\n {2}hurts the snapshots 11111111\n {2}\/srv\/0\n[\s\S]*and 4 other paths \(--json lists more\)\nnote: nothing names y\nchecked .*damage found\nthe damage hid/,
  );
  t.match(outcome.stderr, /^error: /);
  t.match(await json(t, ['check'], checking({ errors: [finding], notes: [note], complete: false })), [
    { type: 'finding', severity: 'damage', code: 'pack-missing', pathCount: 14 },
    { type: 'finding', severity: 'note' },
    { type: 'summary', outcome: 'damaged', findings: 1 },
  ]);
});

t.test('repair: what was saved and what is lost, as text and as JSON', async (t) => {
  const seen: unknown[] = [];
  const check = await checking({}).overrides!.check!({} as never);
  const loss = { path: Buffer.from('/srv/data/big'), message: '5 of 9 bytes were lost', lostBytes: 5, lostEntries: 0 };
  const pack = {
    pack: firstId as never,
    newPack: secondId as never,
    isReadable: true,
    savedBlocks: 3,
    savedChunks: 7,
    savedBytes: 2048,
    elsewhereChunks: 1,
    lostBlocks: 1,
    lostChunks: 2,
  };
  const copied = {
    original: snapshotInfo(firstId),
    outcome: 'copied',
    losses: [loss],
    lossCount: 12,
    lostBytes: 5,
    isMarked: true,
  } as const;
  const repairing = (outcome: 'sound' | 'repaired' | 'dry-run'): Case => ({
    overrides: {
      repair: async (_repository, options) => {
        seen.push(options);
        const none = { outcome, check, listedPacks: 0, salvaged: [], missingPacks: 0, snapshots: [], left: [], durationMs: 1 };
        const copy = outcome === 'repaired' ? (secondId as SnapshotId) : null;
        return outcome === 'sound'
          ? none
          : { ...none, listedPacks: 2, missingPacks: 1, salvaged: [pack], snapshots: [{ ...copied, copy }] };
      },
    },
  });
  t.match(await lagan(['repair'], repairing('sound')), { exitCode: 0, stdout: /^nothing to mend, in / });
  t.match(await lagan(['repair', '-n', '--mark-originals', 'all'], repairing('dry-run')), {
    exitCode: 6,
    stdout:
      /^pack 11111111: 3 blocks \(2\.00 KiB\) would be copied to a new pack; 1 chunk is in other packs, too; 1 block with 2 chunks cannot be opened\nsnapshot .*a copy would be made with what is left; the damaged one would be removed\n {2}\/srv\/data\/big: 5 of 9 bytes were lost\n {2}and 11 other losses/,
    stderr: /^error: not everything could be mended: 1 snapshot lost something\nhint: /m,
  });
  t.match(seen.at(-1), { dryRun: true, markOriginals: 'all' });
  t.match(await json(t, ['repair', '--read-data', '--workers', '2'], repairing('repaired')), [
    { type: 'salvaged', savedBlocks: 3 },
    { type: 'repaired', snapshot: firstId, copy: secondId, losses: [{ path: '/srv/data/big', lostBytes: 5 }] },
    { type: 'summary', outcome: 'repaired', snapshots: 1, snapshotsWithLosses: 1, left: 0 },
  ]);
  t.match(seen.at(-1), { dryRun: false, readData: true, workers: 2 });
});

t.test('stats, key and cache as text and as JSON', async (t) => {
  const statistics = {
    snapshots: 2,
    files: 10,
    bytes: 4096,
    chunks: 5,
    rawBytes: 2048,
    rawBytesEstimated: false,
    packs: 2,
    storedBytes: 1024,
    metadataPacks: 1,
    metadataStoredBytes: 100,
    indexTables: 1,
    indexBytes: 10,
    ratio: 4,
  };
  const overrides: FakeOptions['overrides'] = {
    statistics: async () => statistics,
    cacheStatus: async ({ folder }) => ({
      folder,
      limitBytes: 1024,
      repositories: [{ repository: 'aa', sizeBytes: 10, lastUsed: { seconds: 0, nanoseconds: 0 } }],
    }),
    cacheClear: async () => ({ removedBytes: 10, repositories: ['aa'] }),
    cacheLimit: async () => ({ removedBytes: 4 }),
  };
  t.match((await lagan(['stats'], { overrides })).stdout, /without duplicates: +5 chunks, 2\.00 KiB \(1 : 2\.0\)\n/);
  t.match(await json(t, ['stats'], { overrides }), [{ type: 'statistics', storedBytes: 1024 }]);
  t.match((await lagan(['key', 'list'])).stdout, /^ +ID .*\n\* +7c017c01 +password +full .* laptop\n +8d028d02 +unknown +none +damaged/);
  for (const argv of [
    ['list'],
    ['recovery'],
    ['remove', '7c01', '-n'],
    ['remove', '7c01'],
    ['add', '--new-password-command', 'echo x'],
    ['change', '--new-password-command', 'echo x'],
  ]) {
    t.equal((await json(t, ['key', ...argv], { overrides })).length, 1, argv.join(' '));
  }
  for (const argv of [['list'], ['clear', '-n'], ['clear'], ['limit', '1K']])
    t.equal((await json(t, ['cache', ...argv], { overrides })).length, 1, argv.join(' '));
  t.match((await lagan(['cache', 'clear', '-n'], { overrides })).stdout, 'would delete 10 B of 1 repository\n');
});

t.test('repository probe and collector', async (t) => {
  const probed = {
    racers: 8,
    rounds: 20,
    doubleWins: 3,
    mostWinners: 2,
    wrongWinners: 0,
    isSafe: false,
    durationMs: 900,
    leftBehind: false,
  };
  const storage = { location: 's3://bucket', close: async () => {} };
  const named = { id: '0'.repeat(32), storage, warnings: [], configuration: { collector: 'web1-1234abcd' } };
  const overrides: FakeOptions['overrides'] = {
    probeStorage: async () => probed,
    openRepository: async () => named as never,
    collectorName: () => 'web2-5678abcd',
    setCollector: async (_repository, collector) => ({ collector }) as never,
  };
  t.match(await lagan(['repository', 'probe'], { overrides }), {
    exitCode: 1,
    stdout: /in 3 races up to 2 of them were told that they had won/,
  });
  const safe = { ...overrides, probeStorage: async () => ({ ...probed, doubleWins: 0, mostWinners: 1, isSafe: true }) };
  t.match(await json(t, ['repository', 'probe'], { overrides: safe }), [{ type: 'probe', outcome: 'safe', doubleWins: 0 }]);
  t.match((await lagan(['repository', 'collector'], { overrides })).stdout, 'only web1-1234abcd may run the maintenance\n');
  t.match(await json(t, ['repository', 'collector', '--this'], { overrides }), [{ collector: 'web2-5678abcd' }]);
  t.match(await lagan(['repository', 'collector', '--anyone'], { overrides }), { exitCode: 1, stderr: /one collector named/ });
  t.match(await lagan(['repository', 'collector', 'web3', '--this'], { overrides }), { exitCode: 2 });
});

t.test('init, completion and version as JSON', async (t) => {
  const overrides: FakeOptions['overrides'] = { inspectPlace: async () => ({ state: 'absent' }) };
  const created = await run(['--json', 'init', '-r', '/r', '--password-command', 'echo x'], { engine: fakeEngine({ overrides }) });
  t.same(problems('init', created.json[0]), []);
  schemasSeen.add('init');
  await json(t, ['completion', 'fish']);
  t.match(await json(t, ['version']), [{ type: 'version', node: process.versions.node }]);
  t.match((await run(['--version'])).stdout, /^lagan \d+\.\d+\.\d+\n$/);
});

const days = (...counts: number[]) =>
  counts.map((day) => snapshotInfo(day.toString(16).padStart(8, '0').padEnd(32, '0'), { seconds: 1_700_000_000 + day * 86_400 }));
const idsOf = (calls: Calls, name: string) => calls.filter((call) => call.name === name).flatMap(({ options }) => options.ids as string[]);

t.test('forget: a table with the reason of each snapshot, and what is marked', async (t) => {
  const calls: Calls = [];
  const snapshots = days(1, 2, 3);
  const { stdout, stderr, exitCode } = await lagan(['forget', '--keep-last', '1', '--timezone', 'UTC'], { snapshots, calls });
  t.equal(exitCode, 0);
  t.match(
    stdout,
    /^host web1, paths \/srv\/data\n +ID +Time +Host +Tags +Why\nremove +00000001 +2023-11-15 22:13:20 +web1\nremove +00000002 .*\nkeep +00000003 .* last 1\n\n1 snapshot kept, 2 removed\n$/,
  );
  t.match(stderr, /lagan undelete/);
  t.same(
    idsOf(calls, 'forgetSnapshots'),
    snapshots.slice(0, 2).map(({ id }) => id),
  );
});

t.test('forget --dry-run marks nothing, and says the same as JSON', async (t) => {
  const calls: Calls = [];
  const argv = ['forget', '--dry-run', '--keep-daily', '1', '--keep-tag', 'a,b', '--group-by', 'none'];
  const [message] = await json(t, argv, { snapshots: days(1, 2), calls });
  t.match(message, {
    type: 'forget',
    outcome: 'dry-run',
    kept: 1,
    removed: 1,
    groups: [
      {
        group: {},
        snapshots: [
          { action: 'remove', reasons: [] },
          { action: 'keep', reasons: [{ rule: 'daily', number: 1 }] },
        ],
      },
    ],
  });
  t.same(idsOf(calls, 'forgetSnapshots'), []);
  t.match(calls, [{ name: 'openRepository', options: { mode: 'metadata' } }]);
  t.match((await lagan(argv, { snapshots: days(1, 2) })).stdout, /dry run: 1 snapshot kept, 1 removed\n$/);
});

t.test('forget: every reason has a text and fits the schema', async (t) => {
  const [a, b, c, d, e, f] = days(1, 2, 3, 4, 5, 900_000);
  const withErrors = { ...e!, snapshot: { ...e!.snapshot, statistics: { ...e!.snapshot.statistics, errors: 2 } } };
  const late = { ...b!, snapshot: { ...b!.snapshot, parent: d!.id } };
  const snapshots = [{ ...a!, tags: ['x'] }, late, c!, d!, withErrors, f!];
  const holds = [storedHold(c!.id, { until: { seconds: 4_000_000_000, nanoseconds: 0 } })];
  const argv = ['forget', '--keep-last', '1', '--keep-tag', 'x', '--keep-yearly', '2'];
  const { stdout } = await lagan(argv, { snapshots, holds });
  for (const text of [
    'tag x',
    'oldest yearly 2',
    'a clock was wrong',
    /pinned until 2096-/,
    'last good one',
    'last 1, yearly 1',
    'in the future',
  ])
    t.match(stdout, text);
  const [message] = await json(t, argv, { snapshots, holds });
  t.match(message, { kept: 6, removed: 0, groups: [{ group: { host: 'web1', paths: [{ path: '/srv/data' }] } }] });
  t.match((await lagan(['forget', '--keep-tag', 'x', '--group-by', 'tags'], { snapshots: [c!] })).stdout, /^tags \(none\)\n/);
  t.match((await lagan(['forget', '--keep-within', '1h'], { snapshots: [b!, c!] })).stdout, / within \(a pause counts half\)\n.* within\n/);
});

t.test('forget: every rule reaches the engine', async (t) => {
  let policy: unknown;
  const overrides: FakeOptions['overrides'] = {
    planRetention: (_snapshots, options) => {
      policy = options;
      return [];
    },
  };
  const names = ['hourly', 'daily', 'weekly', 'monthly', 'quarterly', 'yearly'];
  const counts = names.flatMap((name, index) => [`--keep-${name}`, String(index + 1)]);
  const within = names.flatMap((name, index) => [`--keep-within-${name}`, `${index + 1}m`]);
  const others = [
    '--keep-last',
    'unlimited',
    '--keep-within',
    '1y2m3d4h',
    '--keep-tag',
    'a,b',
    '--keep-tag',
    'c',
    '--group-by',
    'tag,host',
  ];
  await lagan(['forget', ...counts, ...within, ...others, '--timezone', 'Europe/Berlin'], { overrides });
  t.match(policy, {
    policy: {
      last: Number.POSITIVE_INFINITY,
      counts: Object.fromEntries(names.map((name, index) => [name, index + 1])),
      within: { years: 1, months: 2, days: 3, hours: 4 },
      withinCounts: Object.fromEntries(names.map((name, index) => [name, { months: index + 1 }])),
      tags: [['a', 'b'], ['c']],
    },
    groupBy: ['tags', 'host'],
    timeZone: 'Europe/Berlin',
  });
});

t.test('forget: errors of usage; without a rule nothing goes', async (t) => {
  const calls: Calls = [];
  for (const argv of [
    [],
    ['--group-by', 'host'],
    ['--keep-last', '0'],
    ['--keep-daily', 'x'],
    ['--keep-within', '7'],
    ['--keep-tag', 'a,,b'],
    ['--keep-last', '1', '--timezone', 'Mars'],
    ['--keep-last', '1', '--group-by', 'user'],
    ['latest', '--keep-last', '1'],
    ['latest', '--group-by', 'host'],
  ])
    t.match(await lagan(['--json', 'forget', ...argv], { calls }), { exitCode: 2, error: { code: 'usage' } }, argv.join(' '));
  t.same(calls, []);
});

t.test('forget by hand: those that are named; the last of a source is told; a pinned one is refused', async (t) => {
  const calls: Calls = [];
  const [a, b] = days(1, 2);
  const other = snapshotInfo('cc'.repeat(16), { paths: ['/etc'] });
  const snapshots = [a!, b!, { ...other, snapshot: { ...other.snapshot, source: 'etc' } }];
  const messages = await json(t, ['forget', '00000001', 'cccc'], { snapshots, calls });
  t.match(messages, [
    { type: 'warning', code: 'last-snapshot', message: /\/etc on web1/ },
    { kept: 0, removed: 2 },
  ]);
  t.same(idsOf(calls, 'forgetSnapshots'), [a!.id, snapshots[2]!.id]);
  const holds = [storedHold(b!.id)];
  const refused = await lagan(['--json', 'forget', '00000001', '00000002'], { snapshots, holds, calls });
  t.match(refused, { exitCode: 8, error: { code: 'held', hint: /lagan pin --remove 00000002/ } });
  t.equal(idsOf(calls, 'forgetSnapshots').length, 2);
});

t.test('forget: what was pinned after the plan was made is told and counts as kept', async (t) => {
  const overrides: FakeOptions['overrides'] = {
    forgetSnapshots: async (_repository, ids) => ({ marked: [], held: new Map([[ids[0]!, null]]) }),
  };
  const messages = await json(t, ['forget', '--keep-last', '1'], { snapshots: days(1, 2), overrides });
  t.match(messages, [
    { type: 'warning', code: 'held' },
    { kept: 2, removed: 0, groups: [{ snapshots: [{ action: 'keep', reasons: [{ rule: 'held', until: null }] }, {}] }] },
  ]);
});

t.test('pin: for ever, until a date, or a stretch from now', async (t) => {
  const calls: Calls = [];
  t.match(await lagan(['pin', 'latest', '--reason', 'why'], { calls }), { exitCode: 0, stdout: 'aaaaaaaa pinned\n' });
  const messages = await json(t, ['pin', '1111', 'latest', '--until', '2096-01-01T00:00:00Z'], { calls });
  t.match(messages, [{ type: 'pinned', outcome: 'pinned', until: '2096-01-01T00:00:00.000000000Z', snapshots: [{ fate: 'kept' }, {}] }]);
  await lagan(['pin', 'latest', '--until', '13m1d'], { calls });
  const [first, second, third] = calls.filter(({ name }) => name === 'holdSnapshots').map(({ options }) => options);
  t.match(first, { ids: [secondId], until: null, reason: 'why' });
  t.match(second, { ids: [firstId, secondId], until: { seconds: 3_976_214_400 } });
  const days = ((third!.until as { seconds: number }).seconds - Date.now() / 1000) / 86_400;
  t.ok(days > 392 && days < 399, `${days} days`);
  t.match(await json(t, ['pin', 'latest', '-n'], { calls }), [{ outcome: 'dry-run', until: null, snapshots: [{ id: secondId }] }]);
  t.equal(calls.filter(({ name }) => name === 'holdSnapshots').length, 3);
});

t.test('pin: the list, and removal by snapshot or by the id of a pin', async (t) => {
  const calls: Calls = [];
  const holds = [storedHold(firstId), storedHold(firstId, { until: { seconds: 1000, nanoseconds: 0 } })];
  t.match(
    (await lagan(['pin'], { holds })).stdout,
    /^Snapshot +Until +Pin +Reason\n11111111 +removed +f0111111 +audit\n11111111 +1970-.* \(over\) /,
  );
  t.match(await json(t, ['pin'], { holds }), [
    { type: 'pins', pins: [{ snapshot: firstId, until: null, isOver: false }, { isOver: true }] },
  ]);
  t.match(await lagan(['pin']), { stdout: '', stderr: 'no pins\n' });
  const one = holds.slice(0, 1);
  t.match(await json(t, ['pin', '--remove', '1111'], { holds: one, calls }), [{ type: 'unpinned', snapshots: [firstId], pins: [] }]);
  t.match(await json(t, ['pin', '--remove', 'f011'], { holds: one, calls }), [{ snapshots: [], pins: [one[0]!.id] }]);
  t.match(await lagan(['pin', '--remove', 'latest'], { holds: one, calls }), { exitCode: 0, stderr: 'aaaaaaaa was not pinned\n' });
  t.match(await json(t, ['pin', '--remove', '-n', 'f011'], { holds: one, calls }), [{ outcome: 'dry-run' }]);
  t.equal(calls.filter(({ name }) => name === 'removeHold').length, 1);
  t.same(idsOf(calls, 'releaseSnapshots'), [firstId]);
  t.match(await lagan(['--json', 'pin', '--remove', 'f011'], { holds }), { exitCode: 2, error: { code: 'ambiguous' } });
});

t.test('pin: a damaged pin is told, and removed by its id', async (t) => {
  const calls: Calls = [];
  const name = `owner/holds/${'d0'.repeat(16)}`;
  const overrides: FakeOptions['overrides'] = {
    listHolds: async (_repository, options) => {
      options?.onDamage?.(new LaganError('authentication-failed', `${name} was changed`, { object: name }), name);
      return [];
    },
  };
  t.match(await json(t, ['pin'], { overrides }), [
    { type: 'warning', code: 'authentication-failed' },
    { type: 'pins', pins: [] },
  ]);
  t.match(await json(t, ['pin', '--remove', 'd0d0'], { overrides, calls }), [{ pins: ['d0'.repeat(16)] }]);
  t.match(calls.at(-1), { name: 'removeHold', options: { id: 'd0'.repeat(16) } });
});

t.test('pin: errors of usage', async (t) => {
  for (const argv of [
    ['--remove'],
    ['--until', '3d'],
    ['latest', '--until', '2001-01-01'],
    ['latest', '--until', 'soon'],
    ['latest', '--until', '5min'],
    ['latest', '--remove', '--until', '3d'],
    ['nothing'],
  ])
    t.match(await lagan(['--json', 'pin', ...argv]), { exitCode: 2, error: { code: 'usage' } }, argv.join(' '));
});

t.test('pin and undelete: what a collection was faster with is an error, what it decides is a warning', async (t) => {
  for (const [command, method] of [
    ['pin', 'holdSnapshots'],
    ['undelete', 'unmarkSnapshots'],
  ] as const) {
    const answering = (fate: 'undecided' | 'dropped') => ({
      [method]: async (_repository: unknown, ids: SnapshotId[]) => new Map([[ids[0]!, fate]]),
    });
    t.match(await json(t, [command, '1111'], { overrides: answering('undecided') }), [
      { type: 'warning', code: 'undecided' },
      { snapshots: [{ fate: 'undecided' }] },
    ]);
    const dropped = await lagan(['--json', command, '1111'], { overrides: answering('dropped') });
    t.match(dropped, { exitCode: 10, error: { code: 'snapshot-not-found' } });
  }
});

t.test('undelete: what can be brought back, and bringing it back', async (t) => {
  const calls: Calls = [];
  const deleted = { ...snapshotInfo(firstId), deleted: true };
  const snapshots = [deleted, snapshotInfo(secondId)];
  t.match((await lagan(['undelete'], { snapshots })).stdout, /^11111111 of .* on web1\n$/);
  t.match(await json(t, ['undelete'], { snapshots }), [{ type: 'deleted', snapshots: { length: 1 } }]);
  t.match(await lagan(['undelete'], { snapshots: [] }), { stderr: 'no snapshots to bring back\n' });
  t.match(await json(t, ['undelete', '1111', '-n'], { snapshots, calls }), [{ outcome: 'dry-run', snapshots: [{ id: firstId }] }]);
  t.same(idsOf(calls, 'unmarkSnapshots'), []);
  t.match(await lagan(['undelete', '1111'], { snapshots, calls }), { exitCode: 0, stdout: '11111111 is back\n' });
  t.match(await lagan(['undelete', 'aaaa'], { snapshots }), { exitCode: 0, stdout: 'aaaaaaaa was not removed\n' });
  t.match(await json(t, ['undelete', 'aaaa'], { snapshots }), [{ snapshots: [{ id: secondId, fate: 'kept' }] }]);
  t.match(await lagan(['--json', 'undelete', 'latest'], { snapshots }), { exitCode: 2, error: { code: 'usage' } });
});

t.test('copy: each snapshot is told of; what failed is a warning and the exit code', async (t) => {
  const to = ['--to', '/second', '--to-key-file', '/k'];
  const calls: Calls = [];
  t.match(await json(t, ['copy', ...to, '--latest', '1'], { calls }), [
    { type: 'copied', id: secondId, outcome: 'copied', pinned: true },
    { type: 'summary', outcome: 'copied', method: 'files', copied: 1, present: 0, failed: 0 },
  ]);
  t.match(calls.at(-1), { name: 'copySnapshots', options: { keepHolds: true } });
  const error = new LaganError('pack-missing', 'a pack is gone');
  const failing: Engine['copySnapshots'] = async (_source, _target, { snapshots, onSnapshot }) => {
    const none = { newBytes: 0, newChunks: 0, storedBytes: 0 };
    const failed = { source: snapshots[0]!, outcome: 'failed', snapshotId: null, hold: undefined, error, ...none } as const;
    await onSnapshot?.(failed);
    return { snapshots: [failed], method: 'blocks' };
  };
  const { exitCode, stderr, stdout } = await lagan(['copy', ...to], { overrides: { copySnapshots: failing } });
  t.match({ exitCode, stderr, stdout }, { exitCode: 6, stderr: /was not copied: a pack is gone/, stdout: /^copied 0 snapshots, in/ });
});

t.test('mirror: what was copied, and what the mirror has too much', async (t) => {
  t.match(await json(t, ['mirror', '--to', '/mirror']), [{ type: 'summary', outcome: 'complete', copiedObjects: 3 }]);
  const { stderr, stdout } = await lagan(['mirror', '--to', '/mirror', '-n']);
  t.match(stdout, /^would have copied 3 objects \(5 B\), 4 were there, in /);
  t.match(stderr, /1 key that the repository does not have any more still opens the mirror/);
  t.match(stderr, /pins or deletions of snapshots that were taken back \(2\) are still in the mirror/);
});

t.test('rewrite: all that fit, or those that are named', async (t) => {
  const calls: Calls = [];
  const rewritten = () => calls.filter(({ name }) => name === 'rewriteSnapshot').map(({ options }) => options.id);
  t.match(
    (await lagan(['rewrite', '--exclude', 'x'], { calls })).stdout,
    /^11111111 of .*: now aaaaaaaa, without 1 file \(5 B\)\naaaaaaaa of /,
  );
  t.same(rewritten(), [firstId, secondId]);
  const cwd = scratchFolder(t);
  writeFileSync(join(cwd, 'patterns'), '# comment\n*.iso\n');
  await lagan(['rewrite', 'latest', '--exclude', 'x', '--exclude-file', 'patterns', '--keep-original'], { calls, cwd });
  t.same(rewritten(), [firstId, secondId, secondId]);
  t.match(calls.at(-1)!.options, { patterns: ['x', '*.iso'], keepOriginal: true });
  t.match(await json(t, ['rewrite', 'latest', '--exclude', 'x', '-n']), [
    { type: 'removed', snapshot: secondId, path: '/srv/data/a.txt', kind: 'file' },
    { type: 'rewritten', outcome: 'dry-run', snapshots: [{ id: secondId, snapshot: null, outcome: 'dry-run', removed: { bytes: 5 } }] },
  ]);
  t.match((await lagan(['rewrite', 'latest', '--exclude', 'x', '-n'])).stdout, /^aaaaaaaa {2}\/srv\/data\/a\.txt\ndry run: aaaaaaaa of/);
  t.match(await lagan(['--json', 'rewrite', 'latest']), { exitCode: 2, error: { code: 'usage' } });
});

t.test('rewrite: of all snapshots those that are pinned are passed over; one that is named is refused', async (t) => {
  const overrides: FakeOptions['overrides'] = {
    rewriteSnapshot: async (_repository, { id }) => {
      if (id === firstId) throw new LaganError('held', `snapshot ${id} is pinned`);
      return { outcome: 'unchanged', snapshotId: null, removed: { files: 0, bytes: 0, entries: 0 } };
    },
  };
  t.match(await json(t, ['rewrite', '--exclude', 'x'], { overrides }), [
    { type: 'warning', code: 'held' },
    { snapshots: [{ id: firstId, outcome: 'held' }, { outcome: 'unchanged' }] },
  ]);
  t.match(await lagan(['--json', 'rewrite', '1111', '--exclude', 'x'], { overrides }), { exitCode: 8, error: { code: 'held' } });
});

t.test('there is a schema for every command, and every schema was tested', async (t) => {
  // What these print is tested where they run: serve.test.ts, k8s-sidecar.test.ts.
  const elsewhere = ['common', 'serve', 'k8s'];
  t.same(
    schemaNames.filter((name) => !elsewhere.includes(name)).filter((name) => !schemasSeen.has(name)),
    [],
  );
});

t.test('commands that show something end quietly when their reader goes; those that do something go on', async (t) => {
  const closed = () => new Writable({ write: (_piece, _encoding, done) => done(Object.assign(new Error('write'), { code: 'EPIPE' })) });
  const tree = Array.from({ length: 20_000 }, (_, index) => walked(`/srv/${index}`, fileEntry(String(index))));
  const listing = await run([...key, 'ls', '-R', 'latest', '/'], { engine: fakeEngine({ tree }), stdout: closed() });
  t.match(listing, { exitCode: 141, stderr: '' });
  const backup = await run([...key, 'backup', '/srv'], { engine: fakeEngine(), stdout: closed() });
  t.match(backup, { exitCode: 0, stderr: '' });
});

t.test('an interruption is exit code 130, whatever error it led to', async (t) => {
  const controller = new AbortController();
  const overrides: FakeOptions['overrides'] = {
    backup: async (_repository, { signal }) => {
      controller.abort();
      signal?.throwIfAborted();
      throw new Error('not reached');
    },
  };
  const outcome = await run(['--json', ...key, 'backup', '/srv'], { engine: fakeEngine({ overrides }), signal: controller.signal });
  t.match(outcome, { exitCode: 130, error: { code: 'interrupted' } });
});
