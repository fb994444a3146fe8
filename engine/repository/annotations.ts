/**
 * Tags and descriptions that were changed after the backup: numbered objects beside the snapshot, of which the highest number counts. The snapshot
 * itself never changes.
 */
import { decodeAnnotation, objectPrefixes, parseObjectName, type SnapshotId } from '../../repo-format/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { contextOf } from './_context.ts';
import { readSealed } from './_sealed-objects.ts';
import type { Repository } from './repository.ts';

export interface Annotated {
  readonly tags: readonly string[];
  readonly description: string;
}

/** The name of the newest annotation of each snapshot that has one. */
export async function listAnnotations(repository: Repository, { signal }: CallOptions = {}): Promise<Map<SnapshotId, string>> {
  const newest = new Map<SnapshotId, string>();
  for await (const { name } of repository.storage.list(objectPrefixes.annotations, { signal })) {
    const parsed = parseObjectName(name);
    // Listings ascend, so the last one of a snapshot is the newest.
    if (parsed?.type === 'annotation') newest.set(parsed.snapshot, name);
  }
  return newest;
}

/** What an annotation says; null for what it leaves as it was. */
export async function readAnnotation(
  repository: Repository,
  name: string,
  { signal }: CallOptions = {},
): Promise<{ readonly [Field in keyof Annotated]: Annotated[Field] | null }> {
  try {
    return decodeAnnotation(await readSealed(contextOf(repository), name, { kind: 'annotation', signal }), name);
  } catch (error) {
    // Where there was an annotation before, its successor has the name that this one would have: so it is the only one.
    if (repository.keys.isTooLate(error)) return { tags: null, description: null };
    throw error;
  }
}
