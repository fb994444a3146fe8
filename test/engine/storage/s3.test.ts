import { randomBytes } from 'node:crypto';
import t, { type Test } from 'tap';
import { openStorage, S3, type S3Options, type Storage, storageLimits } from '../../../engine/storage/mod.ts';
import { storageConformance } from '../../conformance/storage.ts';
import { type Fault, FaultProxy, type SeenRequest } from './fault-proxy.ts';
import { errorXml, S3Stub, type StubOptions } from './s3-stub.ts';

Object.assign(process.env, {
  AWS_ACCESS_KEY_ID: 'tester',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_REGION: 'us-east-1',
  AWS_EC2_METADATA_DISABLED: 'true',
});
delete process.env.AWS_PROFILE;

const name = 'writer/packs/ab/abcdef';
const bytes = (...values: number[]) => Uint8Array.from(values);
/** For machines that are busy, where silence is not the matter. */
const patient: S3Options = { retries: { attempts: 4, firstPauseMs: 1, longestPauseMs: 5 } };
const fast: S3Options = { timeouts: { connectMs: 5000, silenceMs: 1000 }, retries: { attempts: 4, firstPauseMs: 1, longestPauseMs: 5 } };

interface Place {
  readonly stub: S3Stub;
  readonly proxy: FaultProxy;
  readonly storage: Storage;
}

interface PlaceOptions extends StubOptions {
  readonly plan?: (request: SeenRequest) => Fault | undefined;
  readonly s3?: S3Options;
}

