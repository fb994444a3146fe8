/** The URLs of repositories that `lagan serve` holds. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { LaganError } from '../../repo-format/mod.ts';
import { type PlaceUrl, parsePlaceUrl } from './_place-url.ts';
import { storageLimits } from './limits.ts';
import { isPathPart } from './served-protocol.ts';

/** How the server is reached, and as whom. */
export type ServedPlace = NetworkPlace | CommandPlace;

export interface NetworkPlace {
  readonly kind: 'network';
  readonly protocol: 'https:' | 'http:';
  readonly host: string;
  readonly port: number;
  readonly repository: readonly string[];
  /** SHA-256 of the certificate, lower-case hexadecimal. */
  readonly fingerprint: string | undefined;
  /** Absolute path of a file of certificates. */
  readonly certificates: string | undefined;
  /** Absolute path of a file that holds the token. */
  readonly tokenFile: string | undefined;
  readonly connections: number;
}

export interface CommandPlace {
  readonly kind: 'command';
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly repository: readonly string[];
}

const networkForm = 'https://HOST:PORT/REPOSITORY?fingerprint=SHA256';
const sshForm = 'ssh://USER@HOST:PORT/REPOSITORY';
const defaultPort = 8471;
const remoteCommand = 'lagan serve --stdio';

/** Errors: `usage`. */
export function servedPlaceOf(url: string): ServedPlace {
  if (/^exec:/i.test(url)) return execPlace(url);
  return /^ssh:/i.test(url) ? sshPlace(url) : networkPlace(url);
}

function networkPlace(url: string): NetworkPlace {
  const place = parsePlaceUrl(url, { form: networkForm, parameters: ['fingerprint', 'ca', 'token-file', 'connections'] });
  const protocol = /^https:/i.test(url) ? 'https:' : 'http:';
  const host = place.host.replace(/^\[(.*)\]$/, '$1');
  if (host === '') throw wrong(url, 'it names no host', networkForm);
  if (place.user !== '') throw wrong(url, 'a user has no place in it: the token says who you are', networkForm);
  if (protocol === 'http:' && !isLoopback(host)) {
    throw wrong(
      url,
      'http: is for this machine only, because anybody on the way could read the token and change what is sent',
      networkForm,
    );
  }
  const option = (name: string) => place.parameters.get(name);
  const absolute = (name: string) => (option(name) === undefined ? undefined : path.resolve(option(name)!));
  return {
    kind: 'network',
    protocol,
    host,
    port: portOf(url, place, protocol),
    repository: repositoryOf(url, place, networkForm),
    fingerprint: fingerprintOf(url, option('fingerprint')),
    certificates: absolute('ca'),
    tokenFile: absolute('token-file'),
    connections: connectionsOf(url, option('connections')),
  };
}

/** URLs drop the port that is usual for their scheme: it is asked for all the same where somebody wrote it. */
function portOf(url: string, { port }: PlaceUrl, protocol: 'https:' | 'http:'): number {
  if (port !== undefined) return port;
  const [, written] = /^[a-z]+:\/\/(?:\[[^\]]*\]|[^/:?#]*):([0-9]+)/i.exec(url) ?? [];
  return written === undefined ? defaultPort : protocol === 'https:' ? 443 : 80;
}

function sshPlace(url: string): CommandPlace {
  const place = parsePlaceUrl(url, { form: sshForm, parameters: [] });
  const host = place.host.replace(/^\[(.*)\]$/, '$1');
  if (host === '' || host.startsWith('-') || place.user.startsWith('-')) throw wrong(url, 'it names no host', sshForm);
  const program = (process.env.LAGAN_SSH ?? 'ssh').split(' ').filter((word) => word !== '');
  const options = ['-T', '-o', 'BatchMode=yes', '-o', 'ServerAliveInterval=30'];
  const port = place.port === undefined ? [] : ['-p', String(place.port)];
  const target = place.user === '' ? host : `${place.user}@${host}`;
  return {
    kind: 'command',
    command: [...program, ...options, ...port, '--', target, remoteCommand],
    repository: repositoryOf(url, place, sshForm),
  };
}

function execPlace(url: string): CommandPlace {
  const command = url.slice('exec:'.length).trim();
  if (command === '') throw wrong(url, 'it names no command', 'exec:COMMAND, a command that runs lagan serve --stdio');
  return { kind: 'command', command: ['/bin/sh', '-c', command], repository: [] };
}

function repositoryOf(url: string, { path: parts }: PlaceUrl, form: string): readonly string[] {
  const bad = parts.find((part) => !isPathPart(part));
  if (bad !== undefined) throw wrong(url, `${JSON.stringify(bad)} cannot be a part of the path of a repository`, form);
  return parts;
}

/** As `lagan serve` prints it: `sha256:` and 64 digits; colons between them do no harm. */
function fingerprintOf(url: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const digits = text
    .replace(/^sha-?256:/i, '')
    .replaceAll(':', '')
    .toLowerCase();
  if (/^[0-9a-f]{64}$/.test(digits)) return digits;
  throw wrong(url, 'fingerprint= is not the SHA-256 of a certificate', 'fingerprint=sha256:… as lagan serve prints it');
}

function connectionsOf(url: string, text: string | undefined): number {
  const { connections, mostConnections } = storageLimits.served;
  if (text === undefined) return connections;
  const count = Number(text);
  if (/^[0-9]+$/.test(text) && count >= 1 && count <= mostConnections) return count;
  throw wrong(url, `connections= is not a number from 1 to ${mostConnections}`, networkForm);
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.[0-9]+\.[0-9]+\.[0-9]+$/.test(host);
}

function wrong(url: string, reason: string, form: string): LaganError {
  return new LaganError('usage', `${url}: ${reason}`, { hint: `write ${form}` });
}

/**
 * The token of a place: from the file that its URL names, else LAGAN_TOKEN, else the file that LAGAN_TOKEN_FILE names.
 *
 * Errors: `no-key` if there is none; `usage` if the file cannot be read.
 */
export function tokenOf({ tokenFile }: NetworkPlace): string {
  const file = tokenFile ?? (process.env.LAGAN_TOKEN ? undefined : process.env.LAGAN_TOKEN_FILE);
  const token = (file ? readSmallFile(file, 'token') : (process.env.LAGAN_TOKEN ?? '')).trim();
  if (/^[\x21-\x7e]{1,1000}$/.test(token)) return token;
  const hint = 'put it into the file that LAGAN_TOKEN_FILE or token-file= in the URL names; lagan serve token add makes one';
  throw new LaganError('no-key', file ? `${file} does not hold a token` : 'the server wants a token, and none was given', { hint });
}

/** Certificates to trust. Errors: `usage`. */
export function certificatesOf(file: string): string {
  const text = readSmallFile(file, 'certificates');
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new LaganError('usage', `${file} is not a file of certificates`, { object: file, hint: 'ca= names a file in PEM form' });
}

function readSmallFile(file: string, what: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length <= storageLimits.s3.certificatesSizeBytes) return text;
  } catch (cause) {
    throw new LaganError('usage', `the ${what} in ${file} cannot be read: ${(cause as Error).message}`, { cause, object: file });
  }
  throw new LaganError('usage', `${file} is too large for a file of ${what}`, { object: file });
}
