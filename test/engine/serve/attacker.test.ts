/** What somebody can do who has stolen a writer's token, or has none. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import type { NetworkServeOptions } from '../../../engine/serve/mod.ts';
import { encodeFormatFile, objectIdOf, objectNames } from '../../../repo-format/mod.ts';
import {
  certificate,
  checksumOf,
  everything,
  filesBelow,
  packName,
  rawRequest,
  repositoryId,
  type Serving,
  sealedBytes,
  startServing,
} from './serving.ts';

interface Raw {
  readonly serving: Serving;
  readonly token: string;
  readonly send: (
    method: string,
    path: string,
    options?: { body?: Uint8Array; headers?: Record<string, string> },
  ) => ReturnType<typeof rawRequest>;
  /** With length and checksum. */
  readonly put: (name: string, body: Uint8Array, headers?: Record<string, string>) => ReturnType<typeof rawRequest>;
}

const id = () => randomBytes(16).toString('hex');
const generation = '0'.repeat(15);

/** A repository with a few objects in it, and a writer's token. */
async function asWriter(t: Test, options: Partial<NetworkServeOptions> = {}): Promise<Raw> {
  const serving = await startServing(t, options);
  const below = (name: string) => path.join(serving.repository, name);
  fs.mkdirSync(below('owner'), { recursive: true });
  fs.writeFileSync(below('owner/format'), encodeFormatFile({ repositoryId, features: { refuse: [], readOnly: [], ignore: [] } }));
  const token = fs.readFileSync(serving.token('mallory', ['writer']), 'utf8');
  const send: Raw['send'] = (method, requestPath, rest = {}) => rawRequest(serving, { method, path: requestPath, token, ...rest });
  const put: Raw['put'] = (name, body, headers = {}) =>
    send('PUT', `/v1/objects/${name}`, {
      body,
      headers: { 'content-length': String(body.length), 'lagan-sha256': checksumOf(body), ...headers },
    });
  return { serving, token, send, put };
}

t.test('serve: a writer can add what a backup adds', async (t) => {
  const { put, serving } = await asWriter(t);
  const pack = packName();
  const names = {
    [pack]: sealedBytes(pack, 'pack', { segments: [5000, 70_000, 17] }),
    [`writer/snapshots/${generation}1/${id()}`]: 'snapshot',
    [`writer/checkpoints/${generation}1/${id()}.00000001`]: 'checkpoint',
    [`writer/index/${generation}1/${id()}.00000000-00000003`]: 'index-table',
    [`writer/reports/${id()}`]: 'damage-report',
    [`writer/verified/${id()}`]: 'verification',
  } as const;
  for (const [name, kind] of Object.entries(names)) {
    const bytes = typeof kind === 'string' ? sealedBytes(name, kind) : kind;
    t.equal((await put(name, bytes)).status, 201, name);
    t.same(fs.readFileSync(path.join(serving.repository, name)), bytes);
  }
});

t.test('serve: a writer can neither overwrite nor delete, and creates nothing of the other roles', async (t) => {
  for (const appendOnly of [false, true]) {
    const { put, send, serving } = await asWriter(t, { appendOnly });
    const name = packName();
    const bytes = sealedBytes(name, 'pack');
    t.equal((await put(name, bytes)).status, 201);
    t.match(await put(name, sealedBytes(name, 'pack')), { status: 409 }, 'not even by what looks the same');
    t.match(await put(name, sealedBytes(name, 'pack'), { 'lagan-again': '1' }), { status: 409 });
    t.match(await put(name, bytes, { 'lagan-again': '1' }), { status: 201 }, 'its own, sent again');
    t.match(await send('POST', `/v1/uploads/${name}`), { status: 409 });
    for (const victim of [name, 'owner/format', packName(), objectNames.root(1)]) {
      t.match(await send('DELETE', `/v1/objects/${victim}`), { status: 403, code: 'forbidden' }, victim);
    }
    const others = [
      `owner/keys/${id()}`,
      objectNames.configuration(2),
      objectNames.root(1),
      `collector/lost/${id()}`,
      `owner/deletions/${id()}`,
      'probe/1',
    ];
    for (const other of others) {
      t.match(await put(other, Buffer.alloc(200)), { status: 403, code: 'forbidden' }, other);
      t.match(await send('POST', `/v1/uploads/${other}`), { status: 403 }, other);
    }
    t.match(await send('PUT', '/v1/place'), { status: 403 });
    t.same(fs.readFileSync(path.join(serving.repository, name)), bytes);
    t.same(filesBelow(serving.repository), ['owner/format', name]);
  }
});

