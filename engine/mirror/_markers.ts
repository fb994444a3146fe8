/**
 * What a mirror says of itself, beside the objects of the repository: empty but for a line of text, so that the name says all. Readers leave these names alone (NAME-1).
 *
 * - `mirror/of/<repository id>`, created before anything else: a place that has it and no format file is a mirror that is not complete yet.
 * - `mirror/roots/<number 16>-<SHA-256>`, created before a root is copied: a newest root that has none, and that the source does not have either, was made in the mirror.
 */
import { createHash } from 'node:crypto';
import type { ObjectId } from '../../repo-format/mod.ts';
import { mirrorPrefix } from '../repository/mod.ts';
import type { CallOptions, Storage } from '../storage/mod.ts';

const rootsPrefix = 'mirror/roots/';
const note = new TextEncoder().encode('This place is a mirror of a Lagan repository, kept by lagan mirror.\n');

/** The repositories that a place says it is a mirror of. */
export async function mirroredRepositories(storage: Storage, options: CallOptions): Promise<string[]> {
  const ids: string[] = [];
  for await (const { name } of storage.list(mirrorPrefix, options)) ids.push(name.slice(mirrorPrefix.length));
  return ids;
}

export async function markAsMirror(storage: Storage, repository: ObjectId, { signal }: CallOptions): Promise<void> {
  await storage.create(mirrorPrefix + repository, [note], { signal });
}

/** Notes a root that is about to be copied. */
export async function markRoot(storage: Storage, root: { number: number; bytes: Uint8Array }, { signal }: CallOptions): Promise<void> {
  await storage.create(markerOf(root), [note], { signal });
}

/** Whether a root of the mirror was copied there. */
export async function isMarkedRoot(storage: Storage, root: { number: number; bytes: Uint8Array }, options: CallOptions): Promise<boolean> {
  const marker = markerOf(root);
  for await (const { name } of storage.list(marker, options)) if (name === marker) return true;
  return false;
}

/** Deletes the notes about roots that are not the newest any more. */
export async function dropOldMarkers(storage: Storage, newest: number, { signal }: CallOptions): Promise<void> {
  const old: string[] = [];
  for await (const { name } of storage.list(rootsPrefix, { signal }))
    if (Number.parseInt(name.slice(rootsPrefix.length, rootsPrefix.length + 16), 16) < newest) old.push(name);
  if (old.length > 0) await storage.delete(old, { signal });
}

function markerOf({ number, bytes }: { number: number; bytes: Uint8Array }): string {
  return `${rootsPrefix}${number.toString(16).padStart(16, '0')}-${createHash('sha256').update(bytes).digest('hex')}`;
}
