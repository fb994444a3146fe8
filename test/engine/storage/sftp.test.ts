import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { knownKeysOf } from '../../../engine/storage/_known-hosts.ts';
import { ownIdentity } from '../../../engine/storage/_process-identity.ts';
import { sshSettingsOf } from '../../../engine/storage/_ssh-config.ts';
import { TransferLimits } from '../../../engine/storage/_transfer-limits.ts';
import { openStorage, type Storage } from '../../../engine/storage/mod.ts';
import { SftpFolder } from '../../../engine/storage/sftp.ts';
import { storageConformance } from '../../conformance/storage.ts';
import { Line } from './line.ts';
import { findSshd, makeSshKey, type Sshd, scratchFolder, startSshd } from './servers.ts';
import { expectAbortsAtOnce } from './stalled.ts';

const found = findSshd();
const limits = new TransferLimits();
const few = { attempts: 4, firstPauseMs: 1 };
const object = new Uint8Array(randomBytes(20 * 1024 * 1024 + 5));

delete process.env.SSH_AUTH_SOCK;
if ('skip' in found) {
  t.test('SftpFolder: against sshd', { skip: found.skip }, async () => undefined);
} else {
  const sshd = await startSshd(t, found.file);
  process.env.HOME = sshd.home;
  storageConformance(t, {
    makeStorage: async (t) => {
      const storage = openStorage(urlOf(sshd, path.join(scratchFolder(t), 'a/repository')));
      await storage.prepare();
      return storage;
    },
  });
  testsWith(sshd, found.file);
}

function urlOf({ user, port }: { user: string; port: number }, folder: string): string {
  return `sftp://${user}@127.0.0.1:${port}${folder}`;
}

function opened(t: Test, sshd: Sshd): { storage: Storage; folder: string } {
  const folder = scratchFolder(t);
  const storage = openStorage(urlOf(sshd, folder));
  t.teardown(() => storage.close());
  return { storage, folder };
}

/** Through a line that can be cut; the server's key is known for it as well. */
async function openedByLine(t: Test, sshd: Sshd): Promise<{ storage: SftpFolder; line: Line; folder: string }> {
  const [line, folder] = [await Line.start(t, sshd.port), scratchFolder(t)];
  fs.appendFileSync(path.join(sshd.home, '.ssh/known_hosts'), `[127.0.0.1]:${line.port} ${sshd.hostKey}\n`);
  const storage = new SftpFolder(urlOf({ ...sshd, port: line.port }, folder), { limits, retries: few });
  t.teardown(() => storage.close());
  return { storage, line, folder };
}

const filesIn = (folder: string) =>
  (fs.readdirSync(folder, { recursive: true }) as string[]).filter((name) => fs.statSync(path.join(folder, name)).isFile());