t.test('serve: names that are none, and ways out of the folder', async (t) => {
  const { put, send, serving } = await asWriter(t);
  fs.writeFileSync(path.join(serving.folder, 'secret'), 'treasure');
  const names = [
    '../secret',
    '..%2fsecret',
    '%2e%2e/secret',
    'writer/../owner/format2',
    'writer/packs/../../owner/format',
    '/etc/passwd',
    '%2fetc%2fpasswd',
    'writer/packs/aa/x',
    'writer/packs/ff/ffffffffffffffffffffffffffffffff',
    'writer/packs/ab/cd000000000000000000000000000000',
    `writer/snapshots/${generation}1/${id().toUpperCase().replace(/[0-9]/g, 'A')}`,
    'writer/snapshots/ffffffffffffffff/00000000000000000000000000000000',
    'temporary/x',
    'writer/packs/aa/%00',
    `writer/${'x'.repeat(300)}`,
    '',
    '%',
    '%ff',
  ];
  for (const name of names) {
    for (const [method, requestPath] of [
      ['PUT', `/v1/objects/${name}`],
      ['GET', `/v1/objects/${name}`],
      ['POST', `/v1/uploads/${name}`],
    ] as const) {
      const body = method === 'PUT' ? sealedBytes('writer/x', 'pack') : undefined;
      const headers: Record<string, string> =
        body === undefined ? {} : { 'content-length': String(body.length), 'lagan-sha256': checksumOf(body) };
      const answer = await send(method, requestPath, { ...(body && { body }), headers });
      t.ok([400, 403, 404].includes(answer.status), `${method} ${name}: ${answer.status}`);
      t.notMatch(answer.body, /treasure|root:/);
    }
  }
  for (const prefix of ['../', '/', '..', 'temporary/', '%2e%2e/']) {
    t.match(await send('GET', `/v1/list?prefix=${prefix}`), { status: 400 }, prefix);
  }
  t.ok((await put(packName(), Buffer.from('nothing'))).status === 422);
  t.same(filesBelow(serving.repository), ['owner/format']);
});

t.test('serve: another repository, another way, another word', async (t) => {
  const { send, serving, token } = await asWriter(t);
  const anna = fs.readFileSync(serving.token('anna', everything, { below: 'laptops/anna' }), 'utf8');
  t.match(await send('GET', '/laptops/anna/v1/list'), { status: 403 }, 'not the repository of the token');
  t.match(await rawRequest(serving, { method: 'GET', path: '/v1/list', token: anna }), { status: 403 }, 'not the one above it');
  t.match(await rawRequest(serving, { method: 'GET', path: '/laptops/v1/list', token: anna }), { status: 403 });
  t.match(await rawRequest(serving, { method: 'GET', path: '/laptops/%2e%2e/v1/list', token: anna }), { status: 404 });
  t.match(
    await rawRequest(serving, { method: 'GET', path: '/laptops/anna/v1/list', token: anna }),
    { status: 404, code: 'no-repository' },
    'nobody has made it',
  );
  for (const [method, requestPath] of [
    ['GET', '/'],
    ['GET', '/v1'],
    ['GET', '/v2/list'],
    ['GET', '*'],
  ] as const) {
    t.match(await send(method, requestPath), { status: 404 }, requestPath);
  }
  for (const method of ['POST', 'PATCH', 'MOVE', 'OPTIONS'])
    t.match(await send(method, '/v1/objects/owner/format'), { status: 405 }, method);
  for (const bad of [undefined, '', 'lagan-token-1-', `${token}x`, token.slice(0, -1), token.toUpperCase(), 'x'.repeat(5000)]) {
    const { status, code } = await rawRequest(serving, { method: 'GET', path: '/v1/list', ...(bad !== undefined && { token: bad }) });
    t.match({ status, code }, { status: 401, code: 'forbidden' }, bad?.slice(0, 30) ?? 'none');
  }
  t.match(await rawRequest(serving, { method: 'GET', path: '/v1/list', headers: { authorization: `Basic ${token}` } }), { status: 401 });
});

