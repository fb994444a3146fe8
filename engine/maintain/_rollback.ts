/** What a collector looks at before it relies on a root: see `engine/repository/rollback.ts`. ROOT-20 asks of it that the packs are there, too, but those that were reported and are lost. */
import {
  isLaganError,
  type LaganError,
  objectNames,
  objectPrefixes,
  type PackId,
  parseObjectName,
  type Root,
} from '../../repo-format/mod.ts';
import { basePackRows } from '../index/mod.ts';
import { findRollback, type Repository, type RollbackEvidence, readPackList, rolledBack } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { askForLosses, type Losses, noLosses } from './_losses.ts';

/** What packs there are, and which of them are doomed already. */
export interface PackCensus {
  /** Sizes of all packs in the store. */
  readonly present: ReadonlyMap<PackId, number>;
  readonly doomed: ReadonlySet<PackId>;
  readonly losses: Losses;
}

export interface CensusOptions extends CallOptions {
  /** Is told of damage reports that are damaged themselves. */
  readonly onDamage: (error: LaganError) => void;
}

/** Returns the packs that are there, listed after the root was read. Codes: rolled-back, and those of the storage. */
export async function expectNoRollback(repository: Repository, root: Root, options: CensusOptions): Promise<PackCensus> {
  const { evidence, census } = await lookForRollback(repository, root, options);
  if (evidence !== null) throw rolledBack(evidence);
  return census;
}

/** The same; `evidence` is what shows that the store went back, or null. */
export async function lookForRollback(
  repository: Repository,
  root: Root,
  { onDamage, signal }: CensusOptions,
): Promise<{ evidence: RollbackEvidence | null; census: PackCensus }> {
  let census: PackCensus = { present: new Map(), doomed: new Set(), losses: noLosses };
  const find = async (current: Root): Promise<RollbackEvidence | null> => {
    const present = await listPackSizes(repository, { signal });
    census = { present, doomed: new Set(), losses: noLosses };
    try {
      const losses = await askForLosses(repository, current, { listPresent: async () => present, onDamage, signal });
      census = { present, doomed: new Set(await readPackList(repository, current.doomed, { signal })), losses };
      return await packThatIsGone(repository, current, census);
    } catch (error) {
      if (!isLaganError(error, 'object-missing') && !isLaganError(error, 'not-found')) throw error;
      return { object: error.object!, message: `${error.object} is gone, and root ${current.number} refers to it` };
    }
  };
  const evidence = await findRollback(repository, root, { find, signal });
  return { evidence, census };
}

/** The packs in the store, with their sizes. */
export async function listPackSizes({ storage }: Repository, { signal }: CallOptions): Promise<Map<PackId, number>> {
  const present = new Map<PackId, number>();
  for (const prefix of [objectPrefixes.writerPacks, objectPrefixes.collectorPacks]) {
    for await (const { name, sizeBytes } of storage.list(prefix, { signal })) {
      const parsed = parseObjectName(name);
      if (parsed?.type === 'pack') present.set(parsed.id, sizeBytes);
    }
  }
  return present;
}

async function packThatIsGone(
  { storage, keys }: Repository,
  { baseIndex }: Root,
  { present, doomed, losses: { lost } }: PackCensus,
): Promise<RollbackEvidence | null> {
  for await (const packs of basePackRows(storage, { reference: baseIndex, keys })) {
    const gone = packs.find(({ id }) => !present.has(id) && !doomed.has(id) && !lost.has(id));
    if (gone === undefined) continue;
    const object = objectNames.pack(gone.id);
    const hint =
      'if the store was set back to an older state: stop all other programs that use the repository, then: lagan repository recover. If the pack was lost: lagan check reports it, and maintenance goes on without it';
    return { object, message: `${object} is gone, though the index lists it`, hint };
  }
  return null;
}
