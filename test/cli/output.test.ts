import { Writable } from 'node:stream';
import t from 'tap';
import { Output, OutputClosed } from '../../bin/shared/output.ts';
import { Progress } from '../../bin/shared/progress.ts';
import { formatFields, formatTable } from '../../bin/shared/table.ts';
import { LaganError } from '../../repo-format/mod.ts';
import { Capture } from './cli.ts';

function outputOn(
  kind: 'pipe' | 'terminal',
  settings: { format?: 'text' | 'json'; verbosity?: number; env?: Record<string, string> } = {},
) {
  const [stdout, stderr] = [new Capture(kind), new Capture(kind)];
  const output = new Output({ stdout, stderr }, { format: 'text', verbosity: 0, env: {}, ...settings });
  return { stdout, stderr, output };
}

/** A pipe whose reader has gone. */
function closedPipe(code = 'EPIPE'): Writable {
  return new Writable({ write: (_piece, _encoding, done) => done(Object.assign(new Error('write'), { code })) });
}

t.test('Output.name escapes on a terminal and keeps the exact bytes elsewhere', async (t) => {
  t.equal(outputOn('terminal').output.name('a\u001b[2J'), 'a\\x1b[2J');
  const { output, stdout } = outputOn('pipe');
  await output.line(output.name('a\u001b\udcff'));
  await output.flush();
  t.same([...stdout.bytes], [0x61, 0x1b, 0xff, 0x0a]);
});

t.test('Output.style colours only a terminal, unless NO_COLOR or a dumb terminal', async (t) => {
  t.equal(outputOn('terminal').output.style('red', 'x'), '\u001b[31mx\u001b[39m');
  t.equal(outputOn('pipe').output.style('red', 'x'), 'x');
  t.equal(outputOn('terminal', { env: { NO_COLOR: '1' } }).output.style('red', 'x'), 'x');
  t.equal(outputOn('terminal', { env: { NO_COLOR: '' } }).output.style('red', 'x'), '\u001b[31mx\u001b[39m');
  t.equal(outputOn('terminal', { env: { TERM: 'dumb' } }).output.style('red', 'x'), 'x');
  t.equal(outputOn('terminal', { format: 'json' }).output.style('red', 'x'), 'x');
});

t.test('Output.error prints error and hint lines, one line each whatever the message holds', async (t) => {
  const { output, stderr } = outputOn('pipe');
  const report = output.error(new LaganError('wrong-key', 'no key\nfits\u001b', { hint: 'try another' }));
  t.equal(stderr.text, 'error: no key\\nfits\\x1b\nhint: try another\n');
  t.equal(report.exitCode, 5);
});

t.test('Output.error prints JSON with code, exit code and causes', async (t) => {
  const { output, stderr, stdout } = outputOn('pipe', { format: 'json' });
  output.error(new LaganError('malformed', 'bad', { object: 'x', offset: 3, cause: new Error('deep') }));
  t.same(JSON.parse(stderr.text), {
    type: 'error',
    code: 'malformed',
    message: 'bad',
    object: 'x',
    offset: 3,
    exitCode: 6,
    causes: ['deep'],
  });
  t.equal(stdout.text, '');
});

t.test('Output.error calls a mistake of ours what it is', async (t) => {
  const { output, stderr } = outputOn('pipe', { verbosity: 1 });
  t.equal(output.error(new TypeError('x is not a function')).exitCode, 1);
  t.match(stderr.text, /^error: TypeError: x is not a function\nhint: .*\n/);
  t.match(stderr.text, /output\.test/);
});

t.test('Output says nothing but errors with -q and no words with --json', async (t) => {
  for (const settings of [{ verbosity: -1 }, { format: 'json' as const }]) {
    const { output, stderr, stdout } = outputOn('pipe', settings);
    output.note('words');
    output.detail('more');
    await output.summary('done');
    await output.flush();
    t.equal(stderr.text, '');
    t.equal(stdout.text, '');
  }
});

t.test('Output.write throws OutputClosed once the reader has gone, or goes on without it', async (t) => {
  const settings = { format: 'text', verbosity: 0, env: {} } as const;
  const stopping = new Output({ stdout: closedPipe(), stderr: new Capture() }, settings);
  await stopping.write('x');
  await t.rejects(stopping.flush(), OutputClosed);
  const going = new Output({ stdout: closedPipe(), stderr: new Capture() }, settings);
  going.goOnWhenClosed();
  await going.write('x');
  await going.flush();
  await going.write('y');
  await going.flush();
});

