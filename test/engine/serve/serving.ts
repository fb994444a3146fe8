/** A server of the tests, on loopback, and those who may come to it. */
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import type { Test } from 'tap';
import type { Quota } from '../../../engine/serve/mod.ts';
import {
  type CertificateAndKey,
  fingerprintOf,
  type NetworkServeOptions,
  type Role,
  type ServedAccess,
  selfSignedCertificate,
  serve,
  TokenFile,
} from '../../../engine/serve/mod.ts';
import { openStorage, type Storage } from '../../../engine/storage/mod.ts';
import { type ObjectKind, objectIdOf, objectKinds, sealedFooter, sealedHeader } from '../../../repo-format/mod.ts';
import { scratchFolder } from '../storage/servers.ts';

/** Making a key takes a while: one for all. */
export const certificate: CertificateAndKey = selfSignedCertificate(['localhost', '127.0.0.1']);
export const fingerprint = fingerprintOf(certificate.certificate);
export const everything: readonly Role[] = ['owner', 'collector', 'writer'];

export interface Serving {
  readonly folder: string;
  readonly repository: string;
  readonly address: string;
  readonly port: number;
  readonly tokens: TokenFile;
  readonly accesses: ServedAccess[];
  /** A token with these roles, in a file. */
  token(name: string, roles: readonly Role[], options?: { quota?: Quota; below?: string }): string;
  url(tokenFile: string, below?: string): string;
  open(tokenFile: string, below?: string): Storage;
  close(): Promise<void>;
}

export async function startServing(t: Test, options: Partial<NetworkServeOptions> = {}): Promise<Serving> {
  const folder = scratchFolder(t);
  const repository = path.join(folder, 'repository');
  fs.mkdirSync(repository);
  const tokens = new TokenFile(path.join(folder, 'tokens.json'));
  const accesses: ServedAccess[] = [];
  const server = await serve({
    place: repository,
    appendOnly: false,
    usageFolder: path.join(folder, 'usage'),
    host: '127.0.0.1',
    port: 0,
    certificate,
    tokens,
    onAccess: (access) => accesses.push(access),
    ...options,
    limits: { graceMs: 500, ...options.limits },
  });
  t.teardown(() => server.close());
  const { address } = server;
  const url = (tokenFile: string, below = '') => `https://${address}/${below}?fingerprint=${fingerprint}&token-file=${tokenFile}`;
  return {
    folder,
    repository,
    address,
    port: Number(address.split(':')[1]),
    tokens,
    accesses,
    token: (name, roles, { quota = {}, below = '' } = {}) => {
      const file = path.join(folder, `${name}.token`);
      fs.writeFileSync(file, tokens.add({ name, roles, repository: below.split('/').filter((part) => part !== ''), quota }));
      return file;
    },
    url,
    open: (tokenFile, below) => {
      const storage = openStorage(url(tokenFile, below));
      t.teardown(() => storage.close());
      return storage;
    },
    close: () => server.close(),
  };
}

export interface RawAnswer {
  readonly status: number;
  readonly code: string | undefined;
  readonly body: string;
}

/** A request as no client of ours would send it. */
export function rawRequest(
  { port }: { port: number },
  {
    method,
    path: requestPath,
    token,
    headers = {},
    body,
  }: { method: string; path: string; token?: string; headers?: Record<string, string>; body?: Uint8Array },
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const request = https.request({
      host: '127.0.0.1',
      port,
      method,
      path: requestPath,
      rejectUnauthorized: false,
      agent: false,
      headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers },
    });
    request.on('error', reject).on('response', async (response) => {
      const pieces: Buffer[] = [];
      for await (const piece of response) pieces.push(piece as Buffer);
      resolve({
        status: response.statusCode!,
        code: response.headers['lagan-error'] as string | undefined,
        body: Buffer.concat(pieces).toString(),
      });
    });
    request.end(body);
  });
}

export function checksumOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export const repositoryId: Uint8Array = new Uint8Array(randomBytes(16));

/** What a sealed object looks like to whoever has no key: a header, segments, and for packs and index tables a footer. */
export function sealedBytes(
  name: string,
  kind: ObjectKind,
  {
    segments = [100],
    id = repositoryId,
    objectId = objectIdOf(name),
  }: { segments?: readonly number[]; id?: Uint8Array; objectId?: Uint8Array } = {},
): Buffer {
  const parts: Uint8Array[] = [sealedHeader({ kind, epoch: 1, repositoryId: id, objectId, salt: randomBytes(32) })];
  let offset = 80;
  let contents = { offset, length: 0 };
  for (const length of segments) {
    const field = Buffer.alloc(4);
    field.writeUInt32LE(length);
    parts.push(field, randomBytes(length));
    contents = { offset, length };
    offset += 4 + length;
  }
  const isFooted = objectKinds[kind] === 1 || kind === 'metadata-pack' || kind === 'index-table';
  return Buffer.concat(isFooted ? [...parts, sealedFooter(contents)] : parts);
}

/** The name of a new pack of a writer. */
export function packName(): string {
  const id = randomBytes(16);
  id[0]! &= 0x7f;
  const hex = id.toString('hex');
  return `writer/packs/${hex.slice(0, 2)}/${hex}`;
}

/** All objects and all that is unfinished. */
export function filesBelow(folder: string): string[] {
  return (fs.readdirSync(folder, { recursive: true }) as string[]).filter((name) => fs.statSync(path.join(folder, name)).isFile()).sort();
}
