import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { SizeCheck } from '../../../engine/serve/_object-check.ts';
import { fingerprintOf, selfSignedCertificate, serveStream } from '../../../engine/serve/mod.ts';
import type { Admission } from '../../../engine/serve/repository.ts';
import { TransferLimits } from '../../../engine/storage/_transfer-limits.ts';
import { openStorage, Served, type Storage } from '../../../engine/storage/mod.ts';
import { storageConformance } from '../../conformance/storage.ts';
import { certificate, everything, fingerprint, type Serving, startServing } from '../serve/serving.ts';
import { freePort, Line } from './line.ts';
import { scratchFolder, serverThatAnswers } from './servers.ts';
import { expectAbortsAtOnce } from './stalled.ts';

/** The suite uses names and bytes that are none of the format. */
const anything: Admission = { check: () => new SizeCheck(1024 ** 4), mayDelete: () => true };
const limits = new TransferLimits();
const few = { attempts: 4, firstPauseMs: 1 };
const object = new Uint8Array(randomBytes(42 * 1024 * 1024 + 5));
let places = 0;

/** Whoever may do everything, with a repository of their own. */
async function newPlace(serving: Serving): Promise<{ url: string; storage: Storage }> {
  const below = `place-${places++}`;
  const url = serving.url(serving.token(below, everything, { below }), below);
  const storage = openStorage(url);
  await storage.prepare();
  return { url, storage };
}

const serving = await startServing(t, { admission: anything, limits: { namesPerPage: 100 } });
t.test('Served: by HTTPS', (t) => {
  storageConformance(t, { makeStorage: async () => (await newPlace(serving)).storage });
  t.end();
});

/** Half a minute for a transport that differs in one file: in npm test the tests of lagan serve --stdio are enough. */
const isWhole = process.env.LAGAN_EVERY_MOMENT !== undefined;

t.test('Served: by the standard streams of a command', { skip: isWhole ? false : 'with LAGAN_EVERY_MOMENT=1' }, async (t) => {
  const { port, folder } = await streamServer(t);
  // Less than the start of a program that knows sockets, for each of the tests.
  const relay = `exec 3<>/dev/tcp/127.0.0.1/${port}; cat <&3 & exec cat >&3`;
  storageConformance(t, {
    makeStorage: async () => {
      fs.mkdirSync(path.join(folder, `stream-${places}`));
      return openStorage(`exec:exec bash -c '${relay}' stream-${places++}`);
    },
  });
});

/** Each connection is to the newest folder. */
async function streamServer(t: Test): Promise<{ port: number; folder: string }> {
  const folder = scratchFolder(t);
  const ending = new AbortController();
  const server = net.createServer((socket) => {
    const grant = { name: 'stream', roles: everything, repository: [], quota: {} };
    const place = path.join(folder, `stream-${places - 1}`);
    void serveStream(socket, { place, appendOnly: false, usageFolder: folder, grant, signal: ending.signal, admission: anything });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    ending.abort();
    server.close();
  });
  return { port: (server.address() as net.AddressInfo).port, folder };
}

/** To a place of its own, by a line that can be cut. */
async function byLine(t: Test): Promise<{ line: Line; storage: Storage; direct: Storage; folder: string }> {
  const line = await Line.start(t, serving.port);
  const { url, storage: direct } = await newPlace(serving);
  const storage = new Served(url.replace(serving.address, `127.0.0.1:${line.port}`), { limits, retries: few });
  t.teardown(() => Promise.all([storage.close(), direct.close()]));
  return { line, storage, direct, folder: path.join(serving.repository, `place-${places - 1}`) };
}

t.test('Served: the answer to a creation is lost: it is known who created the object', async (t) => {
  const { line, storage, direct } = await byLine(t);
  await storage.state();
  const bytes = object.subarray(0, 3_000_000);
  line.loseAnswer(2);
  t.equal(await storage.create('a/ours', [bytes]), 'created', 'what is there is what was sent');
  await direct.create('a/theirs', [object.subarray(0, 100)]);
  line.loseAnswer();
  t.equal(await storage.create('a/theirs', [object.subarray(0, 99)]), 'exists', 'something else is there');
  t.equal(await storage.create('a/ours', [bytes]), 'exists', 'the same bytes, sent by somebody who knows that they are new');
  t.equal(Buffer.compare(await storage.get('a/ours'), bytes), 0);
});

