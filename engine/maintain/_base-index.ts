import { type LaganError, limits, type ObjectReference, objectNames, type PackId, type Root } from '../../repo-format/mod.ts';
import { type BaseTable, countRows, listedPacks, type MergeOptions, mergeIndexTables, readBaseIndex } from '../index/mod.ts';
import { listPresentPacks } from '../packs/mod.ts';
import { idForSuccessor, isRecoveryRoot, type Repository } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { HashedTarget } from './_hashed-target.ts';
import { maintainLimits } from './_limits.ts';
import { entriesOf, type Replacements, settled } from './_replacements.ts';
import type { Survey } from './_survey.ts';
import { packsListedIn, storeTablesOf } from './_unlisted-packs.ts';

export interface Fold extends CallOptions {
  /** Packs that the new base index leaves out. */
  readonly without: ReadonlySet<PackId>;
  /** Whether the old one lists some of them. */
  readonly changed: boolean;
  /** Packs that were condemned and are needed: they are listed from now on, though perhaps no table does. */
  readonly rescued: readonly PackId[];
  /** Packs that are lost: what the index says of them no longer counts. */
  readonly lost: ReadonlySet<PackId>;
  /** Is told of packs that cannot be read: they are not listed. */
  readonly onDamage: (error: LaganError) => void;
}

/** The base index of step C. Under the root of a recovery it lists every pack that is there, and no other. */
export async function foldIndex(
  repository: Repository,
  { root, tables, unreadableTables, base, listed: named, needed, damage, losses, returned }: Survey,
  { without, changed, rescued: allRescued, lost, onDamage, signal }: Fold,
): Promise<ObjectReference | null> {
  const names = tables.map(({ name }) => name);
  // What was called lost and is good is listed again; so is what has chunks that were lost.
  const again = [...losses.before.keys()].filter((pack) => losses.sound.has(pack));
  const rescued = [...allRescued, ...again].filter((pack) => !lost.has(pack));
  const isRecovery = isRecoveryRoot(root);
  const isPartly = unreadableTables.length > 0;
  const listed = isRecovery || isPartly || rescued.length > 0 ? await packsListedIn(repository, root, names) : new Set<PackId>();
  // Asked for after the tables were listed: what they name was there before them.
  const stored = isRecovery || isPartly ? await listPresentPacks(repository.storage, { signal }) : undefined;
  const present = isRecovery ? stored : undefined;
  // What only tables list that cannot be read is listed by itself, as far as something needs it.
  const neededToo = isPartly ? [...needed].filter((pack) => stored!.has(pack)) : [];
  const unlisted = new Set([...(present ?? [...rescued, ...neededToo])].filter((pack) => !listed.has(pack) && !lost.has(pack)));
  for (const pack of returned.unlisted) unlisted.add(pack);
  const gone = present === undefined ? [] : [...listed].filter((pack) => !present.has(pack));
  const added = await storeTablesOf(repository, root, { packs: [...unlisted], onDamage });
  // Of packs that were to be replaced and stay the names lead to copies, which nothing else may need.
  const back = rescued.filter((pack) => base.replaced.has(pack));
  const first = await storeTablesOf(repository, root, { packs: back, onDamage });
  const isSame = names.length + added.length + gone.length + back.length === 0 && !changed;
  if (isSame || (root.baseIndex === null && names.length + added.length === 0)) return root.baseIndex;
  const knowsAll = damage.length === 0 && !isRecovery;
  const replaced = settled(base.replaced, {
    doomed: without,
    rescued: new Set(back),
    // Of what is lost only what is not back is looked for again: the entry must stay, whatever snapshots were looked at.
    isListed: (pack) => !knowsAll || named.has(pack) || lost.has(pack),
  });
  return storeBaseIndex(repository, root, {
    first,
    tables: [...names, ...added],
    without: new Set([...without, ...gone, ...lost]),
    replaced,
  });
}

/** What changes from the old base index to the new one. */
export interface BaseChanges {
  /** Tables whose rows count before those of the old base index. */
  readonly first?: readonly string[];
  /** Tables of sessions, by name. */
  readonly tables: readonly string[];
  /** Packs whose rows no longer count. */
  readonly without: ReadonlySet<PackId>;
  /** Default: what the old one says. */
  readonly replaced?: Replacements;
}

