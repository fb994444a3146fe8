/** From what a person types, or from a description, to a storage. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { LaganError } from '../../repo-format/mod.ts';
import { InMemory } from './in-memory.ts';
import { LocalFolder } from './local-folder.ts';
import type { Storage, StorageDescription } from './storage.ts';

const plannedSchemes = ['s3', 'az', 'gs', 'sftp', 'https', 'http'];

/**
 * Opens a place for objects: a path, a `file:` URL, or what {@link Storage.describe} gave. Looks at nothing yet: whether there is anything is
 * told by {@link Storage.state}.
 *
 * Errors: `usage` (not a place), `unsupported` (a kind of store that this version does not have).
 */
export function openStorage(place: string | StorageDescription): Storage {
  if (typeof place !== 'string') return fromDescription(place);
  if (place === '' || place.includes('\0')) throw new LaganError('usage', `${JSON.stringify(place)} is not a path or URL of a repository`);
  const scheme = schemeOf(place);
  if (scheme === undefined) return new LocalFolder(place);
  if (scheme === 'file') return new LocalFolder(pathOfFileUrl(place));
  if (scheme === 'memory') return new InMemory(place.slice('memory:'.length));
  if (plannedSchemes.includes(scheme)) {
    const hint = 'use a folder of this machine, or one that is mounted here';
    throw new LaganError('unsupported', `repositories at ${scheme}: are not supported by this version`, { found: scheme, hint });
  }
  const hint = `for a folder of that name write ./${place}`;
  throw new LaganError('usage', `${place}: ${scheme}: is not a kind of store; there are: a path, file:`, { found: scheme, hint });
}

function fromDescription(description: StorageDescription): Storage {
  return description.kind === 'local-folder' ? new LocalFolder(description.path) : new InMemory(description.id);
}

/** A word that we know before a colon, or any word before `://`. Other colons belong to names of folders. */
function schemeOf(place: string): string | undefined {
  const [, word, slashes] = /^([a-z][a-z0-9+.-]*):(\/\/)?/i.exec(place) ?? [];
  const scheme = word?.toLowerCase();
  if (scheme === undefined) return undefined;
  return slashes !== undefined || scheme === 'file' || scheme === 'memory' || plannedSchemes.includes(scheme) ? scheme : undefined;
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
