import { randomBytes } from 'node:crypto';
import {
  BlobServiceClient,
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import t from 'tap';
import { TransferLimits } from '../../../engine/storage/_transfer-limits.ts';
import { AzureContainer } from '../../../engine/storage/azure.ts';
import { openStorage } from '../../../engine/storage/mod.ts';
import { storageConformance } from '../../conformance/storage.ts';
import { Line } from './line.ts';
import { type Azurite, findAzurite, serverThatAnswers, startAzurite } from './servers.ts';
import { expectAbortsAtOnce } from './stalled.ts';

const found = findAzurite();
const limits = new TransferLimits();
const few = { attempts: 3, firstPauseMs: 1 };
const object = new Uint8Array(randomBytes(20 * 1024 * 1024 + 5));
let places = 0;

if ('skip' in found) {
  t.test('AzureContainer: against azurite', { skip: found.skip }, async () => undefined);
} else {
  const azurite = await startAzurite(t, found.file);
  useKey(azurite.key);
  storageConformance(t, {
    makeStorage: async () => {
      const storage = openStorage(urlOf(azurite));
      await storage.prepare();
      return storage;
    },
  });
  testsWith(azurite);
}

function urlOf({ account, port }: Azurite, { container = 'test', prefix = `place-${places++}` } = {}): string {
  return `az://${account}/${container}/${prefix}?endpoint=http://127.0.0.1:${port}/${account}`;
}

function useKey(key: string): void {
  for (const name of ['AZURE_STORAGE_SAS_TOKEN', 'AZURE_STORAGE_CONNECTION_STRING']) delete process.env[name];
  process.env.AZURE_STORAGE_KEY = key;
}

function testsWith(azurite: Azurite): void {
  t.test('AzureContainer: a container that is missing is told of by every call, and prepare makes it', async (t) => {
    const storage = openStorage(urlOf(azurite, { container: 'missing', prefix: 'a/b' }));
    const absent = { code: 'no-repository', hint: /lagan init/ };
    t.equal(await storage.state(), 'absent');
    await t.rejects(storage.get('a/b'), absent);
    await t.rejects(storage.size('a/b'), absent);
    await t.rejects(storage.create('a/b', [object.subarray(0, 5)]), absent);
    await t.rejects(storage.create('a/b', [object]), absent);
    await t.rejects(storage.delete(['a/b']), absent);
    await t.rejects(async () => storage.list('')[Symbol.asyncIterator]().next(), absent);
    await storage.prepare();
    t.equal(await storage.state(), 'empty');
    await storage.create('a/b', []);
    t.equal(await openStorage(urlOf(azurite, { container: 'missing', prefix: 'a' })).state(), 'occupied');
    t.equal(await openStorage(urlOf(azurite, { container: 'missing', prefix: 'a/bc' })).state(), 'empty', 'a prefix is a folder');
  });

  t.test('AzureContainer: a large object goes in blocks; of two writers one creates it', async (t) => {
    const storage = await prepared(azurite);
    const writers = [await storage.createWriter('a/large'), await storage.createWriter('a/large')];
    for (const writer of writers)
      for (let at = 0; at < object.length; at += 1_000_000) await writer.append([object.subarray(at, at + 1_000_000)]);
    t.same(await storage.state(), 'empty');
    const outcomes = await Promise.all(writers.map((writer) => writer.commit()));
    t.same(outcomes.toSorted(), ['created', 'exists']);
    t.equal(Buffer.compare(await storage.get('a/large'), object), 0);
    t.equal(await storage.create('a/large', [object]), 'exists');
    t.equal(await storage.create('a/other', [object.subarray(0, 10_000_000), object.subarray(10_000_000)]), 'created');
    t.equal(Buffer.compare(await storage.get('a/other', { last: 12_000_000 }), object.subarray(-12_000_000)), 0);
  });

  t.test('AzureContainer: a SAS token to create, read and list can neither overwrite nor delete', async (t) => {
    const { port, account, key } = azurite;
    const service = `http://127.0.0.1:${port}/${account}`;
    const sas = generateBlobSASQueryParameters(
      { containerName: 'test', permissions: ContainerSASPermissions.parse('rcl'), expiresOn: new Date(Date.now() + 3_600_000) },
      new StorageSharedKeyCredential(account, key),
    ).toString();
    delete process.env.AZURE_STORAGE_KEY;
    process.env.AZURE_STORAGE_SAS_TOKEN = sas;
    t.teardown(() => useKey(key));
    const storage = openStorage(urlOf(azurite, { prefix: 'sas' }));
    t.equal(await storage.create('writer/small', [object.subarray(0, 10)]), 'created');
    await t.rejects(
      storage.create('writer/large', [object.subarray(0, 9_000_000)]),
      { code: 'forbidden' },
      'blocks need Write, which overwrites',
    );
    await t.rejects(
      storage.create('writer/small', [object.subarray(0, 11)]),
      { code: 'forbidden' },
      'Create is for names that nothing has',
    );
    await t.rejects(storage.delete(['writer/small']), { code: 'forbidden' });
    const raw = new BlobServiceClient(`${service}?${sas}`).getContainerClient('test').getBlockBlobClient('sas/writer/small');
    const refused = await raw.upload('x', 1).catch((error: unknown) => error);
    t.match(refused, { statusCode: 403 }, 'not even without a condition');
    t.equal((await storage.get('writer/small')).length, 10);
  });

  t.test('AzureContainer: a wrong key is forbidden, and an account that is none is unavailable soon', async (t) => {
    const url = urlOf(azurite);
    useKey(randomBytes(32).toString('base64'));
    t.teardown(() => useKey(azurite.key));
    const storage = openStorage(url);
    const forbidden = { code: 'forbidden', hint: /AZURE_STORAGE_KEY/ };
    await t.rejects(storage.state(), forbidden);
    await t.rejects(storage.get('a/b'), forbidden);
    await t.rejects(storage.create('a/b', []), forbidden);
    await t.rejects(async () => storage.list('')[Symbol.asyncIterator]().next(), forbidden);
    const nowhere = new AzureContainer(`az://x/y?endpoint=http://127.0.0.1:1`, { limits, retries: { firstPauseMs: 1 } });
    await t.rejects(nowhere.state(), { code: 'unavailable' });
  });

  t.test('AzureContainer: a SAS token and a connection string let in as well', async (t) => {
    const {
      BlobServiceClient,
      StorageSharedKeyCredential,
      AccountSASPermissions,
      AccountSASResourceTypes,
      AccountSASServices,
      generateAccountSASQueryParameters,
      SASProtocol,
    } = await import('@azure/storage-blob');
    const endpoint = `http://127.0.0.1:${azurite.port}/${azurite.account}`;
    const credential = new StorageSharedKeyCredential(azurite.account, azurite.key);
    const token = generateAccountSASQueryParameters(
      {
        expiresOn: new Date(Date.now() + 3_600_000),
        permissions: AccountSASPermissions.parse('rwdlac'),
        resourceTypes: AccountSASResourceTypes.parse('sco').toString(),
        services: AccountSASServices.parse('b').toString(),
        protocol: SASProtocol.HttpsAndHttp,
      },
      credential,
    ).toString();
    t.teardown(() => useKey(azurite.key));
    t.ok(new BlobServiceClient(endpoint, credential));
    for (const [name, value] of [
      ['AZURE_STORAGE_SAS_TOKEN', token],
      [
        'AZURE_STORAGE_CONNECTION_STRING',
        `DefaultEndpointsProtocol=http;AccountName=${azurite.account};AccountKey=${azurite.key};BlobEndpoint=${endpoint}`,
      ],
    ] as const) {
      for (const other of ['AZURE_STORAGE_KEY', 'AZURE_STORAGE_SAS_TOKEN', 'AZURE_STORAGE_CONNECTION_STRING']) delete process.env[other];
      process.env[name] = value;
      const storage = await prepared(azurite);
      t.equal(await storage.create('a/b', [object.subarray(0, 5)]), 'created', name);
      t.same(await storage.get('a/b'), object.subarray(0, 5));
      for (const secret of [azurite.key, 'sig='])
        t.notOk(JSON.stringify(storage.describe()).includes(secret), 'a description holds no secret');
    }
    process.env.AZURE_STORAGE_CONNECTION_STRING = 'nonsense';
    await t.rejects(openStorage(urlOf(azurite)).state(), { code: 'usage' });
    process.env.AZURE_STORAGE_CONNECTION_STRING = `DefaultEndpointsProtocol=http;AccountName=${azurite.account};AccountKey=${azurite.key};BlobEndpoint=${endpoint}`;
    const other = openStorage(`az://other/test?endpoint=${endpoint}`);
    await t.rejects(other.state(), { code: 'usage' }, 'a connection string of another account');
  });

  t.test('AzureContainer: the answer to a creation is lost: it is known who created the object', async (t) => {
    const line = await Line.start(t, azurite.port);
    const through = { ...azurite, port: line.port };
    const storage = new AzureContainer(urlOf(through), { limits, retries: few });
    await storage.prepare();
    line.loseAnswer();
    t.equal(await storage.create('a/small', [object.subarray(0, 100)]), 'created', 'the mark is ours');
    t.same(await storage.get('a/small'), object.subarray(0, 100));
    line.loseAnswer();
    t.equal(await storage.create('a/small', [object.subarray(0, 100)]), 'exists', 'the mark is of somebody else');
    const writer = await storage.createWriter('a/large');
    await writer.append([object]);
    const before = line.answers;
    t.equal(await writer.commit(), 'created');
    const answers = line.answers - before;
    for (let lost = 1; lost <= answers; lost++) {
      const again = await storage.createWriter(`a/large-${lost}`);
      await again.append([object]);
      line.loseAnswer(lost);
      t.equal(await again.commit(), 'created', `answer ${lost} of ${answers} was lost`);
      t.equal(await storage.size(`a/large-${lost}`), object.length);
    }
  });

  t.test('AzureContainer: a connection that is lost in the middle of a download is made anew', async (t) => {
    const line = await Line.start(t, azurite.port);
    const storage = new AzureContainer(urlOf({ ...azurite, port: line.port }), { limits, retries: few });
    await storage.prepare();
    await storage.create('a/b', [object]);
    for (const lost of [1, 2, 5]) {
      line.loseAnswer(lost);
      t.equal(Buffer.compare(await storage.get('a/b'), object), 0);
    }
  });

  t.test('AzureContainer: an abort during a stalled request answers at once', async (t) => {
    const line = await Line.start(t, azurite.port);
    const storage = new AzureContainer(urlOf({ ...azurite, port: line.port }), { limits });
    await storage.prepare();
    await storage.create('a/b', [object.subarray(0, 10)]);
    const writer = await storage.createWriter('a/c', {});
    await writer.append([object]);
    line.stall();
    await expectAbortsAtOnce(t, storage, object);
    await writer.abort();
  });
}

t.test('AzureContainer: what answers of a service mean', async (t) => {
  useKey(randomBytes(32).toString('base64'));
  const answers = [
    [403, 'AuthorizationPermissionMismatch', 'forbidden'],
    [409, 'BlobImmutableDueToPolicy', 'forbidden'],
    [404, 'BlobNotFound', 'not-found'],
    [404, 'ContainerNotFound', 'no-repository'],
    [409, 'ContainerBeingDeleted', 'unavailable'],
    [503, 'ServerBusy', 'unavailable'],
    [500, 'InternalError', 'unavailable'],
    [400, 'InvalidHeaderValue', 'io'],
  ] as const;
  for (const [status, service, code] of answers) {
    const port = await serverThatAnswers(t, { status, headers: { 'x-ms-error-code': service } });
    const storage = new AzureContainer(`az://x/y?endpoint=http://127.0.0.1:${port}/x`, { limits, retries: few });
    await t.rejects(
      storage.delete(['a/b']).then(() => storage.size('a/b')),
      { code: service === 'BlobNotFound' ? /not-found|no-repository/ : code },
      service,
    );
  }
});

t.test('AzureContainer: URLs that are none', async (t) => {
  for (const url of [
    'az://',
    'az://account',
    'az://account/c?region=x',
    'az://a:secret@account/c',
    'az://account/c?endpoint=ftp://x',
    'az://account/c/../d%2Fe',
  ]) {
    t.throws(() => openStorage(url), { code: 'usage' }, url);
  }
  t.throws(() => openStorage('az://a:secret@account/c'), { message: /^((?!secret).)*$/ });
  t.equal(openStorage('az://account/c/a/b').location, 'az://account/c/a/b');
});

async function prepared(azurite: Azurite): Promise<ReturnType<typeof openStorage>> {
  const storage = openStorage(urlOf(azurite));
  await storage.prepare();
  return storage;
}