/**
 * Stores the base index for the successor of `root`: what the old one and the tables have, without the packs that are doomed. A base index is a row of tables, each several
 * times as large as the one before; only as many of the newest are merged with what is new as keeps it so, and what is left out of the others is said in the newest. So the cost
 * is that of what changed, and each row is rewritten a few times in its life (docs/decisions/019-base-index.md).
 */
export async function storeBaseIndex(
  repository: Repository,
  root: Root,
  { first = [], tables, without, replaced }: BaseChanges,
): Promise<ObjectReference> {
  const { storage, keys } = repository;
  const base = await readBaseIndex(storage, { reference: root.baseIndex, keys });
  const withoutOlder = new Set([...base.leftOut, ...without]);
  const levels = await Promise.all(base.tables.map((table, age) => levelOf(repository, table, age === 0 ? without : withoutOlder)));
  const added = await inOneRound(repository, root, { first, tables, without });
  const count = countMerged(levels, added.rows);
  const [merged, older] = [levels.slice(0, count), levels.slice(count)];
  return storeMerged(repository, root, {
    tables: [...first, ...merged.map(({ name }) => name), ...added.tables],
    without,
    replaced: replaced === undefined ? base.replaced : entriesOf(replaced),
    withoutIn: new Map(merged.map(({ name, left }) => [name, new Set(left.keys())])),
    older: older.map((level) => level.reference),
    leftOut: [...new Set(older.flatMap(({ left }) => [...left.keys()]))],
  });
}

/** A table of the base index that is there. */
interface Level extends BaseTable {
  /** Its packs that do not count, with the chunks of each. */
  readonly left: ReadonlyMap<PackId, number>;
}

async function levelOf({ storage, keys }: Repository, table: BaseTable, gone: ReadonlySet<PackId>): Promise<Level> {
  return { ...table, left: await listedPacks(storage, { name: table.name, keys, wanted: gone }) };
}

/** How many of the newest tables are merged with `rows` new ones. */
function countMerged(levels: readonly Level[], rows: number): number {
  const { baseTables, baseTableRatio, smallTableRows, unusedRowsPart } = maintainLimits;
  let merged = 0;
  let sum = rows;
  for (const [index, level] of levels.entries()) {
    const unused = [...level.left.values()].reduce((total, chunks) => total + chunks, 0);
    const isSmall = index === merged && level.rows <= Math.max(smallTableRows, baseTableRatio * sum);
    const isMany = levels.length - index >= baseTables;
    const hasLeftOut = unused > unusedRowsPart * level.rows || level.left.size > limits.leftOutPacks / baseTables;
    if (!isSmall && !isMany && !hasLeftOut) continue;
    merged = index + 1;
    sum = levels.slice(0, merged).reduce((total, other) => total + other.rows, rows);
  }
  return merged;
}

/** Where many tables are to be merged, some are first, so that memory does not grow with their number; what lies between is an object that no root refers to, and is deleted with those. */
async function inOneRound(
  repository: Repository,
  root: Root,
  { first, tables, without }: Required<Pick<BaseChanges, 'first' | 'tables' | 'without'>>,
): Promise<{ tables: readonly string[]; rows: number }> {
  let sources = tables;
  while (sources.length >= maintainLimits.mergedTables) {
    const merged: string[] = [];
    for (let index = 0; index < sources.length; index += maintainLimits.mergedTables) {
      const group = sources.slice(index, index + maintainLimits.mergedTables);
      const { id } = await storeMerged(repository, root, { tables: group, without });
      merged.push(objectNames.baseIndex(id));
    }
    sources = merged;
  }
  const { storage, keys } = repository;
  const rows = await Promise.all([...first, ...sources].map((name) => countRows(storage, { name, keys })));
  return { tables: sources, rows: rows.reduce((sum, count) => sum + count, 0) };
}

async function storeMerged(
  { storage, keys }: Repository,
  root: Root,
  merge: Omit<MergeOptions, 'name' | 'keys' | 'target'>,
): Promise<ObjectReference> {
  const id = idForSuccessor(root);
  const target = new HashedTarget(storage);
  await mergeIndexTables(storage, { ...merge, name: objectNames.baseIndex(id), keys, target });
  return { id, hash: target.digest() };
}
