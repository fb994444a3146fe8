import t from 'tap';
import { type ErrorCode, errorTable, exitCodeOf, isLaganError, LaganError } from '../../repo-format/mod.ts';

t.test('errorTable: exit codes are those of the contract', async (t) => {
  const allowed = new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130]);
  for (const [code, { exitCode, meaning }] of Object.entries(errorTable)) {
    t.ok(allowed.has(exitCode), `${code}: ${exitCode}`);
    t.match(meaning, /^[A-Z].*\.$/, `${code} has a sentence`);
    t.match(code, /^[a-z]+(-[a-z]+)*$/);
  }
});

t.test('exitCodeOf: that of the code, and 1 for what is not ours', async (t) => {
  for (const code of Object.keys(errorTable) as ErrorCode[]) t.equal(exitCodeOf(new LaganError(code, '')), errorTable[code].exitCode);
  t.equal(exitCodeOf(new Error('x')), 1);
  t.equal(exitCodeOf(undefined), 1);
});

t.test('isLaganError: by class, and by code if one is given', async (t) => {
  const error = new LaganError('io', 'x', { errno: 'ENOENT', cause: new Error('inner') });
  t.ok(isLaganError(error) && isLaganError(error, 'io'));
  t.notOk(isLaganError(error, 'malformed') || isLaganError({ code: 'io' }));
  t.match(error, { errno: 'ENOENT', cause: { message: 'inner' } });
});
