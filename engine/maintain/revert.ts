/**
 * Makes the present of a store what it was at a time: after somebody overwrote and deleted objects who could not delete their old versions. Nothing is taken away by it: what comes back is
 * copied, what goes is hidden by a deletion of which the old version stays.
 *
 * - What was there then and is gone or another one now comes back, whatever it is.
 * - The owner's records (format, configuration, keys, holds, marks, annotations) and the roots are afterwards exactly those of then: what was made since is hidden. A key slot, a keyring or a root
 *   of a higher number that nobody can open would keep everybody out; a mark would have snapshots collected.
 * - Snapshots, packs and index tables that were made since stay, with the bytes that they had first, unless they are of a generation that no sound root has reached, then or since: nobody but an
 *   attacker makes those. What was made and deleted since stays deleted: perhaps it was collected.
 *
 * Afterwards the root is older than what it does not know: {@link recover} makes all of that count.
 */
import pLimit from 'p-limit';
import { LaganError, objectPrefixes, parseObjectName, type Root } from '../../repo-format/mod.ts';
import { type Repository, readRootVersion, rootNumberOf } from '../repository/mod.ts';
import type { CallOptions, ObjectVersion, Storage, StorageHistory } from '../storage/mod.ts';
import { maintainLimits } from './_limits.ts';
import type { MaintainProgress } from './options.ts';

export interface RevertOptions extends CallOptions {
  /** By the store's clock, in milliseconds since 1970. */
  readonly timeMs: number;
  /** Only says what would be done. */
  readonly dryRun?: boolean | undefined;
  readonly onProgress?: ((progress: MaintainProgress) => void) | undefined;
}

/** What becomes of a name. */
export interface RevertedObject {
  readonly name: string;
  /** `undeleted`: it is there again; `replaced`: it has the bytes again that it had; `hidden`: it is gone. */
  readonly change: 'undeleted' | 'replaced' | 'hidden';
  readonly sizeBytes: number;
}

export interface RevertResult {
  readonly outcome: 'reverted' | 'dry-run';
  readonly timeMs: number;
  /** Ascending by name. */
  readonly objects: readonly RevertedObject[];
  /** The highest sound root that there was, then or since. */
  readonly highest: Pick<Root, 'number' | 'generation'>;
}

/**
 * `past`: the repository, opened as it was then (see `pastOf`), whose store as it is now is `storage`. May be interrupted and repeated.
 *
 * Codes: unsupported (the store keeps no versions), and those of the storage.
 */
export async function revert(past: Repository, storage: Storage, options: RevertOptions): Promise<RevertResult> {
  const { timeMs, dryRun = false, signal } = options;
  const history = await versionsOf(storage, { signal });
  const highest = await highestRoot(past, history, options);
  const changes: Change[] = [];
  for await (const change of changesSince(history, { timeMs, highest, signal })) changes.push(change);
  if (!dryRun) await apply(storage, changes, options);
  const objects = changes.map(({ version: { name, sizeBytes }, change }) => ({ name, change, sizeBytes }));
  return { outcome: dryRun ? 'dry-run' : 'reverted', timeMs, objects, highest };
}

/** What is hidden must not be gone for good. */
async function versionsOf({ history, location }: Storage, options: CallOptions): Promise<StorageHistory> {
  if (history !== undefined && (await history.keepsVersions(options))) return history;
  throw new LaganError('unsupported', `${location} keeps no versions of what is overwritten or deleted`, {
    object: location,
    hint: 'as it was then it can be read, with --as-of; lagan repository recover lists all that is there now',
  });
}

interface Change {
  readonly change: RevertedObject['change'];
  /** What comes back, or is hidden. */
  readonly version: ObjectVersion;
}

/** Of the root of then and all that were made since and open. Numbers and generations beyond are nobody's. */
async function highestRoot(
  past: Repository,
  history: StorageHistory,
  { timeMs, signal }: RevertOptions,
): Promise<Pick<Root, 'number' | 'generation'>> {
  let { number, generation } = past.root;
  for await (const version of history.list(objectPrefixes.roots, { signal })) {
    if (version.kind !== 'object' || version.sinceMs <= timeMs) continue;
    const root = await readRootVersion(past, history, version, { signal });
    number = Math.max(number, root?.number ?? 0);
    generation = Math.max(generation, root?.generation ?? 0);
  }
  return { number, generation };
}

async function* changesSince(
  history: StorageHistory,
  { timeMs, highest, signal }: { timeMs: number; highest: Pick<Root, 'number' | 'generation'> } & CallOptions,
): AsyncGenerator<Change> {
  for await (const { present, past, first } of namesOf(history, { timeMs, signal })) {
    if (past?.kind === 'object') {
      if (present.kind === 'deletion') yield { change: 'undeleted', version: past };
      else if (!hasSameBytes(present, past)) yield { change: 'replaced', version: past };
    } else if (present.kind === 'deletion') continue;
    else if (isHidden(present.name, highest)) yield { change: 'hidden', version: present };
    else if (first !== undefined && !hasSameBytes(present, first)) yield { change: 'replaced', version: first };
  }
}

function hasSameBytes(left: ObjectVersion, right: ObjectVersion): boolean {
  return left.id === right.id || (left.tag !== '' && left.tag === right.tag && left.sizeBytes === right.sizeBytes);
}

/** What a name is, and what it was. */
interface TwoTimes {
  readonly present: ObjectVersion;
  past: ObjectVersion | undefined;
  /** The first object of that name: the only one that is not an attacker's, since nothing is ever overwritten. */
  first: ObjectVersion | undefined;
}

async function* namesOf(history: StorageHistory, { timeMs, signal }: { timeMs: number } & CallOptions): AsyncGenerator<TwoTimes> {
  let name: TwoTimes | undefined;
  for await (const version of history.list('', { signal })) {
    const past = version.sinceMs <= timeMs ? version : undefined;
    if (version.name !== name?.present.name) {
      if (name !== undefined) yield name;
      name = { present: version, past, first: undefined };
    }
    name.past ??= past;
    if (version.kind === 'object') name.first = version;
  }
  if (name !== undefined) yield name;
}

/** Of names that were not there then: see above. */
function isHidden(name: string, highest: Pick<Root, 'number' | 'generation'>): boolean {
  const parsed = parseObjectName(name);
  if (parsed === null) return false;
  if (name.startsWith('owner/') || parsed.type === 'root') return true;
  if ('generation' in parsed) return parsed.generation > highest.generation;
  const isCollected = parsed.type === 'base-index' || parsed.type === 'catalogue' || parsed.type === 'lost-list';
  return isCollected && rootNumberOf(parsed.id) > highest.number + 1;
}

async function apply(storage: Storage, changes: readonly Change[], { onProgress, signal }: RevertOptions): Promise<void> {
  let filesDone = 0;
  const done = () => onProgress?.({ phase: 'revert', filesDone: ++filesDone, bytesDone: 0 });
  const returning = changes.filter(({ change }) => change !== 'hidden');
  await pLimit(maintainLimits.concurrentReads).map(returning, async ({ version }) => {
    await storage.history!.bringBack(version, { signal });
    done();
  });
  await storage.delete(
    changes.filter(({ change }) => change === 'hidden').map(({ version }) => version.name),
    { signal },
  );
}
