/**
 * The three replacements of the root that make a collection. Each is a function of what is stored and of the root that is replaced alone, so any collector can go on
 * with what another one began, and whoever is killed leaves nothing that needs to be repaired.
 *
 * - A, {@link condemn}: the generation grows by one, and the packs that nobody needs are condemned. Any set is safe: it is a hint for writers that begin from now on.
 * - B, {@link fence}: floor becomes the generation. Sessions that began before can no longer commit, unless C sees what they have committed by then.
 * - C, {@link decide}: the catalogue of all snapshots below floor is frozen; condemned packs that they need are rescued, the others are doomed: also those that were replaced,
 *   as far as nothing but what was looked at before they were copied lists them. Under the root of a recovery
 *   it catalogues and lists all that is there (ROOT-23).
 *
 * Packs of dead sessions are in no index table and tell no generation; they are condemned like any other. That is safe although a pack in no table may belong to a
 * session that runs: such a session began before A (its pack was listed before A), so floor passes it with B. If its commit or checkpoint is there when C looks, its pack
 * is needed and rescued; otherwise it can never stand. Begun anew, it leaves out what is condemned or doomed, and finds its packs in no table that counts, since C left
 * the doomed ones out of the base index and tables below floor do not count: it uploads the chunks again.
 */
import pLimit from 'p-limit';
import {
  type CatalogueCheckpoint,
  type CatalogueEntry,
  isLaganError,
  type LaganError,
  limits,
  type MarkedSession,
  type ObjectReference,
  type PackId,
  type Root,
} from '../../repo-format/mod.ts';
import { isDamage } from '../packs/mod.ts';
import {
  lowestGeneration,
  type Repository,
  readPackList,
  readStandingSnapshot,
  replaceRoot,
  resealed,
  type StandingSnapshot,
  storeCatalogue,
  storeLostPacks,
  storePackList,
} from '../repository/mod.ts';
import { foldIndex } from './_base-index.ts';
import { maintainLimits } from './_limits.ts';
import { lostAfter } from './_lost-list.ts';
import type { PackCensus } from './_rollback.ts';
import type { Survey } from './_survey.ts';

/** The packs that a collection may condemn: there, not needed, not doomed yet. Damage means that it is not known what is needed. */
export function condemnable({ present, doomed }: PackCensus, { needed, damage }: Pick<Survey, 'needed' | 'damage'>): PackId[] {
  if (damage.length > 0) return [];
  const room = limits.packsPerRecord - doomed.size;
  const packs: PackId[] = [];
  for (const pack of present.keys()) if (!needed.has(pack) && !doomed.has(pack) && packs.length < room) packs.push(pack);
  return packs;
}

