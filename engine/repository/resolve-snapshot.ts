/** From what a person types to a snapshot. */
import { LaganError, parseObjectName, type SnapshotId } from '../../repo-format/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { repositoryLimits } from './limits.ts';
import type { Repository } from './repository.ts';
import { type ListSnapshotsOptions, listSnapshots, type SnapshotInfo } from './snapshots.ts';

const idLength = 32;

/**
 * `latest` (the snapshot that began last, among those that fit the filter), `latest~2` (the second before it), or an id, which may be
 * shortened to 4 digits and more as long as it fits only one.
 *
 * Codes: snapshot-not-found, ambiguous (`found`: the ids that fit), usage (neither of these forms), and those of {@link listSnapshots}.
 */
export async function resolveSnapshot(
  repository: Repository,
  text: string,
  options: Omit<ListSnapshotsOptions, 'idPrefix'> = {},
): Promise<SnapshotInfo> {
  const latest = /^latest(?:~([0-9]{1,9}))?$/.exec(text);
  if (latest !== null) return resolveLatest(repository, { text, back: Number(latest[1] ?? 0), options });
  const idPrefix = text.toLowerCase();
  if (!isIdPrefix(idPrefix)) throw notASnapshot(text);
  return resolveId(repository, { text, idPrefix, options });
}

/**
 * The snapshot that an id names, or the beginning of one, if its object is damaged: nothing is known of it but that. Undefined if the text is no id, or fits others, or none.
 * Codes: those of {@link listSnapshots}.
 */
export async function resolveUnreadable(
  repository: Repository,
  text: string,
  { signal }: CallOptions = {},
): Promise<SnapshotId | undefined> {
  const idPrefix = text.toLowerCase();
  if (!isIdPrefix(idPrefix)) return undefined;
  const unreadable = new Set<SnapshotId>();
  const onDamage = ({ object = '' }: LaganError) => {
    const parsed = parseObjectName(object);
    if (parsed?.type === 'snapshot') unreadable.add(parsed.session as string as SnapshotId);
  };
  const readable = await listSnapshots(repository, { includeDeleted: true, idPrefix, onDamage, signal });
  return readable.length === 0 && unreadable.size === 1 ? [...unreadable][0] : undefined;
}

function isIdPrefix(text: string): boolean {
  return /^[0-9a-f]+$/.test(text) && text.length >= repositoryLimits.shortestIdPrefix && text.length <= idLength;
}

interface Question {
  readonly text: string;
  readonly options: ListSnapshotsOptions;
}

async function resolveLatest(repository: Repository, { text, back, options }: Question & { back: number }): Promise<SnapshotInfo> {
  const snapshots = await listSnapshots(repository, options);
  const found = snapshots.at(-1 - back);
  if (found !== undefined) return found;
  const which = options.filter === undefined ? '' : ' that fit';
  const message =
    snapshots.length === 0 ? `there are no snapshots${which} yet` : `there is no ${text}: there are ${snapshots.length} snapshots${which}`;
  throw new LaganError('snapshot-not-found', message, { expected: text, found: snapshots.length });
}

/** An id says all: the filter does not matter. */
async function resolveId(repository: Repository, { text, idPrefix, options }: Question & { idPrefix: string }): Promise<SnapshotInfo> {
  const all = await listSnapshots(repository, { ...options, filter: undefined, includeDeleted: true, idPrefix });
  const [first, ...others] = options.includeDeleted === true ? all : all.filter(({ deleted }) => !deleted);
  if (first !== undefined && others.length === 0) return first;
  if (first === undefined) {
    const hint = all.length === 0 ? 'lagan snapshots lists them' : 'it is marked as deleted';
    throw new LaganError('snapshot-not-found', `there is no snapshot ${text}`, { expected: text, hint });
  }
  const ids = [first, ...others].map(({ id }) => id);
  throw new LaganError('ambiguous', `${text} fits ${ids.length} snapshots: ${ids.slice(0, 10).join(', ')}`, {
    expected: text,
    found: ids,
    hint: 'write more digits',
  });
}

function notASnapshot(text: string): LaganError {
  const expected = `latest, latest~N, or at least ${repositoryLimits.shortestIdPrefix} digits of an id`;
  return new LaganError('usage', `${JSON.stringify(text)} does not name a snapshot: write ${expected}`, { expected, found: text });
}