/** A bucket behind a proxy that fails as `plan` says. */
async function place(t: Test, { plan, s3 = fast, ...options }: PlaceOptions = {}): Promise<Place> {
  const stub = await new S3Stub(options).start();
  const proxy = await new FaultProxy(stub.port).start();
  stub.makeBucket('bucket');
  if (plan !== undefined) proxy.plan = plan;
  const storage = new S3(`s3://bucket/some/prefix?endpoint=${proxy.endpoint}`, s3);
  t.teardown(async () => {
    await storage.close();
    await proxy.stop();
    await stub.stop();
  });
  return { stub, proxy, storage };
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** Happens to the first requests of a method. */
const first =
  (method: string, fault: Fault, times = 1) =>
  (request: SeenRequest): Fault | undefined =>
    request.method === method && times-- > 0 ? fault : undefined;

for (const [title, options] of [
  ['a bucket', {}],
  ['pages of three names', { pageSize: 3 }],
  ['a store that ignores ranges', { knowsRanges: false }],
  ['a store without multi-delete', { canDeleteMany: false }],
] as const) {
  t.test(`S3: the contract, ${title}`, async (t) => {
    const stub = await new S3Stub(options).start();
    t.teardown(() => stub.stop());
    let buckets = 0;
    storageConformance(t, {
      makeStorage: async () => {
        const bucket = `bucket-${buckets++}`;
        stub.makeBucket(bucket);
        return new S3(`s3://${bucket}/a/prefix?endpoint=${stub.endpoint}`);
      },
    });
  });
}

t.test('S3: a creation whose answer is lost is told as ours', async (t) => {
  const lost: Fault[] = [
    { kind: 'reset', after: true },
    { kind: 'stall', after: true },
    { kind: 'status', status: 500, after: true },
    { kind: 'status', status: 503, after: true },
    { kind: 'status', status: 409, body: errorXml('ConditionalRequestConflict'), after: true },
    { kind: 'twice' },
  ];
  for (const fault of lost) {
    const { stub, storage } = await place(t, { plan: first('PUT', fault) });
    t.equal(await storage.create(name, [bytes(1, 2, 3)]), 'created', JSON.stringify(fault));
    t.same(stub.object('bucket', `some/prefix/${name}`), Buffer.from([1, 2, 3]));
    t.equal(await storage.create(name, [bytes(1, 2, 4)]), 'exists');
    t.equal(await storage.create(name, [bytes(1, 2)]), 'exists', 'a beginning of it is not the same');
    t.equal(await storage.create(name, [bytes(1, 2, 3, 4)]), 'exists');
  }
});

t.test('S3: a creation that did not arrive is sent again', async (t) => {
  for (const fault of [{ kind: 'reset' }, { kind: 'stall' }, { kind: 'status', status: 500 }, { kind: 'status', status: 409 }] as const) {
    const { storage } = await place(t, { plan: first('PUT', fault, 2) });
    t.equal(await storage.create(name, [bytes(1)]), 'created', JSON.stringify(fault));
  }
});

t.test('S3: a creation that fails for good rejects, and stores nothing', async (t) => {
  const { stub, storage, proxy } = await place(t, {
    plan: ({ method }) => (method === 'PUT' ? { kind: 'status', status: 500 } : undefined),
  });
  await t.rejects(storage.create(name, [bytes(1)]), { code: 'unavailable', object: name });
  t.equal(proxy.count('PUT'), 4);
  t.same(stub.keys('bucket'), []);
});

t.test('S3: a store that knows no conditions is asked first', async (t) => {
  const { stub, storage } = await place(t, { conditions: 'unknown' });
  t.equal(await storage.create(name, [bytes(1)]), 'created');
  t.equal(await storage.create(name, [bytes(2)]), 'exists');
  t.same(stub.object('bucket', `some/prefix/${name}`), Buffer.from([1]));
});

t.test('S3: reading goes on where an answer was cut off or came to a halt', async (t) => {
  const content = new Uint8Array(randomBytes(300_000));
  for (const kind of ['cut', 'halt'] as const) {
    const { proxy, storage } = await place(t, { plan: first('GET', { kind, bytes: 100_000 }, 2) });
    await storage.create(name, [content]);
    t.equal(Buffer.compare(await storage.get(name), content), 0, kind);
    const ranges = proxy.seen.filter(({ method }) => method === 'GET').map(({ headers }) => headers.range);
    t.equal(ranges.length, 3);
    t.match(ranges[2], /^bytes=[1-9]\d+-299999$/, 'the rest only');
  }
});

t.test('S3: reading goes on after other faults', async (t) => {
  for (const fault of [{ kind: 'reset' }, { kind: 'stall' }, { kind: 'status', status: 503, body: errorXml('SlowDown') }] as const) {
    const { storage } = await place(t, { plan: first('GET', fault, 2) });
    await storage.create(name, [bytes(1, 2, 3)]);
    t.same(await storage.get(name, { last: 2 }), bytes(2, 3), JSON.stringify(fault));
    t.equal(await storage.size(name), 3);
  }
});

t.test('S3: a listing is whole or an error', async (t) => {
  const page = (text: string) => `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>${text}</ListBucketResult>`;
  const object = (key: string) => `<Contents><Key>some/prefix/${key}</Key><Size>1</Size></Contents>`;
  const whole = '<IsTruncated>false</IsTruncated>';
  const wrong: Record<string, string> = {
    'an empty body': '',
    'an empty document': page(''),
    'a page of a web site': '<html><body>welcome</body></html>',
    'another prefix': page(`${whole}<Prefix>elsewhere/</Prefix>`),
    'more, but not where': page('<IsTruncated>true</IsTruncated>'),
    'no order': page(whole + object('a/2') + object('a/1')),
    'a name twice': page(whole + object('a/1') + object('a/1')),
    'what was not asked for': page(`${whole}<Contents><Key>elsewhere/a</Key><Size>1</Size></Contents>`),
    'no sizes': page(`${whole}<Contents><Key>some/prefix/a/1</Key></Contents>`),
  };
  for (const [title, body] of Object.entries(wrong)) {
    const fault: Fault = { kind: 'status', status: 200, body, headers: { 'content-type': 'application/xml' } };
    const { storage } = await place(t, { plan: ({ method }) => (method === 'GET' ? fault : undefined) });
    await t.rejects(all(storage.list('')), { code: 'unavailable' }, title);
  }
});

t.test('S3: a page that fails for good ends the listing with an error', async (t) => {
  const { proxy, storage } = await place(t, { pageSize: 2 });
  for (const index of [1, 2, 3, 4, 5]) await storage.create(`a/${index}`, []);
  proxy.plan = ({ url }) => (url.includes('continuation-token') ? { kind: 'status', status: 500 } : undefined);
  await t.rejects(all(storage.list('a/')), { code: 'unavailable' });
  proxy.plan = first('GET', { kind: 'status', status: 500 });
  t.equal((await all(storage.list('a/'))).length, 5, 'one that fails once is asked for again');
});

t.test('S3: what a store refuses has its code and a hint', async (t) => {
  const refusals: [number, string, string, RegExp][] = [
    [403, 'AccessDenied', 'forbidden', /docs\/object-stores/],
    [403, 'InvalidAccessKeyId', 'forbidden', /AWS_ACCESS_KEY_ID/],
    [403, 'SignatureDoesNotMatch', 'forbidden', /secret is wrong/],
    [403, 'RequestTimeTooSkewed', 'forbidden', /clock/],
    [400, 'ExpiredToken', 'forbidden', /new ones/],
    [301, 'PermanentRedirect', 'usage', /region=eu-west-1/],
    [400, 'AuthorizationHeaderMalformed', 'usage', /region=eu-west-1/],
    [404, 'NoSuchBucket', 'no-repository', /lagan init/],
    [403, 'QuotaExceeded', 'no-space', /full/],
    [507, 'InsufficientStorage', 'no-space', /full/],
    [503, 'SlowDown', 'unavailable', /--limit-requests/],
    [429, 'TooManyRequests', 'unavailable', /--limit-requests/],
    [500, 'InternalError', 'unavailable', /later/],
    [403, 'InvalidObjectState', 'forbidden', /archiv/],
  ];
  for (const [status, word, code, hint] of refusals) {
    const body = errorXml(word, 'the words of the store');
    const headers = { 'x-amz-bucket-region': 'eu-west-1', 'content-type': 'application/xml' };
    const { storage } = await place(t, { plan: () => ({ kind: 'status', status, body, headers }) });
    const calls: (() => Promise<unknown>)[] = [
      () => storage.get(name),
      () => storage.create(name, [bytes(1)]),
      () => all(storage.list('')),
      () => storage.delete([name]),
    ];
    for (const call of calls) {
      await t.rejects(call, { code, hint }, `${status} ${word}`);
    }
  }
});

t.test('S3: credentials that expire are looked for anew', async (t) => {
  const { proxy, storage } = await place(t);
  await storage.create('a/1', []);
  t.teardown(() => {
    process.env.AWS_ACCESS_KEY_ID = 'tester';
  });
  process.env.AWS_ACCESS_KEY_ID = 'renewed';
  const headers = { 'content-type': 'application/xml' };
  proxy.plan = first('PUT', { kind: 'status', status: 400, body: errorXml('ExpiredToken'), headers });
  t.equal(await storage.create('a/2', []), 'created');
  const [, expired, renewed] = proxy.seen.filter(({ method }) => method === 'PUT');
  t.match(expired!.headers.authorization, /Credential=tester/);
  t.match(renewed!.headers.authorization, /Credential=renewed/);
});

t.test("S3: a clock that is off is set by the store's", async (t) => {
  const { proxy, storage } = await place(t);
  const time = new Date(Date.now() + 3 * 60 * 60 * 1000);
  const headers = { 'content-type': 'application/xml', date: time.toUTCString() };
  proxy.plan = first('PUT', { kind: 'status', status: 403, body: errorXml('RequestTimeTooSkewed'), headers });
  t.equal(await storage.create(name, []), 'created');
  const hourOf = (text: unknown) => String(text).slice(0, 11);
  const [, second] = proxy.seen.map((request) => hourOf(request.headers['x-amz-date']));
  const near = [-60_000, 0, 60_000].map((shift) => hourOf(new Date(time.getTime() + shift).toISOString().replaceAll(/[-:]/g, '')));
  t.ok(near.includes(second!), `${second} is the store's time`);
});

t.test('S3: a bucket that is missing is not an object that is missing', async (t) => {
  const { stub } = await place(t);
  const storage = new S3(`s3://absent?endpoint=${stub.endpoint}`, fast);
  t.teardown(() => storage.close());
  t.equal(await storage.state(), 'absent');
  await t.rejects(storage.get(name), { code: 'no-repository', found: 'absent' });
  await t.rejects(storage.size(name), { code: 'no-repository' });
  await t.rejects(storage.create(name, []), { code: 'no-repository' });
  await t.rejects(storage.delete([name]), { code: 'no-repository' });
  await t.rejects(all(storage.list('')), { code: 'no-repository' });
  await storage.prepare();
  t.equal(await storage.state(), 'empty');
  t.equal(await storage.create(name, []), 'created');
});

t.test('S3: a store that is not there', async (t) => {
  const stub = await new S3Stub().start();
  const { endpoint } = stub;
  await stub.stop();
  await t.rejects(new S3(`s3://bucket?endpoint=${endpoint}`, fast).state(), { code: 'unavailable', hint: /port/ });
  await t.rejects(new S3('s3://bucket?endpoint=http://no-such-host.invalid', fast).state(), { code: 'unavailable', hint: /spelling/ });
  await t.rejects(new S3(`s3://bucket?endpoint=${endpoint.replace('http', 'https')}&ca=/no/such/file`, fast).state(), { code: 'usage' });
});

t.test('S3: TLS with nobody who speaks it, or with an unknown authority', async (t) => {
  const { stub } = await place(t);
  const storage = new S3(`s3://bucket?endpoint=${stub.endpoint.replace('http:', 'https:')}`, fast);
  await t.rejects(storage.state(), { code: 'unavailable', hint: /ca=FILE|http:/ });
});

t.test('S3: without credentials', async (t) => {
  const { stub } = await place(t);
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, HOME } = process.env;
  delete process.env.AWS_ACCESS_KEY_ID;
  delete process.env.AWS_SECRET_ACCESS_KEY;
  process.env.HOME = t.testdir();
  t.teardown(() => Object.assign(process.env, { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, HOME }));
  await t.rejects(new S3(`s3://bucket?endpoint=${stub.endpoint}`, fast).state(), { code: 'forbidden', hint: /AWS_PROFILE/ });
});

