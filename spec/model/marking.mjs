// What the collector keeps. Snapshots list the packs that they rely on; a pack that was replaced leads to its replacements.

import { withLosses } from './losses.mjs';
import { checkpointStanding, copiesOf, holders, reach, standing, wantedOf } from './model.mjs';
import { bit, bitsOf, CHUNKS, OPEN, range } from './state.mjs';

/** What must be kept for what stands now, as far as anyone can know before A: [session, chunks]. */
function* kept(model, state) {
  const given = state.marks & ~state.holds;
  for (const session of range(model.sessions)) {
    const stands = standing(model, state, session) !== 'no';
    if (stands && !(given & bit(session))) yield [session, bitsOf(wantedOf(model, session))];
    const ended = stands || model.settling;
    if (!ended && checkpointStanding(state, session) !== 'no') yield [session, [0]];
  }
}

/** Packs that are needed under `root`, where a pack was replaced only its replacements. */
export function neededPacks(model, state, root) {
  let needed = 0;
  for (const [session, chunks] of kept(model, state)) {
    for (const chunk of chunks) {
      const copies = copiesOf(model, state, { root, session, chunk }) & ~root.doomed;
      const last = bitsOf(copies).filter((pack) => !(reachBeyond(root, pack) & copies));
      needed |= last.reduce((mask, pack) => mask | bit(pack), 0);
    }
  }
  return needed;
}

export function isNeeded(model, state, { root, pack, chunk }) {
  for (const [session, chunks] of kept(model, state))
    if (chunks.includes(chunk) && copiesOf(model, state, { root, session, chunk }) & bit(pack)) return true;
  return false;
}

/** The root of replacement C, by what the collector `own` has listed. */
export function doomingRoot(model, state, { own, abandoned }) {
  const { mistakes } = model;
  const { root, commits, tables } = own;
  const below = (session) =>
    state.generation[session] >= root.pastFloor && (state.generation[session] < root.floor || mistakes.has('minAge'));
  const within = (mask) => bitsOf(mask).reduce((sum, session) => (below(session) ? sum | bit(session) : sum), 0);
  const recovered = root.recovering ? state.rollback[0].catalogued : 0;
  const catalogue = (root.catalogue | recovered | within(commits)) & ~droppedBy(model, own);
  const superseded = mistakes.has('supersededByInvalid') ? commits | catalogue : catalogue;
  const checkpoints = (root.checkpoints | within(own.checkpoints)) & ~superseded & ~abandoned;
  const base = root.base | tables | (root.recovering ? state.packs : 0);
  const listed = { ...root, base, catalogue, checkpoints };
  const found = root.recovering ? withFound(model, state, listed) : listed;
  const kept = state.losses.length > 0 ? withLosses(model, state, { root: found, own }) : found;
  let doomed = root.doomed | (root.condemned & ~rescued(model, state, { root: kept, doubted: kept.lost | own.suspected }));
  if (mistakes.has('orphansLate')) doomed |= state.packs & ~kept.base;
  const replaced = keptReplacements(model, state, kept);
  return {
    ...kept,
    base: kept.base & ~doomed,
    doomed,
    replaced,
    condemned: 0,
    phase: OPEN,
    pastFloor: root.floor,
    noted: 0,
    recovering: 0,
  };
}

/** Snapshots that are given up: those with a mark and no hold. */
function droppedBy({ mistakes }, { root, marks, holds }) {
  if (mistakes.has('staleMarks')) return root.noted;
  return mistakes.has('holdsIgnored') ? marks : marks & ~holds;
}

/** Condemned packs that something in the catalogue needs: no copy is elsewhere by what it relies on. A copy that may be lost does not suffice. */
function rescued(model, state, { root, doubted }) {
  const { mistakes } = model;
  if (mistakes.has('noRemark')) return 0;
  let needed = 0;
  for (const [session, chunks] of catalogued(model, root)) {
    for (const chunk of chunks) {
      const relied = state.relies[session * CHUNKS.length + chunk];
      if (mistakes.has('replacedBlindly') && reachBeyond(root, relied) !== 0) continue;
      const copies = copiesOf(model, state, { root, session, chunk }) & ~root.doomed;
      // The pack itself counts, whether or not an index lists it; what replaced it counts if the base index does.
      const counting = mistakes.has('copyUnlisted') ? -1 : root.base | bit(relied);
      if (!(copies & counting & ~doubted & ~root.condemned)) needed |= copies & root.condemned;
    }
  }
  return needed;
}

function* catalogued(model, { catalogue, checkpoints }) {
  for (const session of bitsOf(catalogue)) yield [session, bitsOf(wantedOf(model, session))];
  for (const session of bitsOf(checkpoints)) yield [session, [0]];
}

/** An entry of `replaced` stays while something in the catalogue comes by it, however many steps it takes. */
function keptReplacements(model, state, root) {
  if (root.replaced.length === 0) return root.replaced;
  let used = 0;
  for (const [session, chunks] of catalogued(model, root))
    for (const chunk of chunks) used |= reach(root, state.relies[session * CHUNKS.length + chunk]);
  return root.replaced.map((packs, pack) => (used & bit(pack) ? packs : 0));
}

/** Recovery finds the chunks of packs that are gone in others. */
function withFound(model, state, root) {
  const replaced = root.replaced.map((packs, pack) => {
    if (state.packs & bit(pack)) return packs;
    const chunks = CHUNKS.filter((chunk) => holders(model, state, chunk) & bit(pack));
    return chunks.reduce((mask, chunk) => mask | (holders(model, state, chunk) & state.packs), packs);
  });
  return { ...root, replaced };
}

function reachBeyond(root, pack) {
  return reach(root, pack) & ~bit(pack);
}