t.test('serve: a token that was removed is refused from the next request on, also in the middle of an upload', async (t) => {
  const { send, serving } = await asWriter(t);
  const name = packName();
  const { body: upload } = await send('POST', `/v1/uploads/${name}`);
  serving.tokens.remove('mallory');
  t.match(await send('GET', '/v1/list'), { status: 401 });
  const part = sealedBytes(name, 'pack');
  const headers = {
    'content-length': String(part.length),
    'content-range': `bytes 0-${part.length - 1}/${part.length}`,
    'lagan-sha256': checksumOf(part),
  };
  t.match(await send('PUT', `/v1/uploads/${upload}`, { body: part, headers }), { status: 401 });
  const fresh = fs.readFileSync(serving.token('eve', ['writer']), 'utf8');
  const stolen = await rawRequest(serving, { method: 'PUT', path: `/v1/uploads/${upload}`, token: fresh, body: part, headers });
  t.match(stolen, { status: 410 }, 'nor goes it on with the token of somebody else');
  t.same(filesBelow(serving.repository), ['owner/format']);
});

t.test('serve: what is no object of that name, kind and repository is refused, and nothing is left', async (t) => {
  const { put, serving } = await asWriter(t);
  const name = packName();
  const snapshot = `writer/snapshots/${generation}1/${id()}`;
  const good = sealedBytes(name, 'pack', { segments: [100, 200] });
  const changed = (at: number, value: number) => {
    const bytes = Buffer.from(good);
    bytes[at] = value;
    return bytes;
  };
  const cases: [string, string, Buffer][] = [
    ['no bytes', name, Buffer.alloc(0)],
    ['half a header', name, good.subarray(0, 79)],
    ['a header alone', name, good.subarray(0, 80)],
    ['another magic', name, changed(0, 0)],
    ['a later version', name, changed(7, 2)],
    ['an unknown kind', name, changed(6, 99)],
    ['reserved bytes', name, changed(12, 1)],
    ['a snapshot as a pack', name, sealedBytes(name, 'snapshot')],
    ['a pack as a snapshot', snapshot, sealedBytes(snapshot, 'pack')],
    ['another repository', name, sealedBytes(name, 'pack', { id: randomBytes(16) })],
    ['another object', name, sealedBytes(name, 'pack', { objectId: objectIdOf(packName()) })],
    ['a pack that was cut off', name, good.subarray(0, -1)],
    ['a pack without footer', name, good.subarray(0, -16)],
    ['bytes after the footer', name, Buffer.concat([good, Buffer.alloc(1)])],
    ['a segment that is too short', name, sealedBytes(name, 'pack', { segments: [100, 16, 100] })],
    ['a gap between the segments', name, Buffer.concat([good.subarray(0, 184), Buffer.alloc(3, 9), good.subarray(184)])],
    [
      'contents elsewhere',
      name,
      Buffer.concat([
        good.subarray(0, -16),
        sealedBytes(name, 'pack', { segments: [100, 200] }).subarray(-16, -8),
        Buffer.from([100, 0, 0, 0]),
        good.subarray(-4),
      ]),
    ],
    ['a snapshot of two segments', snapshot, sealedBytes(snapshot, 'snapshot', { segments: [50, 50] })],
    ['a snapshot that was cut off', snapshot, sealedBytes(snapshot, 'snapshot').subarray(0, -1)],
    ['a snapshot with more', snapshot, Buffer.concat([sealedBytes(snapshot, 'snapshot'), Buffer.alloc(1)])],
  ];
  for (const [what, under, bytes] of cases) {
    const { status } = await put(under, bytes);
    t.equal(status, 422, what);
    t.same(filesBelow(serving.repository), ['owner/format'], what);
  }
  t.equal((await put(name, good)).status, 201, 'what is right comes through');
});

t.test('serve: what arrived must be what was sent', async (t) => {
  const { put, send, serving } = await asWriter(t);
  const name = packName();
  const bytes = sealedBytes(name, 'pack');
  t.match(await put(name, bytes, { 'lagan-sha256': checksumOf(Buffer.from('else')) }), { status: 422, code: 'name-mismatch' });
  t.match(await put(name, bytes, { 'lagan-sha256': 'short' }), { status: 400 });
  t.match(
    await send('PUT', `/v1/objects/${name}`, {
      body: bytes,
      headers: { 'lagan-sha256': checksumOf(bytes), 'transfer-encoding': 'chunked' },
    }),
    { status: 411 },
  );
  const { body: upload } = await send('POST', `/v1/uploads/${name}`);
  const part = (offset: number, end: number, total: string, headers: Record<string, string> = {}) =>
    send('PUT', `/v1/uploads/${upload}`, {
      body: bytes.subarray(offset, end),
      headers: { 'content-length': String(end - offset), 'content-range': `bytes ${offset}-${end - 1}/${total}`, ...headers },
    });
  t.match(await part(0, 50, '*'), { status: 204 });
  t.match(await part(60, 90, '*'), { status: 412 }, 'a gap');
  t.match(await part(0, 90, '*'), { status: 204 }, 'what came before is passed over');
  t.match(
    await part(90, bytes.length, String(bytes.length + 1), { 'lagan-sha256': checksumOf(bytes) }),
    { status: 422 },
    'another length than was promised',
  );
  t.same(filesBelow(serving.repository), ['owner/format'], 'it was given up');
  t.match(await part(0, 50, '*'), { status: 410 });
});

