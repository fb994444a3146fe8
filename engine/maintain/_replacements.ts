/** Which packs were replaced by which, as the base index says. */
import type { PackId, Root } from '../../repo-format/mod.ts';
import { readBaseIndex as readBaseTables } from '../index/mod.ts';
import type { Repository } from '../repository/mod.ts';

/** A pack → the packs that have all that is needed of it. */
export type Replacements = ReadonlyMap<PackId, readonly PackId[]>;

/** What a base index says besides its rows. */
export interface BaseIndex {
  readonly replaced: Replacements;
}

/** Codes: not-found (another collector was faster) and those of damage. */
export async function readBaseIndex({ storage, keys }: Repository, { baseIndex }: Root): Promise<BaseIndex> {
  const { replaced } = await readBaseTables(storage, { reference: baseIndex, keys });
  return { replaced: new Map(replaced.map(({ pack, by }) => [pack, by])) };
}

/**
 * What stands for the packs that lists name: where a pack was replaced, its replacements and not the pack itself. Packs of `leaving`, which are being replaced, are left
 * out of them: what replaces those stands beside them, see {@link withReplaced}.
 */
export function followed(
  listed: Iterable<PackId>,
  { replaced, leaving }: { replaced: Replacements; leaving: ReadonlySet<PackId> },
): Set<PackId> {
  const found = new Set<PackId>();
  for (const pack of listed) {
    const by = replaced.get(pack);
    if (by === undefined) found.add(pack);
    else for (const one of by) if (!leaving.has(one)) found.add(one);
  }
  return found;
}

/**
 * Adds what is replaced now. An entry that led to such a pack leads to what replaces it, too; the pack stays in it until the pack is doomed ({@link settled}), so that a
 * snapshot that was not looked at keeps it.
 */
export function withReplaced(before: Replacements, now: Replacements): Replacements {
  const all = new Map<PackId, readonly PackId[]>();
  for (const [pack, by] of before) all.set(pack, [...new Set(by.flatMap((one) => [one, ...(now.get(one) ?? [])]))]);
  for (const [pack, by] of now) all.set(pack, by);
  return all;
}

/**
 * Adds what has chunks of packs that are lost, or may be. Such a pack stands for itself, too, as long as something lists it: it may be there, and only some of it damaged.
 */
export function withHolders(before: Replacements, holders: Replacements): Replacements {
  if (holders.size === 0) return before;
  const now = [...holders].map(([pack, by]): [PackId, readonly PackId[]] => [
    pack,
    [...new Set([pack, ...(before.get(pack) ?? []), ...by])],
  ]);
  return withReplaced(before, new Map(now));
}

/** What is needed once packs are replaced. A table of an unfinished session needs the packs that it lists. */
export function neededAfter(
  { listed, inTables }: { listed: ReadonlySet<PackId>; inTables: ReadonlySet<PackId> },
  replacing: { replaced: Replacements; leaving: ReadonlySet<PackId> },
): ReadonlySet<PackId> {
  const needed = followed(listed, replacing);
  for (const pack of inTables) needed.add(pack);
  return needed;
}

/** The entries that stay after a decision: those by which lists lead somewhere. Not those of rescued packs, which stand for themselves again. */
export function settled(
  replaced: Replacements,
  { doomed, rescued, isListed }: { doomed: ReadonlySet<PackId>; rescued: ReadonlySet<PackId>; isListed: (pack: PackId) => boolean },
): Replacements {
  const kept = new Map<PackId, readonly PackId[]>();
  for (const [pack, by] of replaced)
    if (isListed(pack) && !rescued.has(pack))
      kept.set(
        pack,
        by.filter((one) => !doomed.has(one)),
      );
  return kept;
}

/** As a base index holds them, in order. */
export function entriesOf(replaced: Replacements): { pack: PackId; by: readonly PackId[] }[] {
  return [...replaced].map(([pack, by]) => ({ pack, by: [...by].sort() })).sort((left, right) => (left.pack < right.pack ? -1 : 1));
}
