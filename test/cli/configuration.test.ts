import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseConfiguration, readConfiguration } from '../../bin/shared/configuration.ts';
import { nearest } from '../../bin/shared/nearest.ts';
import { scratchFolder } from './cli.ts';

const env = { HOME: '/home/ann' };
const parse = (text: string) => parseConfiguration(text, '/etc/lagan/config.yaml', env);

t.test('parseConfiguration reads every key; paths are relative to the file, ~ is the home folder', async (t) => {
  const text = `
repository: ~/backups   # comment
password-file: secret.txt
cache: false
cache-dir: /var/cache/lagan
cache-limit: 2GiB
backup:
  exclude: ['*.iso', "!keep.iso"]
  exclude-file: lists/excludes
  exclude-caches: true
  exclude-larger-than: 1M
  tag: daily
  compression: zstd:3
`;
  t.same(await parse(text), {
    repository: '/home/ann/backups',
    passwordFile: '/etc/lagan/secret.txt',
    cache: false,
    cacheDir: '/var/cache/lagan',
    cacheLimit: 2 * 1024 ** 3,
    backup: {
      exclude: ['*.iso', '!keep.iso'],
      excludeFile: ['/etc/lagan/lists/excludes'],
      excludeCaches: true,
      excludeLargerThan: 1_048_576,
      tag: ['daily'],
      compression: 'zstd:3',
    },
  });
});

t.test('parseConfiguration keeps URLs, takes numbers as text, and empty values as absent', async (t) => {
  t.same(await parse('repository: s3://bucket/path\nbackup: {tag: [2026, x]}\nkey-file:\n'), {
    repository: 's3://bucket/path',
    backup: { tag: ['2026', 'x'] },
  });
  t.same(await parse('# nothing\n'), {});
});

const mistakes: [what: string, text: string, line: number, hint?: string][] = [
  ['an unknown key', 'repository: /x\npasword-file: y\n', 2, 'did you mean password-file?'],
  ['an unknown key below', 'backup:\n  tag: x\n  exlude: y\n', 3, 'did you mean exclude?'],
  ['a key far from all', 'zzzzzzzzzzzz: 1\n', 1],
  ['a password', '\npassword: hunter2\n', 2],
  ['a map that is none', 'backup: yes-please\n', 1],
  ['a flag that is none', 'cache: maybe\n', 1],
  ['an impossible size', 'repository: /x\n\ncache-limit: huge\n', 3],
  ['a list for text', 'key-file: [a, b]\n', 1],
  ['a map in a list', 'backup:\n  tag:\n    - {a: b}\n', 3],
  ['the same key twice', 'cache: true\ncache: false\n', 2],
  ['no YAML', 'repository: a: b\n', 1],
  ['a list at the top', '- a\n', 1],
  ['names of Object', 'constructor: x\n', 1],
];

for (const [what, text, line, hint] of mistakes) {
  t.test(`parseConfiguration refuses ${what} with code usage and its line`, async (t) => {
    await t.rejects(parse(text), { code: 'usage', message: new RegExp(`^/etc/lagan/config.yaml:${line}: `), ...(hint && { hint }) });
  });
}

t.test('readConfiguration: the default file may be absent, a named one must be there', async (t) => {
  const folder = scratchFolder(t);
  t.same(await readConfiguration(undefined, { HOME: folder }), {});
  await t.rejects(readConfiguration(join(folder, 'none.yaml'), env), { code: 'io', errno: 'ENOENT' });
  writeFileSync(join(folder, 'some.yaml'), 'repository: here\n');
  t.same(await readConfiguration(join(folder, 'some.yaml'), env), { repository: join(folder, 'here') });
});

t.test('nearest finds swapped, missing and other letters, and nothing far away', async (t) => {
  const candidates = ['exclude', 'exclude-file', 'tag', 'host'];
  t.equal(nearest('exlude', candidates), 'exclude');
  t.equal(nearest('excldue', candidates), 'exclude');
  t.equal(nearest('hots', candidates), 'host');
  t.equal(nearest('xyz', candidates), undefined);
  t.equal(nearest('completely-different', candidates), undefined);
});