t.test('Served: an object in parts goes on where it was when the connection was lost', async (t) => {
  const { line, storage, folder } = await byLine(t);
  const writer = await storage.createWriter('a/large');
  for (let at = 0; at < object.length; at += 10_000_000) {
    await writer.append([object.subarray(at, at + 10_000_000)]);
    if (at === 40_000_000) line.loseAnswer();
  }
  line.cut();
  t.equal(await writer.commit(), 'created');
  t.equal(Buffer.compare(await storage.get('a/large'), object), 0);
  const given = await storage.createWriter('a/given-up');
  await given.append([object]);
  await given.abort();
  t.same(fs.readdirSync(path.join(folder, 'temporary')), [], 'nothing is left behind');
});

t.test('Served: a line that breaks before the first answer is tried again as often as a later one', async (t) => {
  const { line, storage } = await byLine(t);
  line.cutNext(few.attempts - 1);
  t.equal(await storage.state(), 'empty');
});

t.test('Served: in a worker a store that has answered the main thread is waited for', async (t) => {
  const { url, storage: direct } = await newPlace(serving);
  const description = direct.describe();
  t.match(description, { hasAnswered: true });
  t.match(openStorage(url).describe(), { hasAnswered: false });
  t.match(openStorage(description).describe(), { hasAnswered: true });
  const port = await freePort();
  const away = url.replace(serving.address, `127.0.0.1:${port}`);
  const patience = { limits, retries: { attempts: 12, firstPauseMs: 5 } };
  await t.rejects(new Served(away, patience).state(), { code: 'unavailable' }, 'a wrong address is told of soon');
  const waiting = new Served(away, { ...patience, hasAnswered: true }).state();
  await setTimeout(100);
  await Line.start(t, serving.port, port);
  t.equal(await waiting, 'empty');
});

t.test('Served: a connection that is lost in the middle of a download is made anew', async (t) => {
  const { line, storage } = await byLine(t);
  await storage.create('a/b', [object.subarray(0, 5_000_000)]);
  for (const lost of [1, 3, 20]) {
    line.loseAnswer(lost);
    t.equal(Buffer.compare(await storage.get('a/b'), object.subarray(0, 5_000_000)), 0);
  }
});

t.test('Served: an abort during a stalled request answers at once', async (t) => {
  const { line, storage } = await byLine(t);
  await storage.create('a/b', [object.subarray(0, 10)]);
  line.stall();
  await expectAbortsAtOnce(t, storage, object.subarray(0, 3_000_000));
});

t.test('Served: a certificate that is not to be trusted is told of, and nothing is sent', async (t) => {
  const expired = selfSignedCertificate(['127.0.0.1'], { from: new Date('2020-01-01T00:00:00Z'), days: 30 });
  const early = selfSignedCertificate(['127.0.0.1'], { from: new Date(Date.now() + 86_400_000) });
  const elsewhere = selfSignedCertificate(['backup.example']);
  const file = path.join(scratchFolder(t), 'ca.pem');
  const cases = [
    { name: 'expired', certificate: expired, ca: expired.certificate, message: /has expired/ },
    { name: 'not valid yet', certificate: early, ca: early.certificate, message: /not valid yet/ },
    { name: 'for another host', certificate: elsewhere, ca: elsewhere.certificate, message: /for another host/ },
    { name: 'of another authority', certificate, ca: elsewhere.certificate, message: /not trusted/ },
    { name: 'of nobody', certificate, ca: undefined, message: /not trusted/ },
  ];
  for (const { name, certificate, ca, message } of cases) {
    const server = await startServing(t, { certificate });
    if (ca !== undefined) fs.writeFileSync(file, ca);
    const url = `https://${server.address}/?token-file=${server.token('writer', ['writer'])}${ca === undefined ? '' : `&ca=${file}`}`;
    await t.rejects(openStorage(url).state(), { code: 'forbidden', message }, name);
    t.same(server.accesses, [], 'no request arrived');
    t.equal(
      await openStorage(`${url.replace(/&ca=.*/, '')}&fingerprint=${fingerprintOf(certificate.certificate)}`).state(),
      'empty',
      'the fingerprint alone counts',
    );
  }
  fs.writeFileSync(file, certificate.certificate);
  const tokenFile = serving.token('trusting', ['reader']);
  t.equal(await openStorage(`https://${serving.address}/?token-file=${tokenFile}&ca=${file}`).state(), 'occupied');
  const wrong = openStorage(`https://${serving.address}/?token-file=${tokenFile}&fingerprint=${'ab'.repeat(32)}`);
  await t.rejects(wrong.state(), { code: 'forbidden', message: /another certificate/, found: fingerprint });
});