t.test('Output.write fails with no-space when standard output is a full disk', async (t) => {
  const output = new Output({ stdout: closedPipe('ENOSPC'), stderr: new Capture() }, { format: 'text', verbosity: 0, env: {} });
  await output.write('x');
  await t.rejects(output.flush(), { code: 'no-space' });
});

t.test('Output.reserveForBytes sends JSON to standard error', async (t) => {
  const { output, stderr, stdout } = outputOn('pipe', { format: 'json' });
  output.reserveForBytes();
  await output.write('bytes');
  await output.json({ type: 'summary' });
  await output.flush();
  t.equal(stdout.text, 'bytes');
  t.equal(stderr.text, '{"type":"summary"}\n');
});

t.test('Progress.render shows share, rate and time left, and cuts the path to the width', async (t) => {
  const { output } = outputOn('terminal');
  let time = 0;
  const progress = new Progress(output, { verb: 'restoring', display: 'hidden', isUnicode: false, now: () => time });
  t.equal(progress.render(80), 'restoring 0:00');
  for (time = 0; time <= 4000; time += 1000)
    progress.sample({ phase: 'restore', filesDone: time / 100, bytesDone: time * 1024, bytesTotal: 8_192_000 });
  time = 4000;
  const event = {
    phase: 'restore',
    filesDone: 40,
    bytesDone: 4_096_000,
    bytesTotal: 8_192_000,
    errors: 2,
    currentPath: Buffer.from(`/srv/${'x'.repeat(300)}/end\u001b`),
  };
  progress.update(event);
  t.match(
    progress.render(140),
    /^restoring {2}##########\.{10} {2}50 % {2}3\.91 of 7\.81 MiB {2}0\.98 MiB\/s {2}0:04 left {2}2 errors {2}40 files {2}…x+\/end\\x1b$/,
  );
  t.equal(progress.render(80), 'restoring  #####.....  50 %  3.91 of 7.81 MiB  0.98 MiB/s  0:04 left  2 errors');
  for (const columns of [1, 12, 30, 60, 81, 100, 140]) t.ok(progress.render(columns).length < columns, `${columns}`);
});

t.test('Progress.render uses an estimate until more than that is done', async (t) => {
  const { output } = outputOn('terminal');
  const progress = new Progress(output, { verb: 'backing up', display: 'hidden', isUnicode: true, now: () => 0 });
  progress.update({ phase: 'backup', filesDone: 1, bytesDone: 100 });
  t.equal(progress.render(80), 'backing up  100 B  0:00  1 file');
  progress.setEstimate({ bytes: 400 });
  t.equal(progress.render(80), 'backing up  ███░░░░░░░  25 %  100 of 400 B  1 file');
  progress.update({ phase: 'backup', filesDone: 1, bytesDone: 500 });
  t.equal(progress.render(80), 'backing up  ██████████ 100 %  500 of 500 B  1 file');
});

t.test('Progress.message has numbers, exact paths and no totals that are not known', async (t) => {
  const { output } = outputOn('pipe', { format: 'json' });
  const progress = new Progress(output, { verb: 'backing up', display: 'hidden', isUnicode: true, now: () => 0 });
  t.equal(progress.message(), undefined);
  progress.update({ phase: 'backup', filesDone: 1, bytesDone: 2, currentPath: Uint8Array.of(0x2f, 0xff) });
  t.same(progress.message(), {
    type: 'progress',
    phase: 'backup',
    filesDone: 1,
    bytesDone: 2,
    currentPath: '/\ufffd',
    currentPathBase64: 'L/8=',
    elapsedMs: 0,
    bytesPerSecond: 0,
  });
});

t.test('formatTable aligns columns and is empty without rows', async (t) => {
  t.same(
    formatTable(
      [{ heading: 'A' }, { heading: 'Size', align: 'right' }, { heading: 'B' }],
      [
        ['x', '1', 'long'],
        ['yyy', '1,000', ''],
      ],
    ),
    ['A     Size  B', 'x        1  long', 'yyy  1,000'],
  );
  t.same(formatTable([{ heading: 'A' }], []), []);
  t.same(
    formatFields([
      ['a', '1'],
      ['long', '2'],
    ]),
    ['a:     1', 'long:  2'],
  );
});
