/** What the URL of an S3 bucket says: `s3://bucket/prefix?endpoint=…&region=…`. It never holds a secret. */
import path from 'node:path';
import { LaganError } from '../../repo-format/mod.ts';
import { storageLimits } from './limits.ts';
import type { LockMode, LockRule } from './storage.ts';

export interface S3Place {
  readonly bucket: string;
  /** Before every object's name: '' or text that ends with '/'. */
  readonly prefix: string;
  /** Undefined: that of AWS for the region. */
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  /** The bucket in the path of requests instead of in the name of the host. */
  readonly pathStyle: boolean;
  /** Of packs. */
  readonly storageClass?: string | undefined;
  readonly encryption?: 'AES256' | 'aws:kms' | 'aws:kms:dsse' | undefined;
  readonly kmsKey?: string | undefined;
  /** Section of the files in `~/.aws`. */
  readonly profile?: string | undefined;
  /** Absolute path of a file of certificates that are trusted besides those of the system. */
  readonly certificates?: string | undefined;
  /** Whether objects carry a CRC-32 that the store checks. */
  readonly checksum: 'crc32' | 'none';
  /** Requests at a time of each thread. */
  readonly connections: number;
  /** How objects are locked when they are made; undefined: as the bucket does it. */
  readonly retention?: LockRule | undefined;
}

const optionNames = [
  'endpoint',
  'region',
  'path-style',
  'storage-class',
  'sse',
  'kms-key',
  'profile',
  'ca',
  'checksum',
  'connections',
  'retention',
  'lock',
] as const;
type OptionName = (typeof optionNames)[number];

const lockModes: readonly LockMode[] = ['governance', 'compliance'];
const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const encryptions = ['AES256', 'aws:kms', 'aws:kms:dsse'] as const;
/** Whose objects cannot be read at once. */
const sleepingClasses = ['GLACIER', 'DEEP_ARCHIVE'];
const example = 's3://bucket/prefix?endpoint=https://host:port&region=name';
/** Prefixes and names together stay within the 1,024 bytes of a key. */
const longestPrefix = 700;

/** Understands a URL. Code: usage. */
export function parseS3Url(text: string): S3Place {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username || url?.password || /^s3:\/*[^/?]*@/i.test(text)) {
    throw wrong(
      undefined,
      'a URL of a bucket holds no keys',
      'give them by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile',
    );
  }
  if (!url || !/^s3:\/\//i.test(text)) throw wrong(text, 'is not the URL of a bucket', `write ${example}`);
  const options = readOptions(text, url.searchParams);
  const bucket = decodeURIComponent(url.host);
  if (url.hash !== '') throw wrong(text, 'has a #, which no bucket has', `write ${example}`);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(bucket)) {
    throw wrong(text, `does not name a bucket: '${bucket}'`, `a bucket's name has 3 or more letters, digits, dots and dashes: ${example}`);
  }
  return { bucket, prefix: readPrefix(text, url.pathname), ...options };
}

/** The URL again, always the same for the same place. */
export function s3Url(place: S3Place): string {
  const values: Record<OptionName, string | undefined> = {
    endpoint: place.endpoint,
    region: place.region,
    'path-style': place.pathStyle === defaultPathStyle(place) ? undefined : String(place.pathStyle),
    'storage-class': place.storageClass,
    sse: place.encryption,
    'kms-key': place.kmsKey,
    profile: place.profile,
    ca: place.certificates,
    checksum: place.checksum === 'crc32' ? undefined : place.checksum,
    connections: place.connections === storageLimits.s3.connections ? undefined : String(place.connections),
    retention: place.retention && retentionText(place.retention),
    lock: place.retention?.mode === 'compliance' ? 'compliance' : undefined,
  };
  const given = optionNames.filter((name) => values[name] !== undefined);
  const query = given.map((name) => `${name}=${queryText(values[name]!)}`).join('&');
  const prefix = place.prefix.slice(0, -1).split('/').map(encodeURIComponent).join('/');
  return `s3://${place.bucket}${prefix === '' ? '' : `/${prefix}`}${query === '' ? '' : `?${query}`}`;
}

function readOptions(text: string, parameters: URLSearchParams): Omit<S3Place, 'bucket' | 'prefix'> {
  for (const name of parameters.keys()) {
    if (!optionNames.includes(name as OptionName))
      throw wrong(text, `has an unknown option '${name}'`, `there are: ${optionNames.join(', ')}`);
    if (parameters.getAll(name).length > 1) throw wrong(text, `has the option '${name}' twice`, 'give it once');
    if (parameters.get(name) === '') throw wrong(text, `has an option '${name}' without a value`, 'give it a value or leave it out');
  }
  const option = (name: OptionName) => parameters.get(name) ?? undefined;
  const endpoint = readEndpoint(text, option('endpoint'));
  const certificates = option('ca');
  return {
    endpoint,
    region: option('region'),
    pathStyle: readFlag(text, 'path-style', option('path-style')) ?? defaultPathStyle({ endpoint }),
    storageClass: readStorageClass(text, option('storage-class')),
    ...readEncryption(text, option('sse'), option('kms-key')),
    profile: option('profile'),
    certificates: certificates && path.resolve(certificates),
    checksum: oneOf(text, 'checksum', option('checksum'), ['crc32', 'none']) ?? 'crc32',
    connections: readCount(text, 'connections', option('connections')) ?? storageLimits.s3.connections,
    retention: readRetention(text, option('retention'), option('lock')),
  };
}

function defaultPathStyle({ endpoint }: Pick<S3Place, 'endpoint'>): boolean {
  return endpoint !== undefined;
}

function readPrefix(text: string, pathname: string): string {
  const names = decodePath(text, pathname)
    .split('/')
    .filter((name) => name !== '');
  const prefix = names.map((name) => `${name}/`).join('');
  if (names.some((name) => name === '.' || name === '..') || /\p{Cc}/u.test(prefix)) {
    throw wrong(text, 'has a prefix that no object can have', 'leave out control characters and the names . and ..');
  }
  if (Buffer.byteLength(prefix) > longestPrefix)
    throw wrong(text, `has a prefix of more than ${longestPrefix} bytes`, 'choose a shorter one');
  return prefix;
}

function decodePath(text: string, pathname: string): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    throw wrong(text, 'has a % that is followed by no code of a character', 'write %25 for a %');
  }
}