t.test('Served: what answers of something else than lagan serve mean', async (t) => {
  const answers = [
    [401, 'forbidden'],
    [403, 'forbidden'],
    [404, 'no-repository'],
    [413, 'limit-exceeded'],
    [429, 'unavailable'],
    [502, 'unavailable'],
    [503, 'unavailable'],
    [507, 'no-space'],
    [400, 'io'],
    [200, 'io'],
  ] as const;
  process.env.LAGAN_TOKEN = 'some-token';
  t.teardown(() => delete process.env.LAGAN_TOKEN);
  for (const [status, code] of answers) {
    const port = await serverThatAnswers(t, { status, body: '<html>a proxy</html>' });
    const storage = new Served(`http://127.0.0.1:${port}/`, { limits, retries: few });
    await t.rejects(storage.size('a/b'), { code }, `size: ${status}`);
    await t.rejects(storage.get('a/b'), { code }, `get: ${status}`);
    if (status === 404) t.equal(await storage.state(), 'absent');
    else await t.rejects(storage.state(), { code }, `state: ${status}`);
    if (status !== 200) await t.rejects(storage.create('a/b', []), { code }, `create: ${status}`);
  }
  await t.rejects(new Served('http://127.0.0.1:1/', { limits, retries: few }).state(), { code: 'unavailable' });
  const plain = new Served(`https://127.0.0.1:${await plainServer(t)}/`, { limits, retries: few });
  await t.rejects(plain.state(), { code: 'forbidden', message: /does not speak TLS/ });
});

async function plainServer(t: Test): Promise<number> {
  const server = http.createServer((_, response) => response.end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

t.test('Served: a listing that was cut off is an error', async (t) => {
  process.env.LAGAN_TOKEN = 'some-token';
  t.teardown(() => delete process.env.LAGAN_TOKEN);
  for (const body of ['', '5 a/b\n', '5 a/b\nend', 'x a/b\nend\n', '5 a/b\nmore']) {
    const port = await serverThatAnswers(t, { status: 200, body });
    const storage = new Served(`http://127.0.0.1:${port}/`, { limits, retries: few });
    await t.rejects(async () => storage.list('')[Symbol.asyncIterator]().next(), { code: 'io' }, JSON.stringify(body));
  }
});

t.test('Served: a command that reaches no server is told of by its own words', async (t) => {
  const cases = [
    ['exec:echo sorry, we are closed >&2; exit 3', 'unavailable', /sorry, we are closed/],
    ['exec:exit 7', 'unavailable', /ended with 7/],
    ['exec:echo hello, this is the wrong machine; exec sleep 5', 'unavailable', /./],
    ['exec:/no/such/program', 'forbidden', /not found/],
  ] as const;
  for (const [url, code, message] of cases) {
    const storage = new Served(url, { limits, retries: few });
    await t.rejects(storage.state(), { code, message }, url);
    await storage.close();
  }
});

t.test('Served: without a token it says how to give one', async (t) => {
  await t.rejects(openStorage('https://127.0.0.1:1/').state(), { code: 'no-key', hint: /LAGAN_TOKEN_FILE/ });
  await t.rejects(openStorage('https://127.0.0.1:1/?token-file=/none').state(), { code: 'usage', object: '/none' });
});

t.test('Served: URLs that are none', async (t) => {
  const wrong = [
    'https://',
    'https://user@host/',
    'https://user:secret@host/',
    'https://host/?fingerprint=12',
    'https://host/?connections=0',
    'https://host/?region=x',
    'https://host/a%2Fb',
    'https://host/.hidden',
    'https://host/v1',
    'http://backup.example/',
    'http://192.0.2.1:80/',
    'ssh://',
    'ssh://-oProxyCommand=x/',
    'ssh://host/?ca=x',
    'exec:',
    'exec:  ',
  ];
  for (const url of wrong) t.throws(() => openStorage(url), { code: 'usage' }, url);
  for (const url of ['https://host', 'https://[::1]:8471/a/b', 'http://localhost:8000/', 'ssh://user@host:22/a', 'exec:ssh host'])
    t.equal(openStorage(url).location, url);
});
