/** Changes tags and descriptions: see annotations.ts for how they are kept. */
import {
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
import { type Created, createLasting } from './_lasting.ts';
import { createSealed } from './_sealed-objects.ts';
import { now } from './_time.ts';
import { type Annotated, readAnnotation } from './annotations.ts';
import { repositoryLimits } from './limits.ts';
import type { Repository } from './repository.ts';
import { listSnapshots } from './snapshots.ts';

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
 * Changes tags and description of a snapshot; returns what they are then. Of several changes at once each builds on the one before it: none is lost.
 *
 * Codes: snapshot-not-found, usage (an empty tag), limit-exceeded (too many), unavailable (others change it all the time), and those of the storage.
 */
export async function annotateSnapshot(repository: Repository, id: SnapshotId, options: AnnotateOptions): Promise<Annotated> {
  const { signal } = options;
  for (const tag of [...(options.setTags ?? []), ...(options.addTags ?? [])]) checkTag(tag);
  const original = await originalOf(repository, id, { signal });
  return createLasting(repository, (current) => createAnnotation(current, id, { original, options }), { signal });
}

async function createAnnotation(
  repository: Repository,
  id: SnapshotId,
  { original, options }: { original: Annotated; options: AnnotateOptions },
): Promise<Created<Annotated>> {
  const { signal, time = now() } = options;
  for (let attempt = 1; attempt <= repositoryLimits.numberAttempts; attempt++) {
    const newest = await newestAnnotation(repository, id, { signal });
    const changes = newest === null ? null : await readAnnotation(repository, newest.name, { signal });
    const before = { tags: changes?.tags ?? original.tags, description: changes?.description ?? original.description };
    const after = change(before, options);
    const name = objectNames.annotation(id, (newest?.number ?? -1) + 1);
    const payload = encodeAnnotation({ ...after, time });
    const outcome = await createSealed(contextOf(repository), name, { kind: 'annotation', payload, signal });
    if (outcome === 'created') return { names: [name], result: after };
  }
  throw new LaganError('unavailable', `other processes change snapshot ${id} all the time`, {
    object: id,
    hint: 'try again',
  });
}

/** Tags and description as the snapshot was written. */
async function originalOf(repository: Repository, id: SnapshotId, { signal }: CallOptions): Promise<Annotated> {
  const onDamage = (error: LaganError) => {
    // Damage elsewhere is not in the way.
    if (error.object?.endsWith(id) === true) throw error;
  };
  const [found] = await listSnapshots(repository, { idPrefix: id, includeDeleted: true, onDamage, signal });
  if (found !== undefined && found.id === id) return { tags: found.snapshot.tags, description: found.snapshot.description };
  throw new LaganError('snapshot-not-found', `there is no snapshot ${id}`, { expected: id, hint: 'lagan snapshots lists them' });
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
