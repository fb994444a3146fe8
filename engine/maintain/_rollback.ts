/**
 * A store that was restored from a copy may show an older root beside packs and snapshots of a future which that root knows nothing of: they stand by their generation, but
 * rely on packs that it may condemn. Whoever sees that must not collect (docs/decisions/013-collection.md).
 */
import { equalBytes, LaganError, objectNames, objectPrefixes, parseObjectName, type Root } from '../../repo-format/mod.ts';
import { listRoots, type Repository, readRoot } from '../repository/mod.ts';

/** Codes: rolled-back, and those of the storage. */
export async function expectNoRollback(repository: Repository, root: Root, { signal }: { signal: AbortSignal | undefined }): Promise<void> {
  const evidence = (await brokenLine(repository, root, signal)) ?? (await fromTheFuture(repository, root, signal));
  if (evidence === null) return;
  // While other collectors go on, the root that was read is an old one.
  if ((await readRoot(repository, { signal })).number !== root.number) return;
  throw new LaganError('rolled-back', `the store was set back to an older state: ${evidence.message}`, {
    object: evidence.object,
    hint: 'nothing is collected, so that nothing is lost; check the repository, and back up to a new one',
  });
}

interface Evidence {
  readonly object: string;
  readonly message: string;
}

/** The root before must be there, and be the one that this one replaced. */
async function brokenLine(repository: Repository, root: Root, signal: AbortSignal | undefined): Promise<Evidence | null> {
  if (root.number === 0 || root.previous === null) return null;
  const before = (await listRoots(repository, { signal })).find(({ number }) => number === root.number - 1);
  if (before !== undefined && equalBytes(before.nonce, root.previous)) return null;
  const object = objectNames.root(root.number - 1);
  return { object, message: before === undefined ? `${object} is missing` : `${object} is another one than root ${root.number} replaced` };
}

/** Sessions begin in the root's generation or an earlier one. */
async function fromTheFuture({ storage }: Repository, { generation }: Root, signal: AbortSignal | undefined): Promise<Evidence | null> {
  const later = (generation + 1).toString(16).padStart(16, '0');
  for (const prefix of [objectPrefixes.snapshots, objectPrefixes.checkpoints, objectPrefixes.sessionIndexes]) {
    for await (const { name } of storage.list(prefix, { after: prefix + later, signal })) {
      if (parseObjectName(name) === null) continue;
      return { object: name, message: `${name} is of a generation after the root's, ${generation}` };
    }
  }
  return null;
}