t.test('serve: too much is refused before it is read', async (t) => {
  const { send, serving } = await asWriter(t);
  const snapshot = `writer/snapshots/${generation}1/${id()}`;
  const headers = { 'content-length': String(2 ** 40), 'lagan-sha256': 'a'.repeat(64), expect: '100-continue' };
  t.match(await send('PUT', `/v1/objects/${snapshot}`, { headers }).catch((error) => error), { status: 413, code: 'limit-exceeded' });
  const { status, body: upload } = await send('POST', `/v1/uploads/${snapshot}`);
  t.equal(status, 201);
  const range = { 'content-length': String(2 ** 30), 'content-range': `bytes 0-${2 ** 30 - 1}/*`, expect: '100-continue' };
  t.match(await send('PUT', `/v1/uploads/${upload}`, { headers: range }), { status: 413 });
  const { body } = await send('GET', `/v1/list?prefix=${'w'.repeat(20_000)}`).catch(() => ({ body: 'cut' }));
  t.equal(body, 'cut', 'a header that is too long');
  t.same(filesBelow(serving.repository), ['owner/format']);
});

t.test('serve: a quota holds, is told of, and counts anew what the collector has freed', async (t) => {
  const { serving } = await asWriter(t, { limits: { recountIntervalMs: 0, storingMs: 0 } });
  const token = fs.readFileSync(serving.token('small', ['writer'], { quota: { bytes: 1000, objects: 3 } }), 'utf8');
  const put = (name: string, body: Uint8Array) =>
    rawRequest(serving, {
      method: 'PUT',
      path: `/v1/objects/${name}`,
      token,
      body,
      headers: { 'content-length': String(body.length), 'lagan-sha256': checksumOf(body) },
    });
  const names = Array.from({ length: 6 }, packName);
  const sized = (name: string, sizeBytes: number) => sealedBytes(name, 'pack', { segments: [sizeBytes - 100] });
  t.equal((await put(names[0]!, sized(names[0]!, 400))).status, 201);
  const over = await put(names[1]!, sized(names[1]!, 601));
  t.match(over, { status: 507, code: 'no-space' });
  t.match(JSON.parse(over.body), { message: /quota of this writer/, expected: 1000, found: 400 });
  t.equal((await put(names[1]!, sized(names[1]!, 600))).status, 201, 'exactly full');
  t.equal((await put(names[2]!, sized(names[2]!, 117))).status, 507);
  fs.unlinkSync(path.join(serving.repository, names[1]!));
  t.equal((await put(names[2]!, sized(names[2]!, 300))).status, 201, 'what is gone counts no longer');
  t.equal((await put(names[3]!, sized(names[3]!, 117))).status, 201);
  t.match(JSON.parse((await put(names[4]!, sized(names[4]!, 117))).body), { message: /3 of 3 objects/ });
  await t.rejects(serving.open(path.join(serving.folder, 'small.token')).create(names[5]!, [sized(names[5]!, 200)]), {
    code: 'no-space',
    hint: /maintain/,
  });
});

t.test('serve: many at once do not get beyond the quota, nor take one name twice', async (t) => {
  const { serving } = await asWriter(t);
  const token = serving.token('small', ['writer'], { quota: { bytes: 1000 } });
  const storage = serving.open(token);
  const names = Array.from({ length: 20 }, packName);
  const outcomes = await Promise.allSettled(names.map((name) => storage.create(name, [sealedBytes(name, 'pack', { segments: [100] })])));
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 5);
  const writer = serving.open(serving.token('other', ['writer']));
  const name = packName();
  const race = await Promise.all(Array.from({ length: 10 }, () => writer.create(name, [sealedBytes(name, 'pack')])));
  t.equal(race.filter((outcome) => outcome === 'created').length, 1);
});

