import { randomBytes } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { TransferLimits } from '../../../engine/storage/_transfer-limits.ts';
import { GoogleBucket } from '../../../engine/storage/google.ts';
import { openStorage, type Storage } from '../../../engine/storage/mod.ts';
import { storageConformance } from '../../conformance/storage.ts';
import { Line } from './line.ts';
import { findFakeGcs, serverThatAnswers, startFakeGcs } from './servers.ts';
import { expectAbortsAtOnce } from './stalled.ts';

const found = findFakeGcs();
const limits = new TransferLimits();
const few = { attempts: 3, firstPauseMs: 1 };
const object = new Uint8Array(randomBytes(20 * 1024 * 1024 + 5));
let places = 0;

if ('skip' in found) {
  t.test('GoogleBucket: against fake-gcs-server', { skip: found.skip }, async () => undefined);
} else {
  const { port } = await startFakeGcs(t, found.file);
  storageConformance(t, { makeStorage: () => prepared(port) });
  testsWith(port);
}

function urlOf(port: number, { bucket = 'test', prefix = `place-${places++}`, more = '&location=EU' } = {}): string {
  return `gs://${bucket}/${prefix}?endpoint=http://127.0.0.1:${port}${more}`;
}

async function prepared(port: number): Promise<Storage> {
  const storage = openStorage(urlOf(port));
  await storage.prepare();
  return storage;
}

function testsWith(port: number): void {
  t.test('GoogleBucket: a bucket that is missing is told of by every call, and made only where somebody says', async (t) => {
    const storage = openStorage(urlOf(port, { bucket: 'missing', more: '' }));
    const absent = { code: 'no-repository', hint: /buckets create gs:\/\/missing/ };
    t.equal(await storage.state(), 'absent');
    await t.rejects(storage.get('a/b'), absent);
    await t.rejects(storage.size('a/b'), absent);
    await t.rejects(storage.create('a/b', [object.subarray(0, 5)]), absent);
    await t.rejects(storage.create('a/b', [object]), absent);
    await t.rejects(storage.delete(['a/b']), absent);
    await t.rejects(async () => storage.list('')[Symbol.asyncIterator]().next(), absent);
    await t.rejects(storage.prepare(), absent);
    await openStorage(urlOf(port, { bucket: 'missing' })).prepare();
    t.equal(await storage.state(), 'empty');
  });

  t.test('GoogleBucket: a large object goes in parts', async (t) => {
    const storage = await prepared(port);
    const writer = await storage.createWriter('a/large');
    for (let at = 0; at < object.length; at += 1_000_000) await writer.append([object.subarray(at, at + 1_000_000)]);
    t.equal(await storage.state(), 'empty');
    t.equal(await writer.commit(), 'created');
    t.equal(Buffer.compare(await storage.get('a/large'), object), 0);
    t.equal(await storage.create('a/other', [object.subarray(0, 16 * 1024 * 1024)]), 'created', 'parts without a rest');
    t.equal(
      Buffer.compare(await storage.get('a/other', { last: 12_000_000 }), object.subarray(0, 16 * 1024 * 1024).subarray(-12_000_000)),
      0,
    );
    const given = await storage.createWriter('a/given-up');
    await given.append([object]);
    await given.abort();
    await t.rejects(storage.get('a/given-up'), { code: 'not-found' });
  });

  t.test('GoogleBucket: of two writers of a large object one creates it', async (t) => {
    const storage = await prepared(port);
    const writers = [await storage.createWriter('a/large'), await storage.createWriter('a/large')];
    for (const writer of writers) await writer.append([object]);
    const outcomes = await Promise.all(writers.map((writer) => writer.commit()));
    t.same(outcomes.toSorted(), ['created', 'exists']);
    t.equal(await storage.create('a/large', [object]), 'exists');
  });

  t.test('GoogleBucket: the answer to a creation is lost: it is known who created the object', async (t) => {
    const line = await Line.start(t, port);
    const storage = new GoogleBucket(urlOf(line.port), { limits, retries: few });
    await storage.prepare();
    line.loseAnswer();
    t.equal(await storage.create('a/small', [object.subarray(0, 100)]), 'created', 'the mark is ours');
    t.same(await storage.get('a/small'), object.subarray(0, 100));
    line.loseAnswer();
    t.equal(await storage.create('a/small', [object.subarray(0, 100)]), 'exists', 'the mark is of somebody else');
  });

  t.test('GoogleBucket: a connection that is lost in the middle of a download is made anew', async (t) => {
    const line = await Line.start(t, port);
    const storage = new GoogleBucket(urlOf(line.port), { limits, retries: few });
    await storage.prepare();
    await storage.create('a/b', [object]);
    for (const lost of [1, 2, 5]) {
      line.loseAnswer(lost);
      t.equal(Buffer.compare(await storage.get('a/b'), object), 0);
    }
  });

  t.test('GoogleBucket: an abort during a stalled request answers at once', async (t) => {
    const line = await Line.start(t, port);
    const storage = new GoogleBucket(urlOf(line.port), { limits });
    await storage.prepare();
    await storage.create('a/b', [object.subarray(0, 10)]);
    line.stall();
    await expectAbortsAtOnce(t, storage, object);
  });
}

