import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { appendOnly, type Grant, isGrantName, parseRepositoryPath, serveLimits, TokenFile, Usage } from '../../../engine/serve/mod.ts';
import { openStorage } from '../../../engine/storage/mod.ts';
import { scratchFolder } from '../storage/servers.ts';

const anna: Grant = { name: 'anna', roles: ['writer'], repository: [], quota: { bytes: 1000, objects: undefined } };

t.test('TokenFile: finds whose token it is, and holds none', (t) => {
  const file = path.join(scratchFolder(t), 'state/tokens.json');
  const tokens = new TokenFile(file);
  t.same(tokens.list(), []);
  t.equal(tokens.find('lagan-token-1-0'), undefined, 'nobody is let in');
  const token = tokens.add(anna);
  const other = tokens.add({
    ...anna,
    name: 'bert',
    roles: ['reader', 'owner'],
    repository: ['laptops', 'bert'],
    quota: { bytes: undefined, objects: 5 },
  });
  t.match(token, /^lagan-token-1-[0-9a-f]{64}$/);
  t.not(token, other);
  t.match(new TokenFile(file).find(token), anna);
  t.match(new TokenFile(file).find(other), { name: 'bert', repository: ['laptops', 'bert'], quota: { objects: 5 } });
  t.notMatch(fs.readFileSync(file, 'utf8'), token.slice(20));
  t.equal(fs.statSync(file).mode & 0o777, 0o600);
  t.throws(() => tokens.add(anna), { code: 'exists' });
  t.throws(() => tokens.remove('carl'), { code: 'not-found' });
  t.same(fs.readdirSync(path.dirname(file)), ['tokens.json']);
  t.end();
});

t.test('TokenFile: what another process changed counts at once', (t) => {
  const file = path.join(scratchFolder(t), 'tokens.json');
  const [server, admin] = [new TokenFile(file), new TokenFile(file)];
  const token = admin.add(anna);
  t.equal(server.find(token)?.name, 'anna');
  admin.remove('anna');
  t.equal(server.find(token), undefined);
  const again = admin.add(anna);
  t.equal(server.find(again)?.name, 'anna');
  t.equal(server.find(token), undefined, 'the old one stays removed');
  t.end();
});

t.test('TokenFile: a file that makes no sense lets nobody in', (t) => {
  const file = path.join(scratchFolder(t), 'tokens.json');
  const entry = { name: 'a', hash: '0'.repeat(64), roles: ['writer'], repository: '', quotaBytes: null, quotaObjects: null, created: '' };
  const wrong = [
    '',
    'null',
    '{}',
    '{"version":2,"tokens":[]}',
    ...[
      { name: '../a' },
      { hash: 'x' },
      { roles: [] },
      { roles: ['admin'] },
      { repository: '..' },
      { quotaBytes: -1 },
      { quotaObjects: '5' },
    ].map((change) => JSON.stringify({ version: 1, tokens: [{ ...entry, ...change }] })),
  ];
  for (const text of wrong) {
    fs.writeFileSync(file, text);
    t.throws(() => new TokenFile(file).find('x'), { code: 'usage', object: file }, text);
  }
  fs.writeFileSync(file, JSON.stringify({ version: 1, tokens: [entry] }));
  t.equal(new TokenFile(file).list().length, 1);
  t.end();
});

t.test('grants: names and paths cannot lead anywhere else', (t) => {
  for (const name of ['', '.', '..', 'a/b', '.a', '-a', 'a b', 'a\n', 'x'.repeat(65)]) t.notOk(isGrantName(name), JSON.stringify(name));
  for (const name of ['anna', 'web-1.example', 'a@b', '_']) t.ok(isGrantName(name), name);
  for (const text of ['..', 'a/../b', '.hidden', 'a/v1', 'v1', 'a b', 'a/b/c/d/e/f/g/h/i'])
    t.equal(parseRepositoryPath(text), undefined, text);
  t.same(parseRepositoryPath('/laptops//anna/'), ['laptops', 'anna']);
  t.same(parseRepositoryPath(''), []);
  t.same(appendOnly({ ...anna, roles: ['owner', 'collector', 'writer'] }).roles, ['writer', 'reader']);
  t.same(appendOnly({ ...anna, roles: ['owner'] }).roles, ['reader']);
  t.same(appendOnly(anna).roles, ['writer']);
  t.end();
});

t.test('Usage: several processes count together, and a line that a full disk cut off hurts no other', async (t) => {
  const folder = scratchFolder(t);
  const file = path.join(folder, 'usage/anna.usage');
  const [first, second] = [new Usage(file), new Usage(file)];
  t.same(first.totals(), { bytes: 0, objects: 0 });
  first.add('a/1', 10);
  second.add('a/2', 20);
  t.same(
    [first.totals(), second.totals()],
    [
      { bytes: 30, objects: 2 },
      { bytes: 30, objects: 2 },
    ],
  );
  second.add('a/1', 5);
  t.same(first.totals(), { bytes: 30, objects: 2 }, 'the larger of two of one name counts');
  fs.appendFileSync(file, '+ 1700000000000 40 a/');
  first.totals();
  first.add('a/3', 1);
  t.same(new Usage(file).totals(), { bytes: 31, objects: 3 });
  const storage = openStorage(folder);
  const old = new Usage(file, { ...serveLimits, recountIntervalMs: 0, storingMs: -1 });
  await storage.create('a/2', [new Uint8Array(20)]);
  const reservation = await old.reserve({ bytes: 15, objects: 1 }, { quota: { bytes: 35 }, storage });
  t.same(second.totals(), { bytes: 20, objects: 1 }, 'what is not there does not count');
  await t.rejects(old.reserve({ bytes: 1, objects: 1 }, { quota: { bytes: 35 }, storage }), { code: 'no-space', expected: 35, found: 20 });
  reservation.release();
  reservation.release();
  await old.reserve({ bytes: 15, objects: 1 }, { quota: { bytes: 35, objects: 2 }, storage });
});
