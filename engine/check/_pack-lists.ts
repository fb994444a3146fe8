/** Every snapshot lists the packs that it relies on: collectors and mirrors look only there. */
import type { PackId, Snapshot } from '../../repo-format/mod.ts';
import type { Findings, Problem } from './_findings.ts';
import type { KnownPacks } from './_known-packs.ts';
import type { TreeChecker } from './_tree-checker.ts';

/** Compares a snapshot's list with `relied`, the ordinals of the packs that its tree relies on. */
export async function checkPackList({
  name,
  snapshot,
  relied,
  walk,
  packs,
  findings,
}: {
  name: string;
  snapshot: Snapshot;
  relied: Uint32Array;
  walk: TreeChecker;
  packs: KnownPacks;
  findings: Findings;
}): Promise<void> {
  if (snapshot.packs === null) return;
  const { height, count } = snapshot.packs;
  const lists = await walk.readPackList(snapshot.packs, { height, below: count });
  if (lists === undefined) return;
  const used = new Set<PackId>();
  for (const ordinal of relied) used.add(packs.at(ordinal).id);
  tell({ name, what: 'the list of packs', wanted: used, listed: lists.listed, findings });
  tell({ name, what: 'the list of packs that hold the list itself', wanted: lists.holders, listed: new Set(snapshot.listPacks), findings });
}

function tell({
  name,
  what,
  wanted,
  listed,
  findings,
}: {
  name: string;
  what: string;
  wanted: ReadonlySet<PackId>;
  listed: ReadonlySet<PackId>;
  findings: Findings;
}): void {
  const [missing, idle] = [countMissing(wanted, listed), countMissing(listed, wanted)];
  const problem = (message: string): Problem => ({ code: 'malformed', message: `${name}: ${message}`, object: name });
  if (missing > 0)
    findings.add(problem(`${what} lacks ${missing} of ${wanted.size} packs that the snapshot relies on: a collection could delete them`));
  if (idle > 0) findings.add({ ...problem(`${what} names ${idle} packs that the snapshot does not need`), severity: 'note' });
}

function countMissing(wanted: ReadonlySet<PackId>, listed: ReadonlySet<PackId>): number {
  let count = 0;
  for (const pack of wanted) if (!listed.has(pack)) count++;
  return count;
}