t.test('serve: a writer reads what a backup needs, and no contents of files', async (t) => {
  const { send, put, serving } = await asWriter(t);
  const [data, metadata] = [packName(), packName()];
  await put(data, sealedBytes(data, 'pack', { segments: [100, 50] }));
  await put(metadata, sealedBytes(metadata, 'metadata-pack'));
  t.match(await send('GET', `/v1/objects/${data}`), { status: 403, code: 'forbidden' });
  const part = (range: string) => send('GET', `/v1/objects/${data}`, { headers: { range: `bytes=${range}` } });
  t.match(await part('80-90'), { status: 403 }, 'a block');
  t.match(await part('0-80'), { status: 403 });
  t.match(await part('0-79'), { status: 206 }, 'the header');
  t.equal((await part('-65536')).body.length, (await part('184-')).body.length, 'the end, as far as it is contents');
  t.equal((await send('HEAD', `/v1/objects/${data}`)).status, 200, 'that it is there may be known');
  t.equal((await send('GET', `/v1/objects/${metadata}`)).status, 200);
  t.equal((await send('GET', '/v1/objects/owner/format')).status, 200);
  const reader = fs.readFileSync(serving.token('reader', ['reader']), 'utf8');
  const asReader = (method: string, requestPath: string) => rawRequest(serving, { method, path: requestPath, token: reader });
  t.equal((await asReader('GET', `/v1/objects/${data}`)).status, 200);
  t.equal((await asReader('POST', `/v1/uploads/${packName()}`)).status, 403, 'who reads does not write');
});

t.test('serve: with --append-only nobody deletes, whatever the token says', async (t) => {
  const { put, serving } = await asWriter(t, { appendOnly: true });
  const name = packName();
  await put(name, sealedBytes(name, 'pack'));
  const admin = serving.open(serving.token('admin', everything));
  await t.rejects(admin.delete([name]), { code: 'forbidden', hint: /append-only/ });
  await t.rejects(admin.create(objectNames.root(1), [sealedBytes(objectNames.root(1), 'root')]), { code: 'forbidden' });
  const other = packName();
  t.equal(await admin.create(other, [sealedBytes(other, 'pack')]), 'created', 'adding is left');
  t.ok(await admin.get(name), 'and reading');
});

/** Sends a text over TLS and waits for what becomes of the connection. */
function byHand(t: Test, serving: Serving, text: string): Promise<{ answer: string; socket: tls.TLSSocket }> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = tls.connect({ port: serving.port, host: '127.0.0.1', rejectUnauthorized: false }, () => socket.write(text));
    t.teardown(() => socket.destroy());
    socket.on('data', (bytes) => {
      answer += bytes;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve({ answer, socket }));
  });
}

t.test('serve: who is slow, silent or goes away is cut off, and leaves nothing', async (t) => {
  const { serving, token, put } = await asWriter(t, {
    limits: { headersTimeoutMs: 300, silenceTimeoutMs: 200, handshakeTimeoutMs: 300, drainTimeoutMs: 200 },
  });
  const name = packName();
  const bytes = sealedBytes(name, 'pack', { segments: [100_000] });
  const head = `PUT /v1/objects/${name} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\nlagan-sha256: ${checksumOf(bytes)}\r\n`;
  t.match(
    await byHand(t, serving, 'GET /v1/list HTTP/1.1\r\nhost: x\r\nx-a: '),
    { answer: /^HTTP\/1.1 408|^$/ },
    'a header that never ends',
  );
  t.match(
    await byHand(t, serving, `${head}content-length: ${bytes.length}\r\n\r\nabc`),
    { answer: /^(HTTP\/1.1 408.*)?$/s },
    'a body that stops',
  );
  t.match(await byHand(t, serving, `${head}content-length: x\r\n\r\nabc`), {}, 'a length that is none');
  t.match(await byHand(t, serving, 'hello there\r\n\r\n'), {}, 'no HTTP at all');
  const silent = net.connect(serving.port, '127.0.0.1');
  await new Promise((resolve) => silent.on('error', () => undefined).on('close', resolve));
  for (const cut of ['destroy', 'end'] as const)
    await cutOff(t, serving, { head: `${head}content-length: ${bytes.length}\r\n\r\n`, bytes: bytes.subarray(0, 50_000), cut });
  t.same(filesBelow(serving.repository), ['owner/format']);
  t.equal((await put(name, bytes)).status, 201, 'the server is as it was');
});