function testsWith(sshd: Sshd, sshdFile: string): void {
  t.test('SftpFolder: a folder that is missing, or is none, is told of by every call, and prepare makes it', async (t) => {
    const folder = path.join(scratchFolder(t), 'a/b');
    const storage = openStorage(urlOf(sshd, folder));
    const absent = { code: 'no-repository', found: 'absent' };
    t.equal(await storage.state(), 'absent');
    await t.rejects(storage.get('a/b'), absent);
    await t.rejects(storage.size('a/b'), absent);
    await t.rejects(storage.create('a/b', []), absent);
    await t.rejects(storage.delete(['a/b']), absent);
    await t.rejects(storage.removeLitter(), absent);
    await t.rejects(async () => storage.list('')[Symbol.asyncIterator]().next(), absent);
    await storage.prepare();
    t.equal(await storage.state(), 'empty');
    await storage.close();
    fs.rmdirSync(folder);
    fs.writeFileSync(folder, 'x');
    const file = openStorage(urlOf(sshd, folder));
    await t.rejects(file.state(), { code: 'no-repository', found: 'file' });
    await t.rejects(file.prepare(), { code: 'no-repository', found: 'file' });
    await t.rejects(file.get('a/b'), { code: 'no-repository', found: 'file' });
    await file.close();
  });

  t.test('SftpFolder: a path beneath the home of the user', async (t) => {
    const name = `lagan-test-${randomBytes(6).toString('hex')}`;
    const storage = openStorage(urlOf(sshd, `/~/${name}/repository`));
    await storage.prepare();
    t.teardown(() => execFileSync('sh', ['-c', `rm -r ~${sshd.user}/${name}`]));
    t.equal(await storage.create('a/b', [object.subarray(0, 9)]), 'created');
    t.same(await storage.get('a/b'), object.subarray(0, 9));
    await storage.close();
    const home = openStorage(urlOf(sshd, '/~'));
    t.same(await home.get(`${name}/repository/a/b`), object.subarray(0, 9));
    await home.close();
  });

  t.test('SftpFolder: what it writes, a local folder reads, and nothing stays in temporary/', async (t) => {
    const { storage, folder } = opened(t, sshd);
    t.equal(await storage.create('a/b/large', [object]), 'created');
    t.equal(await storage.create('a/b/large', [object.subarray(1)]), 'exists');
    const writer = await storage.createWriter('a/c');
    await writer.append([object]);
    await writer.abort();
    t.equal(Buffer.compare(await openStorage(folder).get('a/b/large'), object), 0);
    t.equal(Buffer.compare(await storage.get('a/b/large', { offset: 5, length: 3_000_000 }), object.subarray(5, 3_000_005)), 0);
    t.same(filesIn(folder), ['a/b/large']);
    const status = fs.statSync(path.join(folder, 'a/b/large'));
    t.equal(status.mode & 0o777, 0o600);
    t.equal(status.nlink, 1);
  });

  t.test('SftpFolder: objects of a folder that is shared with a group are the group’s', async (t) => {
    const { storage, folder } = opened(t, sshd);
    fs.chmodSync(folder, 0o2770);
    await storage.create('a/b/c', [object.subarray(0, 9)]);
    t.equal(fs.statSync(path.join(folder, 'a/b/c')).mode & 0o777, 0o660);
    t.equal(fs.statSync(path.join(folder, 'a/b')).mode & 0o7777, 0o2770);
  });

  t.test('SftpFolder: the files of dead writers are removed, those of living ones are not', async (t) => {
    const { storage, folder } = opened(t, sshd);
    const writer = await storage.createWriter('a/b');
    // The last part waits for the first one: the writer has begun.
    await writer.append([object, object]);
    const { machine, boot, namespace } = ownIdentity();
    const temporary = path.join(folder, 'temporary');
    const [living] = fs.readdirSync(temporary);
    fs.writeFileSync(path.join(temporary, `${machine}-${boot}-${namespace}-4194304-1-0123456789abcdef`), 'dead');
    fs.writeFileSync(path.join(temporary, '01234567-abcdef-1-1-1-0123456789abcdef'), 'of another machine');
    const old = path.join(temporary, '01234567-abcdef-1-1-1-fedcba9876543210');
    fs.writeFileSync(old, 'of another machine, long ago');
    fs.utimesSync(old, 1_000_000_000, 1_000_000_000);
    t.equal(await storage.removeLitter(), 2);
    t.same(fs.readdirSync(temporary).sort(), ['01234567-abcdef-1-1-1-0123456789abcdef', living!].sort());
    t.equal(await writer.commit(), 'created');
  });

  t.test('SftpFolder: a symbolic link ends a listing, and foreign files are no objects', async (t) => {
    const { storage, folder } = opened(t, sshd);
    await storage.create('a/b', []);
    fs.writeFileSync(path.join(folder, 'README.txt'), 'x');
    t.same(await namesOf(storage), ['a/b']);
    fs.symlinkSync('b', path.join(folder, 'a/link'));
    await t.rejects(namesOf(storage), { code: 'io', object: 'a/link' });
  });

  t.test(
    'SftpFolder: forbidden, as far as this user can be forbidden anything',
    { skip: process.getuid?.() === 0 ? 'root may do all' : false },
    async (t) => {
      const { storage, folder } = opened(t, sshd);
      await storage.create('a/b', []);
      fs.chmodSync(path.join(folder, 'a/b'), 0);
      await t.rejects(storage.get('a/b'), { code: 'forbidden' });
      fs.chmodSync(path.join(folder, 'a'), 0o500);
      t.teardown(() => fs.chmodSync(path.join(folder, 'a'), 0o700));
      await t.rejects(storage.create('a/c', []), { code: 'forbidden' });
    },
  );

  t.test('SftpFolder: a server that lets nobody write says so', async (t) => {
    const readOnly = await startSshd(t, sshdFile, ['ForceCommand internal-sftp -R']);
    process.env.HOME = readOnly.home;
    t.teardown(() => (process.env.HOME = sshd.home));
    const { storage, folder } = opened(t, readOnly);
    fs.mkdirSync(path.join(folder, 'a'));
    fs.writeFileSync(path.join(folder, 'a/b'), 'x');
    t.same(await storage.get('a/b'), Uint8Array.of(120));
    await t.rejects(storage.create('a/c', []), { code: 'unsupported', hint: /read-only/ });
    await t.rejects(storage.delete(['a/b']), { code: 'forbidden' });
  });

  t.test(
    'SftpFolder: ChrootDirectory keeps an account in its folder',
    { skip: process.getuid?.() !== 0 && 'only root may start such a server' },
    async (t) => {
      // All folders above it must be root's, and nobody else's to write to: /tmp is not.
      const jail = fs.mkdtempSync('/run/lagan-jail-');
      t.teardown(() => fs.rmSync(jail, { recursive: true }));
      fs.chmodSync(jail, 0o755);
      fs.mkdirSync(path.join(jail, 'backups'));
      const jailed = await startSshd(t, sshdFile, [`ChrootDirectory ${jail}`, 'ForceCommand internal-sftp']);
      process.env.HOME = jailed.home;
      t.teardown(() => (process.env.HOME = sshd.home));
      const storage = openStorage(urlOf(jailed, '/backups'));
      t.teardown(() => storage.close());
      t.equal(await storage.create('a/b', [object.subarray(0, 1000)]), 'created');
      t.equal(await storage.create('a/b', [object.subarray(0, 999)]), 'exists');
      t.same(await storage.get('a/b'), object.subarray(0, 1000));
      t.same(filesIn(path.join(jail, 'backups')), ['a/b']);
      const outside = openStorage(urlOf(jailed, scratchFolder(t)));
      t.teardown(() => outside.close());
      t.equal(await outside.state(), 'absent', 'what is outside is not there');
    },
  );

  t.test('SftpFolder: a server that cannot link is refused before anything is written', async (t) => {
    const without = await startSshd(t, sshdFile, ['ForceCommand internal-sftp -P hardlink']);
    process.env.HOME = without.home;
    t.teardown(() => (process.env.HOME = sshd.home));
    const { storage, folder } = opened(t, without);
    await t.rejects(storage.create('a/b', []), { code: 'unsupported', object: 'a/b', hint: /hard links|OpenSSH/ });
    t.same(filesIn(folder), []);
  });

  t.test('SftpFolder: the key of the server must be known', async (t) => {
    const file = path.join(sshd.home, '.ssh/known_hosts');
    const known = fs.readFileSync(file);
    t.teardown(() => fs.writeFileSync(file, known));
    const attempt = () => {
      const storage = openStorage(urlOf(sshd, '/nowhere'));
      return storage.state().finally(() => storage.close());
    };
    const host = `[127.0.0.1]:${sshd.port}`;
    fs.writeFileSync(file, '');
    await t.rejects(attempt(), { code: 'forbidden', hint: new RegExp(`ssh-keyscan -p ${sshd.port} 127.0.0.1 >>`), found: /^SHA256:/ });
    makeSshKey(path.join(sshd.home, 'other'));
    const other = fs.readFileSync(path.join(sshd.home, 'other.pub'), 'utf8').split(' ').slice(0, 2).join(' ');
    fs.writeFileSync(file, `${host} ${other}\n`);
    await t.rejects(attempt(), { code: 'forbidden', expected: /^SHA256:/, hint: /ssh-keygen -R/ });
    fs.writeFileSync(file, `${host} ssh-rsa AAAA\n`);
    await t.rejects(attempt(), { code: 'forbidden', hint: /ssh-keygen -R/ }, 'another kind of key');
    fs.writeFileSync(file, `${host} ${sshd.hostKey}\n@revoked * ${sshd.hostKey}\n`);
    await t.rejects(attempt(), { code: 'forbidden' }, 'a key that was revoked');
    const salt = randomBytes(20);
    const hash = createHmac('sha1', salt).update(host).digest('base64');
    fs.writeFileSync(file, `# hashed\n|1|${salt.toString('base64')}|${hash} ${sshd.hostKey}\n`);
    t.equal(await attempt(), 'absent', 'names in the file may be hashed');
  });

  t.test('SftpFolder: a key that the server does not know, and one that ~/.ssh/config names', async (t) => {
    const home = scratchFolder(t);
    fs.mkdirSync(path.join(home, '.ssh'));
    fs.copyFileSync(path.join(sshd.home, '.ssh/known_hosts'), path.join(home, '.ssh/known_hosts'));
    process.env.HOME = home;
    t.teardown(() => (process.env.HOME = sshd.home));
    const forbidden = { code: 'forbidden', hint: /ssh-add/ };
    await t.rejects(openStorage(urlOf(sshd, '/nowhere')).state(), forbidden, 'no key at all');
    makeSshKey(path.join(home, '.ssh/id_ed25519'));
    await t.rejects(openStorage(urlOf(sshd, '/nowhere')).state(), forbidden, 'a wrong key');
    const key = path.join(sshd.home, '.ssh/id_ed25519');
    const lines = [
      'Host other',
      'Port 1',
      'Host backup',
      'HostName 127.0.0.1',
      `Port ${sshd.port}`,
      `User ${sshd.user}`,
      `IdentityFile ${key}`,
    ];
    fs.writeFileSync(path.join(home, '.ssh/config'), lines.join('\n'));
    const storage = openStorage('sftp://backup/nowhere');
    t.equal(await storage.state(), 'absent');
    await storage.close();
  });

  t.test('SftpFolder: a server that is not there is unavailable soon', async (t) => {
    const storage = new SftpFolder('sftp://127.0.0.1:1/x', { limits, retries: { firstPauseMs: 1 } });
    await t.rejects(storage.state(), { code: 'unavailable' });
  });

  t.test('SftpFolder: the connection is lost at every answer of a creation: it is created once, and whole', async (t) => {
    const { storage, line } = await openedByLine(t, sshd);
    const bytes = object.subarray(0, 100_000);
    await storage.create('a/first', []);
    const before = line.answers;
    await storage.create('a/second', [bytes]);
    const answers = line.answers - before;
    t.ok(answers > 4, `${answers} answers`);
    for (let lost = 1; lost <= answers; lost++) {
      line.loseAnswer(lost);
      t.equal(await storage.create(`a/lost-${lost}`, [bytes]), 'created', `answer ${lost} of ${answers} was lost`);
      t.equal(Buffer.compare(await storage.get(`a/lost-${lost}`), bytes), 0);
      t.equal(await storage.create(`a/lost-${lost}`, [bytes]), 'exists', 'the same bytes of somebody else');
    }
  });

  t.test('SftpFolder: the connection is lost in the middle of a large object and of a download', async (t) => {
    const { storage, line } = await openedByLine(t, sshd);
    const writer = await storage.createWriter('a/b');
    for (let at = 0; at < object.length; at += 1_000_000) {
      await writer.append([object.subarray(at, at + 1_000_000)]);
      if (at % 5_000_000 === 0) line.cut();
    }
    t.equal(await writer.commit(), 'created');
    for (const lost of [1, 5, 20, 60]) {
      line.loseAnswer(lost);
      t.equal(Buffer.compare(await storage.get('a/b'), object), 0);
    }
    line.cut();
    t.same(await namesOf(storage), ['a/b']);
    line.cut();
    await storage.delete(['a/b']);
    t.same(await namesOf(storage), []);
  });

  t.test('SftpFolder: an abort during a stalled request answers at once', async (t) => {
    const { storage, line } = await openedByLine(t, sshd);
    await storage.create('a/b', [object.subarray(0, 10)]);
    line.stall();
    await expectAbortsAtOnce(t, storage, object);
  });
}