function readEndpoint(text: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isPlain = url && ['http:', 'https:'].includes(url.protocol) && url.search === '' && url.hash === '';
  if (!isPlain) throw wrong(text, `has the endpoint '${value}', which is none`, 'write endpoint=https://host or endpoint=http://host:port');
  if (url.username || url.password)
    throw wrong(undefined, 'an endpoint holds no keys', 'give them by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY');
  return url.href.replace(/\/$/, '');
}

function readStorageClass(text: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (sleepingClasses.includes(value.toUpperCase())) {
    throw wrong(text, `has the storage class ${value}, whose objects cannot be read at once`, 'use GLACIER_IR, STANDARD_IA or another one');
  }
  if (!/^[A-Z0-9_]{1,40}$/.test(value)) throw wrong(text, `has the storage class '${value}', which is none`, 'for example STANDARD_IA');
  return value;
}

function readEncryption(text: string, sse: string | undefined, kmsKey: string | undefined): Pick<S3Place, 'encryption' | 'kmsKey'> {
  const encryption = oneOf(text, 'sse', sse, encryptions) ?? (kmsKey === undefined ? undefined : 'aws:kms');
  if (kmsKey !== undefined && encryption === 'AES256')
    throw wrong(text, 'has a kms-key, which sse=AES256 does not use', 'write sse=aws:kms');
  return { encryption, kmsKey };
}

function readRetention(text: string, period: string | undefined, lock: string | undefined): LockRule | undefined {
  const mode = oneOf(text, 'lock', lock, lockModes);
  if (period === undefined) {
    if (mode === undefined) return undefined;
    throw wrong(text, 'has a lock, but not for how long', 'write retention=30d as well, or leave it to the bucket');
  }
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(period) ?? [];
  const periodSeconds = Number(count) * (secondsOf[unit ?? ''] ?? 0);
  const longestSeconds = storageLimits.s3.longestRetentionDays * 86_400;
  if (periodSeconds > 0 && periodSeconds <= longestSeconds) return { mode: mode ?? 'governance', periodSeconds };
  throw wrong(text, `has retention=${period}`, 'give a number of days such as retention=30d');
}

function retentionText({ periodSeconds }: LockRule): string {
  const unit = ['d', 'h', 'm'].find((name) => periodSeconds % secondsOf[name]! === 0) ?? 's';
  return `${periodSeconds / secondsOf[unit]!}${unit}`;
}

function readFlag(text: string, name: OptionName, value: string | undefined): boolean | undefined {
  const word = oneOf(text, name, value, ['true', 'false']);
  return word === undefined ? undefined : word === 'true';
}

function readCount(text: string, name: OptionName, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const { mostConnections } = storageLimits.s3;
  const count = Number(value);
  if (/^\d+$/.test(value) && count >= 1 && count <= mostConnections) return count;
  throw wrong(text, `has ${name}=${value}`, `give a whole number from 1 to ${mostConnections}`);
}

function oneOf<Word extends string>(text: string, name: OptionName, value: string | undefined, words: readonly Word[]): Word | undefined {
  if (value === undefined || words.includes(value as Word)) return value as Word | undefined;
  throw wrong(text, `has ${name}=${value}`, `${name} is one of ${words.join(', ')}`);
}

/** `text` undefined: it may hold a secret and is not repeated. */
function wrong(text: string | undefined, problem: string, hint: string): LaganError {
  return new LaganError('usage', text === undefined ? problem : `${text} ${problem}`, { hint });
}

/** Slashes and colons stay readable: they need no escape in a query. */
function queryText(value: string): string {
  return encodeURIComponent(value).replaceAll('%2F', '/').replaceAll('%3A', ':');
}