/** A body that ends in the middle, by a lost connection or by an end that is said. */
async function cutOff(
  t: Test,
  serving: Serving,
  { head, bytes, cut }: { head: string; bytes: Uint8Array; cut: 'destroy' | 'end' },
): Promise<void> {
  const before = serving.accesses.length;
  const socket = tls.connect({ port: serving.port, host: '127.0.0.1', rejectUnauthorized: false });
  t.teardown(() => socket.destroy());
  socket.on('error', () => undefined);
  socket.write(head);
  socket.write(bytes, () => (cut === 'destroy' ? socket.destroy() : socket.end()));
  while (serving.accesses.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
  t.not(serving.accesses.at(-1)!.status, 201, cut);
}

t.test('serve: a reader that does not read is cut off', async (t) => {
  const { serving, put, token } = await asWriter(t, { limits: { silenceTimeoutMs: 200 } });
  const name = packName();
  await put(name, sealedBytes(name, 'metadata-pack', { segments: Array.from({ length: 30 }, () => 1_000_000) }));
  const socket = tls.connect({ port: serving.port, host: '127.0.0.1', rejectUnauthorized: false });
  t.teardown(() => socket.destroy());
  socket.on('error', () => undefined).pause();
  socket.write(`GET /v1/objects/${name} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n\r\n`);
  while (serving.accesses.at(-1)?.method !== 'GET') await new Promise((resolve) => setTimeout(resolve, 10));
  t.match(serving.accesses.at(-1), { error: { code: 'unavailable' } });
});

t.test('serve: one writer cannot take all the places of the others', async (t) => {
  const { serving, token, send } = await asWriter(t, { limits: { requestsPerWriter: 2, uploadsPerWriter: 2 } });
  const name = packName();
  const waiting = [1, 2].map(() => {
    const socket = tls.connect({ port: serving.port, host: '127.0.0.1', rejectUnauthorized: false });
    t.teardown(() => socket.destroy());
    socket.write(
      `PUT /v1/objects/${name} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\nlagan-sha256: ${'a'.repeat(64)}\r\ncontent-length: 500\r\nexpect: 100-continue\r\n\r\n`,
    );
    return new Promise<void>((resolve) => socket.once('data', () => resolve()));
  });
  await Promise.all(waiting);
  t.match(await send('GET', '/v1/list'), { status: 429, code: 'unavailable' });
  const other = fs.readFileSync(serving.token('other', ['writer']), 'utf8');
  const asOther = (method: string, requestPath: string) => rawRequest(serving, { method, path: requestPath, token: other });
  t.equal((await asOther('GET', '/v1/list')).status, 200);
  for (const status of [201, 201, 429]) t.equal((await asOther('POST', `/v1/uploads/${packName()}`)).status, status);
});

t.test('serve: errors of the machine are not told to clients, but to the log', async (t) => {
  const { serving, send } = await asWriter(t);
  fs.mkdirSync(path.join(serving.repository, 'writer/reports', '0'.repeat(32)), { recursive: true });
  const { status, body } = await send('GET', `/v1/objects/writer/reports/${'0'.repeat(32)}`);
  t.equal(status, 500);
  t.notMatch(body, serving.folder);
  t.match(serving.accesses.at(-1), {
    writer: 'mallory',
    method: 'GET',
    status: 500,
    error: { code: 'io', message: new RegExp(serving.folder) },
  });
  fs.writeFileSync(path.join(serving.folder, 'tokens.json'), '{"version":1,"tokens":[{"name":"x"}]}');
  t.match(await send('GET', '/v1/list'), { status: 500 }, 'a file of tokens that makes no sense lets nobody in');
});

t.test('serve: a server that ends lets requests finish, and gives up the rest in time', async (t) => {
  const { serving, token } = await asWriter(t, { limits: { graceMs: 300 } });
  const name = packName();
  const bytes = sealedBytes(name, 'pack', { segments: [1000] });
  const socket = tls.connect({ port: serving.port, host: '127.0.0.1', rejectUnauthorized: false, ca: certificate.certificate });
  t.teardown(() => socket.destroy());
  let answer = '';
  socket.on('data', (piece) => {
    answer += piece;
  });
  socket.write(
    `PUT /v1/objects/${name} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\nlagan-sha256: ${checksumOf(bytes)}\r\ncontent-length: ${bytes.length}\r\n\r\n`,
  );
  socket.write(bytes.subarray(0, 600));
  while (filesBelow(serving.repository).length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  const closing = serving.close();
  socket.write(bytes.subarray(600));
  await new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve));
  await closing;
  t.match(answer, /^HTTP\/1.1 201/);
  t.same(filesBelow(serving.repository), ['owner/format', name]);
});