export interface CondemnOptions {
  readonly packs: readonly PackId[];
  readonly census: PackCensus;
  /** If packs are replaced: a base index with the copies, and what was looked at before they were made. */
  readonly repacked?: { readonly baseIndex: ObjectReference | null; readonly marked: readonly MarkedSession[] } | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * A. The doomed packs that the census did not find are forgotten: they are deleted. That is safe. A writer relies on packs of the base index and of index tables that
 * count. C left a doomed pack out of the base index; the tables that name it are of sessions that had begun before it was condemned, hence of generations below the
 * floor of that collection, and floor never sinks. So no writer looks at the list to know that it must not rely on the pack; and should a request that was delayed bring
 * the pack back, it is one that nobody needs, and is condemned anew.
 */
export async function condemn(
  repository: Repository,
  root: Root,
  { packs, census, repacked, signal }: CondemnOptions,
): Promise<Root | null> {
  const stillThere = [...census.doomed].filter((pack) => census.present.has(pack));
  const condemned = await storePackList(repository, root, { packs, marked: repacked?.marked, signal });
  const doomed =
    stillThere.length === census.doomed.size ? root.doomed : await storePackList(repository, root, { packs: stillThere, signal });
  const { baseIndex } = repacked ?? root;
  return replaceRoot(repository, root, { generation: root.generation + 1, phase: 'condemned', condemned, doomed, baseIndex, signal });
}

/** B. */
export async function fence(repository: Repository, root: Root, { signal }: { signal: AbortSignal | undefined }): Promise<Root | null> {
  return replaceRoot(repository, root, { phase: 'fencing', pastFloor: root.floor, floor: root.generation, signal });
}

export interface Decision {
  /** Null: another collector was faster. */
  readonly root: Root | null;
  readonly rescued: number;
  readonly foldedTables: number;
  readonly foldedSnapshots: number;
}

export interface DecideOptions {
  readonly onDamage: (error: LaganError) => void;
  /** All is to be sealed with the newest key: also snapshots for which the catalogue has no room otherwise. */
  readonly isSealing?: boolean | undefined;
  readonly signal: AbortSignal | undefined;
}

/** C. `survey` was made under `root`, below its floor. */
export async function decide(
  repository: Repository,
  survey: Survey,
  { onDamage, isSealing = false, signal }: DecideOptions,
): Promise<Decision> {
  const { root, needed, damage, tables, base } = survey;
  const [condemned, doomedBefore] = await Promise.all(
    [root.condemned, root.doomed].map((list) => readPackList(repository, list, { signal })),
  );
  // What damaged snapshots need is not known, or what was lost: all is rescued.
  const isUnsure = damage.length > 0 || survey.losses.unasked.size > 0;
  const unneeded = isUnsure ? [] : condemned!.filter((pack) => !needed.has(pack));
  const doomed = new Set([...doomedBefore!, ...unneeded]);
  const rescued = condemned!.filter((pack) => needed.has(pack) || (!doomed.has(pack) && base.replaced.has(pack)));
  const lost = lostAfter(survey);
  const snapshots = await catalogueEntries(repository, survey, { isSealing, signal });
  const checkpoints = survey.checkpoints.map(
    ({ id: session, generation, number }): CatalogueCheckpoint => ({ session, generation, number }),
  );
  const next = await replaceRoot(repository, root, {
    phase: 'open',
    pastFloor: root.floor,
    condemned: null,
    doomed: unneeded.length === 0 ? root.doomed : await storePackList(repository, root, { packs: [...doomed], signal }),
    catalogue:
      snapshots.length + checkpoints.length === 0
        ? null
        : await storeCatalogue(repository, root, { catalogue: { snapshots, checkpoints }, signal }),
    baseIndex: await foldIndex(repository, survey, {
      without: doomed,
      changed: unneeded.length > 0 || survey.losses.lost.size > 0 || survey.returned.unlisted.length > 0,
      rescued,
      lost: new Set(lost.keys()),
      onDamage,
      signal,
    }),
    lost: await storeLostPacks(repository, root, { lost, signal }),
    signal,
  });
  const folded = survey.snapshots.filter(({ generation }) => generation >= lowestGeneration(root)).length;
  return { root: next, rescued: condemned!.length - unneeded.length, foldedTables: tables.length, foldedSnapshots: folded };
}

/**
 * The stored snapshots are put in, so that one read lists them all, as long as there is room. One that was put in before stays in: its own object is deleted. One that is not put in keeps its
 * object, and that the key with which it was sealed.
 */
async function catalogueEntries(
  repository: Repository,
  { snapshots }: Survey,
  { isSealing, signal }: { isSealing: boolean; signal: AbortSignal | undefined },
): Promise<CatalogueEntry[]> {
  const { cataloguedBytes, cataloguedSnapshotBytes, resealedBytes, resealedSnapshotBytes, bytesPerEntry } = maintainLimits;
  const roomWhereOldBytes = isSealing ? resealedBytes - bytesPerEntry * snapshots.length : cataloguedBytes;
  const limitBytes = isSealing ? resealedSnapshotBytes : cataloguedSnapshotBytes;
  let usedBytes = snapshots.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
  return pLimit(maintainLimits.concurrentReads).map(snapshots, async (snapshot) => {
    const { id, generation, name } = snapshot;
    if (snapshot.bytes !== null) return { id, generation, object: withNewestKey(repository, snapshot.bytes, name) };
    const hasRoom = usedBytes < Math.max(cataloguedBytes, roomWhereOldBytes);
    const stored = hasRoom ? await storedBytes(repository, snapshot, { limitBytes, signal }) : noBytes;
    const object = stored.length === 0 ? noBytes : withNewestKey(repository, stored, name);
    const fits =
      object === stored
        ? object.length <= cataloguedSnapshotBytes && usedBytes + object.length <= cataloguedBytes
        : usedBytes + object.length <= roomWhereOldBytes;
    if (!fits) return { id, generation, object: noBytes };
    usedBytes += object.length;
    return { id, generation, object };
  });
}

const noBytes = new Uint8Array(0);

/** One that is damaged stays as it is: a check tells of it. */
function withNewestKey(repository: Repository, bytes: Uint8Array, name: string): Uint8Array {
  try {
    return resealed(repository, bytes, { name, kind: 'snapshot' });
  } catch (error) {
    if (isDamage(error)) return bytes;
    throw error;
  }
}

/** The stored snapshot, if it is what its name says. Empty if it is too large to be put in, or damaged: its own object then stays, and a check tells of it. */
async function storedBytes(
  repository: Repository,
  { name }: StandingSnapshot,
  { limitBytes, signal }: { limitBytes: number; signal: AbortSignal | undefined },
): Promise<Uint8Array> {
  try {
    const bytes = await repository.storage.get(name, undefined, { limitBytes, signal });
    await readStandingSnapshot(repository, { name, bytes });
    return bytes;
  } catch (error) {
    if (isDamage(error) || isLaganError(error, 'not-found')) return noBytes;
    throw error;
  }
}