t.test('GoogleBucket: what answers of a service mean', async (t) => {
  const answers = [
    [401, 'forbidden'],
    [403, 'forbidden'],
    [429, 'unavailable'],
    [500, 'unavailable'],
    [503, 'unavailable'],
    [400, 'io'],
  ] as const;
  for (const [status, code] of answers) {
    const body = JSON.stringify({ error: { code: status, message: 'on purpose', errors: [{ reason: 'test', message: 'on purpose' }] } });
    const port = await serverThatAnswers(t, { status, headers: { 'content-type': 'application/json' }, body });
    const storage = new GoogleBucket(urlOf(port), { limits, retries: few });
    await t.rejects(storage.size('a/b'), { code }, `size: ${status}`);
    await t.rejects(storage.get('a/b'), { code }, `get: ${status}`);
    await t.rejects(storage.create('a/b', []), { code }, `create: ${status}`);
    await t.rejects(storage.create('a/b', [object]), { code }, `create of a large object: ${status}`);
    await t.rejects(storage.state(), { code }, `state: ${status}`);
    await t.rejects(storage.delete(['a/b']), { code }, `delete: ${status}`);
  }
  const nowhere = new GoogleBucket('gs://bucket?endpoint=http://127.0.0.1:1', { limits, retries: { firstPauseMs: 1 } });
  await t.rejects(nowhere.state(), { code: 'unavailable' });
});

t.test('GoogleBucket: a resumable upload goes on where the service has got to', async (t) => {
  for (const fault of ['none', 'lose answers', 'keep less'] as const) {
    const service = await resumableService(t, fault);
    const storage = new GoogleBucket(urlOf(service.port), { limits, retries: few });
    const writer = await storage.createWriter('a/b');
    await writer.append([object]);
    t.equal(await writer.commit(), 'created', fault);
    t.equal(Buffer.compare(service.bytes(), object), 0, fault);
    t.ok(service.faults() > 0 || fault === 'none');
  }
});

t.test('GoogleBucket: without credentials it is forbidden, and said how to log in', async (t) => {
  const { GOOGLE_APPLICATION_CREDENTIALS: before } = process.env;
  process.env.GOOGLE_APPLICATION_CREDENTIALS = '/nowhere/key.json';
  t.teardown(() => {
    if (before === undefined) delete process.env.GOOGLE_APPLICATION_CREDENTIALS;
    else process.env.GOOGLE_APPLICATION_CREDENTIALS = before;
  });
  await t.rejects(openStorage('gs://bucket').state(), { code: 'forbidden', hint: /gcloud auth/ });
});

t.test('GoogleBucket: URLs that are none', async (t) => {
  for (const url of ['gs://', 'gs://bucket?region=x', 'gs://a:secret@bucket', 'gs://bucket?endpoint=x'])
    t.throws(() => openStorage(url), { code: 'usage' }, url);
  t.equal(openStorage('gs://bucket/a/b').location, 'gs://bucket/a/b');
});

/** A service that takes one resumable upload, as Google's documentation describes it; the emulator knows no question for what is there already. */
async function resumableService(t: Test, fault: 'none' | 'lose answers' | 'keep less') {
  let bytes = Buffer.alloc(0);
  let faults = 0;
  let mark = '';
  const isLost = new Set<number>();
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const { port } = server.address() as AddressInfo;
    if (request.method === 'GET') {
      return response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ size: bytes.length, metadata: { laganmark: mark } }));
    }
    if (request.method === 'POST') {
      mark = JSON.parse(body.toString()).metadata.laganmark;
      return response.writeHead(200, { location: `http://127.0.0.1:${port}/upload/session?upload_id=1` }).end();
    }
    const [, first, total] = /^bytes (?:([0-9]+)-[0-9]+|\*)\/([0-9]+|\*)$/.exec(request.headers['content-range'] ?? '') ?? [];
    if (first !== undefined && Number(first) !== bytes.length) return response.writeHead(400).end();
    const keepLess = fault === 'keep less' && body.length > 1_000_000;
    bytes = Buffer.concat([bytes, keepLess ? body.subarray(0, 262_144 * 3) : body]);
    if (keepLess) faults++;
    const loseAnswer = fault === 'lose answers' && body.length > 0 && !isLost.has(bytes.length);
    if (loseAnswer) {
      isLost.add(bytes.length);
      faults++;
      return request.socket.destroy();
    }
    if (Number(total) === bytes.length) return response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    return response.writeHead(308, { range: `bytes=0-${bytes.length - 1}` }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, bytes: () => bytes, faults: () => faults };
}
