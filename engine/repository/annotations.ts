/**
 * Tags and descriptions that were changed after the backup: numbered objects beside the snapshot, of which the highest number counts. The snapshot
 * itself never changes.
 */
import {
  decodeAnnotation,
  encodeAnnotation,
  LaganError,
  limits,
  objectNames,
  objectPrefixes,
  parseObjectName,
  type SnapshotId,
  type Time,
} from '../../repo-format/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { contextOf } from './_context.ts';
import { createSealed, readSealed } from './_sealed-objects.ts';
import { now } from './_time.ts';
import { repositoryLimits } from './limits.ts';
import type { Repository } from './repository.ts';

export interface Annotated {
  readonly tags: readonly string[];
  readonly description: string;
}

/** The snapshot as it was written; a SnapshotInfo is one. */
export interface AnnotationTarget {
  readonly id: SnapshotId;
  readonly snapshot: Annotated;
}

export interface AnnotateOptions extends CallOptions {
  /** Replaces all tags; then `removeTags` and `addTags` apply. */
  readonly setTags?: readonly string[] | undefined;
  readonly addTags?: readonly string[] | undefined;
  readonly removeTags?: readonly string[] | undefined;
  readonly description?: string | undefined;
  /** Default: now. */
  readonly time?: Time | undefined;
}

/**
 * Changes tags and description of a snapshot. Of several at once each builds on the one before it: no change is lost.
 *
 * Codes: usage (an empty tag), limit-exceeded (too many), unavailable (others change it all the time), and those of the storage.
 */
export async function annotateSnapshot(repository: Repository, snapshot: AnnotationTarget, options: AnnotateOptions): Promise<Annotated> {
  const { signal, time = now() } = options;
  for (const tag of [...(options.setTags ?? []), ...(options.addTags ?? [])]) checkTag(tag);
  const original = { tags: snapshot.snapshot.tags, description: snapshot.snapshot.description };
  for (let attempt = 1; attempt <= repositoryLimits.numberAttempts; attempt++) {
    const newest = await newestAnnotation(repository, snapshot.id, { signal });
    const before = newest === null ? original : await readAnnotation(repository, { name: newest.name, original, signal });
    const after = change(before, options);
    const name = objectNames.annotation(snapshot.id, (newest?.number ?? -1) + 1);
    const outcome = await createSealed(contextOf(repository), name, {
      kind: 'annotation',
      payload: encodeAnnotation({ ...after, time }),
      signal,
    });
    if (outcome === 'created') return after;
  }
  throw new LaganError('unavailable', `other processes change snapshot ${snapshot.id} all the time`, {
    object: snapshot.id,
    hint: 'try again',
  });
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

/** Tags and description under an annotation; `original` are those of the snapshot. */
export async function readAnnotation(
  repository: Repository,
  { name, original, signal }: { name: string; original: Annotated } & CallOptions,
): Promise<Annotated> {
  const { tags, description } = decodeAnnotation(await readSealed(contextOf(repository), name, { kind: 'annotation', signal }), name);
  return { tags: tags ?? original.tags, description: description ?? original.description };
}

async function newestAnnotation(
  repository: Repository,
  id: SnapshotId,
  { signal }: CallOptions,
): Promise<{ name: string; number: number } | null> {
  let newest: { name: string; number: number } | null = null;
  for await (const { name } of repository.storage.list(`${objectPrefixes.annotations}${id}/`, { signal })) {
    const parsed = parseObjectName(name);
    if (parsed?.type === 'annotation') newest = { name, number: parsed.number };
  }
  return newest;
}

function change(before: Annotated, { setTags, addTags = [], removeTags = [], description }: AnnotateOptions): Annotated {
  const kept = (setTags ?? before.tags).filter((tag) => !removeTags.includes(tag));
  const tags = [...new Set([...kept, ...addTags])];
  if (tags.length <= limits.tagsPerSnapshot) return { tags, description: description ?? before.description };
  throw new LaganError('limit-exceeded', `a snapshot with ${tags.length} tags; the limit is ${limits.tagsPerSnapshot}`, {
    expected: limits.tagsPerSnapshot,
    found: tags.length,
  });
}

function checkTag(tag: string): void {
  if (tag !== '' && !/[\p{Cc},]/u.test(tag)) return;
  throw new LaganError('usage', `${JSON.stringify(tag)} is no tag`, { expected: 'text without commas and control characters', found: tag });
}
