/** What is at a place, as far as that can be told without a key. */
import { LaganError, objectNames, objectPrefixes, parseObjectName } from '../../repo-format/mod.ts';
import type { CallOptions, Storage } from '../storage/mod.ts';
import { probePrefix } from './probe.ts';

/** Objects that say that a place is a mirror: see engine/mirror. */
export const mirrorPrefix = 'mirror/of/';

/**
 * `unfinished-mirror`: one that was never complete. `unfinished`: keys and configuration only, left by a creation that was cut short. `damaged`: packs, snapshots or a collector's objects, but
 * not the format file. `foreign`: other things.
 */
export type PlaceContent = 'absent' | 'empty' | 'foreign' | 'unfinished-mirror' | 'unfinished' | 'damaged' | 'repository';

/** Looks at a place without a key. Codes: those of the storage. */
export async function inspectPlace(storage: Storage, options: CallOptions = {}): Promise<{ state: PlaceContent }> {
  const state = await storage.state(options);
  return { state: state === 'occupied' ? await contentOf(storage, options) : state };
}

async function contentOf(storage: Storage, options: CallOptions): Promise<PlaceContent> {
  if (await hasFormatFile(storage, options)) return 'repository';
  if (await hasAny(storage, mirrorPrefix, options)) return (await hasFormatFile(storage, options)) ? 'repository' : 'unfinished-mirror';
  let unfinished = false;
  for (const role of ['writer/', 'collector/', 'owner/']) {
    for await (const { name } of storage.list(role, options)) {
      if (parseObjectName(name) === null) continue;
      if (!isMadeFirst(name)) return (await hasFormatFile(storage, options)) ? 'repository' : 'damaged';
      unfinished = true;
    }
  }
  if (unfinished) return 'unfinished';
  return (await holdsOnlyProbes(storage, options)) ? 'empty' : 'foreign';
}

/** A probe that was cut short leaves objects that mean nothing. */
async function holdsOnlyProbes(storage: Storage, options: CallOptions): Promise<boolean> {
  if (!(await hasAny(storage, probePrefix, options))) return false;
  for await (const { name } of storage.list('', options)) if (!name.startsWith(probePrefix)) return false;
  return true;
}

async function hasAny(storage: Storage, prefix: string, options: CallOptions): Promise<boolean> {
  for await (const _ of storage.list(prefix, options)) return true;
  return false;
}

/** The objects that a creation makes before the format file, which makes it a repository. */
export function isMadeFirst(name: string): boolean {
  return (
    [objectPrefixes.keySlots, objectPrefixes.keyrings].some((prefix) => name.startsWith(prefix)) ||
    name === objectNames.configuration(0) ||
    name === objectNames.root(0)
  );
}

/** The error of whoever looks for a repository where there is none. */
export function noRepository(location: string, content: Exclude<PlaceContent, 'repository'>): LaganError {
  const texts = {
    absent: [
      isInBucket(location) ? `there is nothing at ${location}: no such bucket or container` : `there is no folder ${location}`,
      'check the name; lagan init makes a repository there',
    ],
    empty: [`${location} is empty`, 'lagan init makes a repository there'],
    foreign: [`${location} is not a repository: it has other things in it`, 'check the path; a new repository needs an empty place'],
    'unfinished-mirror': [
      `${location} is a mirror that is not complete yet`,
      'lagan mirror completes it, with the repository that it is of',
    ],
    unfinished: [`${location} is not a repository yet: its creation was cut short`, 'lagan init makes it anew; nothing was stored in it'],
    damaged: [
      `${location} was a repository, but its file ${objectNames.format} is missing`,
      `restore ${objectNames.format} from a copy of the repository`,
    ],
  } as const;
  const [message, hint] = texts[content];
  if (content === 'damaged') return new LaganError('malformed', message, { object: objectNames.format, found: content, hint });
  return new LaganError('no-repository', message, { found: content, hint });
}

function isInBucket(location: string): boolean {
  return /^(s3|az|gs):/.test(location);
}

async function hasFormatFile(storage: Storage, options: CallOptions): Promise<boolean> {
  for await (const { name } of storage.list(objectNames.format, options)) return name === objectNames.format;
  return false;
}
