/** From what a person types, or from a description, to a storage. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { LaganError } from '../../repo-format/mod.ts';
import { TransferLimits } from './_transfer-limits.ts';
import { AzureContainer } from './azure.ts';
import { GoogleBucket } from './google.ts';
import { InMemory } from './in-memory.ts';
import { LocalFolder } from './local-folder.ts';
import { pastOf } from './past.ts';
import { S3 } from './s3.ts';
import { Served } from './served.ts';
import { SftpFolder } from './sftp.ts';
import type { Storage, StorageDescription, TransferRates } from './storage.ts';

export interface OpenStorageOptions {
  /** How fast stores that are not a folder of this machine may be talked to, by all threads of this process together. */
  readonly rates?: TransferRates | undefined;
}

interface OpenUrlOptions {
  readonly limits: TransferLimits;
  readonly hasAnswered: boolean;
}

type OpenUrl = (url: string, options: OpenUrlOptions) => Storage;

/** The kinds of stores, by the scheme of their URL: a new one is a line here, and a file beside this one. */
const schemes: Readonly<Record<string, OpenUrl>> = {
  file: (url) => new LocalFolder(pathOfFileUrl(url)),
  memory: (url) => new InMemory(url.slice('memory:'.length)),
  s3: (url, options) => new S3(url, options),
  az: (url, options) => new AzureContainer(url, options),
  gs: (url, options) => new GoogleBucket(url, options),
  sftp: (url, options) => new SftpFolder(url, options),
  https: (url, options) => new Served(url, options),
  http: (url, options) => new Served(url, options),
  ssh: (url, options) => new Served(url, options),
  exec: (url, options) => new Served(url, options),
};

/**
 * Opens a place for objects: a path, a URL, or what {@link Storage.describe} gave. Looks at nothing yet: whether there is anything is
 * told by {@link Storage.state}.
 *
 * Errors: `usage` (not a place, or an option of a URL that is wrong).
 */
export function openStorage(place: string | StorageDescription, { rates }: OpenStorageOptions = {}): Storage {
  if (typeof place !== 'string') return fromDescription(place);
  if (place === '' || place.includes('\0')) throw new LaganError('usage', `${JSON.stringify(place)} is not a path or URL of a repository`);
  const scheme = schemeOf(place);
  if (scheme === undefined) return new LocalFolder(place);
  const open = schemes[scheme];
  if (open !== undefined) return open(place, { limits: new TransferLimits(rates), hasAnswered: false });
  const hint = `for a folder of that name write ./${place}`;
  const known = Object.keys(schemes)
    .filter((name) => name !== 'memory')
    .map((name) => `${name}:`);
  throw new LaganError('usage', `${place}: ${scheme}: is not a kind of store; there are: a path, ${known.join(', ')}`, {
    found: scheme,
    hint,
  });
}

function fromDescription(description: StorageDescription): Storage {
  if (description.kind === 'local-folder') return new LocalFolder(description.path);
  if (description.kind === 'in-memory') return new InMemory(description.id);
  if (description.kind === 'past') return pastOf(fromDescription(description.of), description.timeMs);
  const { url, limits, hasAnswered } = description;
  return schemes[schemeOf(url)!]!(url, { limits: TransferLimits.fromDescription(limits), hasAnswered });
}

/** A word that we know before a colon, or any word before `://`. Other colons belong to names of folders. */
function schemeOf(place: string): string | undefined {
  const [, word, slashes] = /^([a-z][a-z0-9+.-]*):(\/\/)?/i.exec(place) ?? [];
  const scheme = word?.toLowerCase();
  if (scheme === undefined) return undefined;
  return slashes !== undefined || Object.hasOwn(schemes, scheme) ? scheme : undefined;
}

function pathOfFileUrl(url: string): string {
  try {
    const text = url.slice('file:'.length);
    return text.startsWith('/') ? fileURLToPath(url) : path.resolve(decodeURIComponent(text));
  } catch (error) {
    throw new LaganError('usage', `${url} is not a file: URL of this machine`, {
      cause: error,
      hint: 'write file:///absolute/path, or just the path',
    });
  }
}