t.test('SftpFolder: URLs that are none', async (t) => {
  for (const url of ['sftp://', 'sftp://host', 'sftp://user:secret@host/a', 'sftp://host/a?endpoint=x', 'sftp://host/a%2Fb']) {
    t.throws(() => openStorage(url), { code: 'usage' }, url);
  }
  t.throws(() => openStorage('sftp://user:secret@host/a'), { message: /^((?!secret).)*$/ });
});

t.test('ssh settings: the first value counts, the URL before it', async (t) => {
  const home = scratchFolder(t);
  const before = process.env.HOME;
  process.env.HOME = home;
  t.teardown(() => (process.env.HOME = before));
  fs.mkdirSync(path.join(home, '.ssh'));
  const lines = [
    '# comment',
    'Host !b.example *.example',
    '  User=first',
    '  IdentityFile "~/key one"',
    'Match host a.example',
    '  User never',
    'Host *',
    '  User second',
    '  Port 2222',
    '  IdentityFile %d/key-%r-%h',
    '  IdentitiesOnly yes',
  ];
  fs.writeFileSync(path.join(home, '.ssh/config'), lines.join('\n'));
  const settings = sshSettingsOf('a.example', { user: '', port: undefined });
  t.match(settings, { user: 'first', port: 2222, hostName: 'a.example', agent: undefined });
  t.same(settings.identityFiles, [`${home}/key one`, `${home}/key-first-a.example`]);
  t.match(sshSettingsOf('b.example', { user: 'given', port: 22 }), { user: 'given', port: 22 });
  fs.writeFileSync(
    path.join(home, '.ssh/known_hosts'),
    'a.example,!b.example ssh-ed25519 AAAA\n[*]:2222 ssh-rsa BBBB\n@cert-authority * ssh-rsa CCCC\n',
  );
  const known = (port: number) => knownKeysOf({ ...settings, port }).map(({ type, place }) => [type, place]);
  t.same(known(2222), [['ssh-rsa', `${home}/.ssh/known_hosts:2`]]);
  t.same(known(22), [['ssh-ed25519', `${home}/.ssh/known_hosts:1`]]);
});

async function namesOf(storage: Storage): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of storage.list('')) names.push(name);
  return names;
}
