/** Whether a place may become, or is, the mirror of a repository, and nothing else. */
import { equalBytes, idFromBytes, LaganError, limits, type ObjectId, objectNames } from '../../repo-format/mod.ts';
import { inspectPlace, readFormatFile } from '../repository/mod.ts';
import type { CallOptions, Storage } from '../storage/mod.ts';
import { type Listing, newestRoot } from './_listing.ts';
import { isMarkedRoot, mirroredRepositories } from './_markers.ts';

/** `new`: absent, or empty. `begun`: a mirror of the repository that was never complete. `mirror`: one that opens. */
export type MirrorState = 'new' | 'begun' | 'mirror';

/**
 * Codes: exists (another repository, a mirror of another one, or other things are there), rolled-back (it is of that repository, but not as the source says), and those of the
 * storage.
 */
export async function mirrorStateOf(
  source: Storage,
  target: Storage,
  { repository, signal }: { repository: ObjectId } & CallOptions,
): Promise<MirrorState> {
  const { state } = await inspectPlace(target, { signal });
  if (state === 'absent' || state === 'empty') return 'new';
  const others = state === 'repository' ? [await repositoryAt(source, target, { signal })] : await mirroredRepositories(target, { signal });
  const other = others.find((id) => id !== repository);
  if (other !== undefined) throw ofAnother(target, { other, repository, isComplete: state === 'repository' });
  if (state === 'repository') return 'mirror';
  if (others.length > 0) return 'begun';
  throw new LaganError('exists', `${target.location} has other things in it, and is no mirror of this repository`, {
    object: target.location,
    found: state,
    hint: 'a new mirror needs an empty place',
  });
}

/** The id of the repository at a place, whose format file must be that of the source if it is the same. */
async function repositoryAt(source: Storage, target: Storage, { signal }: CallOptions): Promise<ObjectId> {
  const format = await readFormatFile(target, { signal });
  const id = idFromBytes<ObjectId>(format.repositoryId);
  const [here, there] = await Promise.all([source, target].map((storage) => readClear(storage, { signal })));
  const sourceId = idFromBytes<ObjectId>((await readFormatFile(source, { signal })).repositoryId);
  if (id !== sourceId || equalBytes(here!, there!)) return id;
  throw new LaganError('malformed', `${objectNames.format} of the mirror is another one than that of the repository`, {
    object: objectNames.format,
  });
}

function readClear(storage: Storage, { signal }: CallOptions): Promise<Uint8Array> {
  return storage.get(objectNames.format, undefined, { limitBytes: limits.clearObjectSizeBytes, signal });
}

function ofAnother(
  target: Storage,
  { other, repository, isComplete }: { other: string; repository: ObjectId; isComplete: boolean },
): LaganError {
  const what = isComplete ? 'holds another repository' : 'holds an unfinished mirror of another repository';
  return new LaganError('exists', `${target.location} ${what}: ${other}, not ${repository}`, {
    object: target.location,
    expected: repository,
    found: other,
    hint: 'every repository needs a place of its own',
  });
}

/**
 * The newest root of the mirror must be one of the source, or have been copied from it: otherwise somebody has collected in the mirror, or one of the two was set back. Code:
 * rolled-back.
 */
export async function expectNotForked(
  { source, target }: { source: Storage; target: Storage },
  { sourceListing, targetListing }: { sourceListing: Listing; targetListing: Listing },
  options: CallOptions,
): Promise<void> {
  const [ours, theirs] = [newestRoot(sourceListing)!, newestRoot(targetListing)];
  if (theirs === undefined) return;
  const limitBytes = limits.rootSizeBytes;
  const bytes = await target.get(theirs.name, undefined, { limitBytes, ...options });
  if (theirs.number > ours.number) {
    const message = `the mirror has root ${theirs.number}, the newest of the repository is ${ours.number}`;
    throw forked(theirs.name, `${message}: the repository was set back, or somebody has collected in the mirror`);
  }
  const isSame = sourceListing.has(theirs.name)
    ? equalBytes(await source.get(theirs.name, undefined, { limitBytes, ...options }), bytes)
    : await isMarkedRoot(target, { number: theirs.number, bytes }, options);
  if (!isSame)
    throw forked(theirs.name, `${theirs.name} of the mirror did not come from the repository: somebody has collected in the mirror`);
}

export function forked(object: string, message: string): LaganError {
  return new LaganError('rolled-back', message, {
    object,
    hint: 'nothing was written; look at both with lagan snapshots, then make a new mirror in an empty place',
  });
}
