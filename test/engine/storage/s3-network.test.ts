/** TLS, authorities and proxies between a client and an S3 server. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { S3, type S3Options } from '../../../engine/storage/mod.ts';
import { S3Stub } from './s3-stub.ts';

Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'tester', AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: 'us-east-1' });
for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy']) delete process.env[name];

const fast: S3Options = { retries: { attempts: 2, firstPauseMs: 1, longestPauseMs: 1 } };
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const skip = hasOpenssl ? false : 'no openssl to make a certificate with';

interface Server {
  readonly port: number;
  readonly connections: () => number;
}

/** Listens until the test ends; `count` of what came. */
async function listen(t: Test, server: net.Server): Promise<Server> {
  let connections = 0;
  server.on('connection', (socket) => {
    connections++;
    socket.on('error', () => undefined);
    t.teardown(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return { port: (server.address() as net.AddressInfo).port, connections: () => connections };
}

/** A stub behind TLS, and the file of its certificate. */
async function secureStub(t: Test): Promise<{ server: Server; certificate: string }> {
  const stub = await new S3Stub().start();
  stub.makeBucket('bucket');
  t.teardown(() => stub.stop());
  const folder = t.testdir();
  const [key, certificate] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  spawnSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate, ...subject]);
  const options = { key: readFileSync(key), cert: readFileSync(certificate) };
  const server = tls.createServer(options, (socket) => pipeTo(socket, stub.port));
  return { server: await listen(t, server), certificate };
}

function pipeTo(socket: net.Socket, port: number): void {
  const target = net.connect(port, '127.0.0.1');
  for (const end of [socket, target]) end.on('error', () => undefined);
  socket.pipe(target).pipe(socket);
}

t.test('S3: an authority that is not trusted is told of, and trusted by ca=FILE', { skip }, async (t) => {
  const { server, certificate } = await secureStub(t);
  const endpoint = `https://127.0.0.1:${server.port}`;
  await t.rejects(new S3(`s3://bucket?endpoint=${endpoint}`, fast).state(), { code: 'unavailable', hint: /ca=FILE/ });
  const storage = new S3(`s3://bucket?endpoint=${endpoint}&ca=${certificate}`, fast);
  t.equal(await storage.state(), 'empty');
  const large = new Uint8Array(3_000_000).fill(7);
  t.equal(await storage.create('writer/packs/aa/a', [large]), 'created');
  t.equal(Buffer.compare(await storage.get('writer/packs/aa/a'), large), 0);
  await storage.close();
});

t.test('S3: HTTPS_PROXY and NO_PROXY count', { skip }, async (t) => {
  const { server, certificate } = await secureStub(t);
  const asked: (string | undefined)[] = [];
  const proxy = http.createServer().on('connect', (request, socket: net.Socket) => {
    asked.push(request.url);
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    pipeTo(socket, server.port);
  });
  const { port } = await listen(t, proxy);
  process.env.HTTPS_PROXY = `http://127.0.0.1:${port}`;
  t.teardown(() => {
    delete process.env.HTTPS_PROXY;
    delete process.env.NO_PROXY;
  });
  const url = `s3://bucket?endpoint=https://localhost:${server.port}&ca=${certificate}`;
  const storage = new S3(url, fast);
  t.equal(await storage.create('a/b', [Uint8Array.of(1)]), 'created');
  await storage.close();
  t.same(asked, [`localhost:${server.port}`]);
  process.env.NO_PROXY = 'localhost';
  const direct = new S3(url, fast);
  t.equal(await direct.size('a/b'), 1);
  await direct.close();
  t.equal(asked.length, 1);
});

t.test('S3: a certificate file that is none', async (t) => {
  const folder = t.testdir({ 'empty.pem': 'nothing' });
  const storage = new S3(`s3://bucket?endpoint=https://127.0.0.1:1&ca=${path.join(folder, 'empty.pem')}`, fast);
  await t.rejects(storage.state(), { code: 'usage', hint: /PEM/ });
});