t.test('S3: an interruption ends a request that nobody answers at once', async (t) => {
  const { proxy } = await place(t);
  proxy.plan = () => ({ kind: 'stall' });
  const storage = new S3(`s3://bucket?endpoint=${proxy.endpoint}`);
  t.teardown(() => storage.close());
  const calls: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
    get: (signal) => storage.get(name, undefined, { signal }),
    create: (signal) => storage.create(name, [new Uint8Array(3_000_000)], { signal }),
    list: (signal) => all(storage.list('', { signal })),
    delete: (signal) => storage.delete([name], { signal }),
    commit: async (signal) => {
      const writer = await storage.createWriter(name, { signal });
      await writer.append([bytes(1)]);
      await writer.commit();
    },
  };
  for (const [title, call] of Object.entries(calls)) {
    const before = proxy.seen.length;
    const controller = new AbortController();
    const ended = t.rejects(call(controller.signal), { code: 'interrupted' }, title);
    while (proxy.seen.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    await ended;
  }
});

t.test('S3: an interruption ends a body that came to a halt, and a pause before the next attempt', async (t) => {
  const { stub, proxy } = await place(t);
  stub.put('bucket', name, randomBytes(200_000));
  const storage = new S3(`s3://bucket?endpoint=${proxy.endpoint}`, { retries: { firstPauseMs: 1_000_000, longestPauseMs: 1_000_000 } });
  t.teardown(() => storage.close());
  for (const fault of [
    { kind: 'halt', bytes: 1000 },
    { kind: 'status', status: 500 },
  ] as const) {
    proxy.plan = () => fault;
    const before = proxy.seen.length;
    const controller = new AbortController();
    const ended = t.rejects(storage.get(name, undefined, { signal: controller.signal }), { code: 'interrupted' });
    while (proxy.seen.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
    setTimeout(() => controller.abort(), 50);
    await ended;
  }
});

t.test('S3: an object that is large goes up in parts, each tried again by itself', async (t) => {
  const { partSizeBytes } = storageLimits.s3;
  const content = new Uint8Array(randomBytes(partSizeBytes + 1000));
  let faults = 2;
  const { stub, proxy, storage } = await place(t, {
    s3: patient,
    plan: ({ url }) => (/partNumber=1/.test(url) && faults-- > 0 ? { kind: 'status', status: 500 } : undefined),
  });
  const writer = await storage.createWriter(name);
  for (let offset = 0; offset < content.length; offset += 3_000_000) await writer.append([content.subarray(offset, offset + 3_000_000)]);
  t.equal(await writer.commit(), 'created');
  t.equal(Buffer.compare(stub.object('bucket', `some/prefix/${name}`)!, content), 0);
  t.equal(proxy.count('PUT', /partNumber=1/), 3);
  t.equal(proxy.count('PUT', /partNumber=2/), 1);
  t.equal(stub.uploads.size, 0);
});

t.test('S3: an object that just fits is one request', async (t) => {
  const { proxy, storage } = await place(t, { s3: patient });
  t.equal(await storage.create(name, [new Uint8Array(storageLimits.s3.partSizeBytes)]), 'created');
  t.equal(proxy.count('PUT'), 1);
  t.equal(proxy.count('POST'), 0);
});

t.test('S3: a large object whose last answer is lost is ours, and another one there is not', async (t) => {
  const content = new Uint8Array(storageLimits.s3.partSizeBytes + 1);
  for (const fault of [{ kind: 'reset', after: true }, { kind: 'status', status: 500, after: true }, { kind: 'twice' }] as const) {
    let faults = 1;
    const { storage } = await place(t, {
      s3: patient,
      plan: ({ method, url }) => (method === 'POST' && /uploadId/.test(url) && faults-- > 0 ? fault : undefined),
    });
    t.equal(await storage.create(name, [content]), 'created', JSON.stringify(fault));
  }
  const { stub, storage } = await place(t, { s3: patient });
  stub.put('bucket', `some/prefix/${name}`, bytes(1));
  t.equal(await storage.create(name, [content]), 'exists');
  t.equal(stub.uploads.size, 0, 'nothing is left of the upload');
});

t.test('S3: an abort, an error and an interruption end the upload of a large object', async (t) => {
  const part = new Uint8Array(storageLimits.s3.partSizeBytes + 1);
  const { stub, proxy, storage } = await place(t, { s3: patient });
  const aborted = await storage.createWriter(name);
  await aborted.append([part]);
  await aborted.abort();
  t.equal(stub.uploads.size, 0, 'abort');
  proxy.plan = ({ url }) => (/partNumber/.test(url) ? { kind: 'status', status: 403, body: errorXml('AccessDenied') } : undefined);
  await t.rejects(storage.create(name, [part]), { code: 'forbidden' });
  t.equal(stub.uploads.size, 0, 'error');
  const controller = new AbortController();
  proxy.plan = ({ url }) => (/partNumber/.test(url) ? { kind: 'stall' } : undefined);
  const ended = t.rejects(storage.create(name, [part], { signal: controller.signal }), { code: 'interrupted' });
  while (proxy.count('PUT', /partNumber/) < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  controller.abort();
  await ended;
  t.equal(stub.uploads.size, 0, 'interruption');
});

t.test('S3: removeLitter ends uploads that nobody has added to for a day', async (t) => {
  const { stub, storage } = await place(t);
  const old = new Date(Date.now() - 25 * 60 * 60 * 1000);
  const upload = (key: string, begun: Date, at?: Date) =>
    stub.uploads.set(key, { key, mark: undefined, begun, parts: new Map(at ? [[1, { bytes: Buffer.alloc(1), at }]] : []) });
  upload('some/prefix/writer/packs/aa/old', old);
  upload('some/prefix/writer/packs/aa/dead', old, old);
  upload('some/prefix/writer/packs/aa/alive', old, new Date());
  upload('some/prefix/writer/packs/aa/new', new Date());
  upload('elsewhere/old', old);
  t.equal(await storage.removeLitter(), 2);
  t.same([...stub.uploads.keys()].sort(), ['elsewhere/old', 'some/prefix/writer/packs/aa/alive', 'some/prefix/writer/packs/aa/new']);
});

t.test('S3: deletion tells of what could not be deleted, after trying all', async (t) => {
  const { stub, proxy, storage } = await place(t);
  for (const index of [1, 2, 3]) await storage.create(`a/${index}`, []);
  proxy.plan = ({ url }) => {
    if (!url.includes('delete')) return undefined;
    const deleted = `<Deleted><Key>some/prefix/a/1</Key></Deleted><Error><Key>some/prefix/a/2</Key><Code>AccessDenied</Code><Message>no</Message></Error>`;
    return {
      kind: 'status',
      status: 200,
      body: `<DeleteResult>${deleted}<Deleted><Key>some/prefix/a/3</Key></Deleted></DeleteResult>`,
      after: true,
    };
  };
  await t.rejects(storage.delete(['a/1', 'a/2', 'a/3']), { code: 'forbidden' });
  t.same(stub.keys('bucket'), []);
});

t.test('S3: deletion of more than a thousand objects', async (t) => {
  const { stub, proxy, storage } = await place(t);
  const names = Array.from({ length: 2100 }, (_, index) => `a/${index}`);
  for (const entry of names) stub.put('bucket', `some/prefix/${entry}`, bytes(1));
  await storage.delete(names);
  t.same(stub.keys('bucket'), []);
  t.equal(proxy.count('POST', /delete/), 3);
});

t.test('S3: a store in trouble is not flooded: the budget of retries ends', async (t) => {
  const { proxy } = await place(t);
  proxy.plan = () => ({ kind: 'status', status: 500 });
  const storage = new S3(`s3://bucket?endpoint=${proxy.endpoint}`, {
    retries: { attempts: 10, firstPauseMs: 1, longestPauseMs: 1, budget: 5 },
  });
  t.teardown(() => storage.close());
  const calls = await Promise.allSettled(Array.from({ length: 10 }, () => storage.get(name)));
  t.ok(calls.every(({ status }) => status === 'rejected'));
  t.equal(proxy.seen.length, 15);
});

t.test('S3: the storage class is that of packs, encryption that of all', async (t) => {
  const { proxy } = await place(t);
  const url = `s3://bucket/p?endpoint=${proxy.endpoint}&storage-class=STANDARD_IA&sse=aws:kms&kms-key=key`;
  const storage = new S3(url, fast);
  t.teardown(() => storage.close());
  for (const entry of [name, 'owner/format']) await storage.create(entry, [bytes(1)]);
  const [pack, format] = proxy.seen.map(({ headers }) => headers);
  t.match(pack, {
    'x-amz-storage-class': 'STANDARD_IA',
    'x-amz-server-side-encryption': 'aws:kms',
    'x-amz-server-side-encryption-aws-kms-key-id': 'key',
  });
  t.equal(format!['x-amz-storage-class'], undefined);
  t.equal(format!['x-amz-server-side-encryption'], 'aws:kms');
  t.match(pack!['x-amz-checksum-crc32'], /^[\w+/]{6}==$/);
  t.equal(pack!['if-none-match'], '*');
});

t.test('S3: URLs', async (t) => {
  const location = (url: string) => openStorage(url).location;
  t.equal(location('s3://bucket'), 's3://bucket');
  t.equal(location('s3://bucket/'), 's3://bucket');
  t.equal(location('S3://bucket//a//b/'), 's3://bucket/a/b');
  t.equal(location('s3://bucket/a%20b?region=eu-west-1'), 's3://bucket/a%20b?region=eu-west-1');
  t.equal(location('s3://bucket?endpoint=http%3A%2F%2Fhost%3A9000%2F'), 's3://bucket?endpoint=http://host:9000');
  t.equal(location('s3://bucket?path-style=true&endpoint=https://host'), 's3://bucket?endpoint=https://host');
  t.equal(location('s3://bucket?path-style=false&endpoint=https://host'), 's3://bucket?endpoint=https://host&path-style=false');
  t.equal(
    location('s3://bucket?ca=/etc/ca.pem&profile=p&connections=4&checksum=none'),
    's3://bucket?profile=p&ca=/etc/ca.pem&checksum=none&connections=4',
  );
  for (const url of [
    's3:bucket',
    's3://',
    's3:///prefix',
    's3://a',
    's3://bucket/..%2f..',
    's3://bucket/%zz',
    's3://bucket?regio=x',
    's3://bucket?region=',
    's3://bucket?region=a&region=b',
    's3://bucket?endpoint=host:9000',
    's3://bucket?endpoint=ftp://host',
    's3://bucket?path-style=yes',
    's3://bucket?storage-class=DEEP_ARCHIVE',
    's3://bucket?sse=rot13',
    's3://bucket?sse=AES256&kms-key=k',
    's3://bucket?connections=0',
    's3://bucket#x',
    `s3://bucket/${'x'.repeat(701)}`,
  ]) {
    t.throws(() => openStorage(url), { code: 'usage' }, url);
  }
});

t.test('S3: secrets in a URL are refused and not repeated', async (t) => {
  for (const url of ['s3://KEY:SECRETSECRET@bucket/a', 's3://SECRETSECRET@bucket', 's3://bucket?endpoint=http://u:SECRETSECRET@host']) {
    let error: unknown;
    t.throws(() => openStorage(url), { code: 'usage', hint: /AWS_SECRET_ACCESS_KEY/ });
    try {
      openStorage(url);
    } catch (thrown) {
      error = thrown;
    }
    t.notMatch(`${(error as Error).message} ${(error as Error).stack}`, /SECRETSECRET/);
  }
});
