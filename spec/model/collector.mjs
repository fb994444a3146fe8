// A collector: replaces the root three times (A: condemns; B: raises the floor; C: freezes the catalogue, marks again, dooms). Any number may run, and stop and
// go on at any step. Before A it may copy what is needed of a pack into a new one: of one that the base index or a table of a session lists.

import { answersOfStore } from './losses.mjs';
import { doomingRoot, isNeeded, neededPacks } from './marking.mjs';
import { landedCheckpoints, landedCommits, step, tablesFrom } from './model.mjs';
import { noticedByCollector, RECOVERED } from './rollback.mjs';
import { bit, bitsOf, CHUNKS, CONDEMNED, FENCING, listings, newCollector, OPEN, subsets } from './state.mjs';

export const IDLE = 0;
const DECIDE = 1;
const COMMITS = 2;
const COMMITS_RUNNING = 3;
const TABLES = 4;
const TABLES_RUNNING = 5;
const DOOM = 6;
const DELETE = 7;

export function* collectorSteps(model, state, index) {
  const own = state.collectors[index];
  const context = { model, state, index, own };
  if (own.step === IDLE) yield* begin(context);
  else if (own.step === DELETE) yield* deleteByOwnRoot(context);
  else if (own.step === COMMITS || own.step === COMMITS_RUNNING) yield* listCommits(context);
  else if (own.step === TABLES || own.step === TABLES_RUNNING) yield* listTables(context);
  else if (own.step === DOOM) yield* doom(context);
  else if (own.root.phase === OPEN) yield* condemn(context);
  else if (own.root.phase === CONDEMNED) yield fence(context);
  else yield* beginListing(context);
}

/** Reads the root, then the reports, then asks the store. With a store that may have been rolled back: nothing is done if that shows. */
function* begin({ model, state, index }) {
  const { root } = state;
  if (root.phase === OPEN && root.generation >= lastGeneration(model, state)) return;
  for (const answer of answersOfStore(model, state)) {
    if (noticedByCollector(model, state, answer.gone)) continue;
    const learned = answer.suspected === 0 ? '' : `, suspects packs ${bitsOf(answer.suspected)} and finds ${bitsOf(answer.gone)} gone`;
    yield step(model, state, `collector ${index} reads the root${learned}`, (next) => {
      const present = model.features.has('prune') || state.losses.length > 0 ? state.packs : 0;
      next.collectors[index] = { ...newCollector(model), step: DECIDE, root: copyRoot(root), present, ...answer };
    });
  }
}

/** Replacement A: publishes what is condemned, a hint. */
function* condemn(context) {
  const { model, state, own } = context;
  if (own.moveFrom < 0) yield* repack(context);
  const root = prunedRoot(model, { ...copyRoot(own.root), generation: own.root.generation + 1, phase: CONDEMNED }, own);
  if (own.moveFrom >= 0) {
    root.replaced[own.moveFrom] |= bit(own.moveTo);
    if (!model.mistakes.has('copyUnlisted')) root.base |= bit(own.moveTo);
  }
  if (model.mistakes.has('staleMarks')) root.noted = state.marks & ~state.holds;
  if (model.mistakes.has('reportsEarly')) root.noted = own.suspected;
  for (const condemned of condemnable(model, state, root)) {
    const chosen = own.moveFrom >= 0 ? condemned | bit(own.moveFrom) : condemned;
    yield replaceRoot(context, { label: `A, condemning packs ${bitsOf(chosen)}`, root: { ...root, condemned: chosen } });
  }
}

/** Copies the chunks that are needed of some pack into a new pack, before A. */
function* repack({ model, state, index, own }) {
  if (model.settling || state.movedCount >= model.config.repacks) return;
  const listed = own.root.base | tablesFrom(state, own.root.floor);
  for (const pack of bitsOf(listed & ~own.root.doomed & state.packs)) {
    const chunks = CHUNKS.filter((chunk) => isNeeded(model, state, { root: own.root, pack, chunk }));
    if (chunks.length === 0) continue;
    yield step(model, state, `collector ${index} copies chunks ${chunks} of pack ${pack}`, (next) => {
      const moved = model.firstMoved + state.movedCount;
      next.moved[next.movedCount++] = chunks.reduce((mask, chunk) => mask | bit(chunk), 0);
      next.packs |= bit(moved);
      Object.assign(next.collectors[index], { moveFrom: pack, moveTo: moved });
    });
  }
}

/** The sets of packs that may be condemned: of those that exist before A. */
function condemnable(model, state, root) {
  let existing = state.packs & ~root.doomed;
  if (model.config.condemn === 'any') return subsets(existing);
  // The root as it would be: a pack that was moved is not needed any more, its replacement is.
  if (model.mistakes.has('indexedOnly')) existing &= root.base | tablesFrom(state, root.floor);
  return [existing & ~neededPacks(model, state, root)];
}

/** Replacement B: floor becomes the generation. */
function fence(context) {
  const { model, state, index, own } = context;
  const { mistakes } = model;
  if (mistakes.has('listBeforeFence') && own.marks === 0)
    return step(model, state, `collector ${index} lists commits too early`, (next) =>
      Object.assign(next.collectors[index], { commits: landedCommits(state), marks: 1 }),
    );
  const root = { ...copyRoot(own.root), phase: FENCING, pastFloor: own.root.floor };
  if (!mistakes.has('minAge')) root.floor = own.root.generation;
  if (mistakes.has('listBeforeFence')) root.noted = own.commits;
  return replaceRoot(context, { label: 'B', root });
}

/** Marks and holds are read after the root that fences. */
function* beginListing({ model, state, index }) {
  yield step(model, state, `collector ${index} has read marks and holds`, (next) => {
    const { marks, holds } = state;
    Object.assign(next.collectors[index], { marks, holds, step: model.mistakes.has('indexBeforeCommits') ? TABLES : COMMITS });
  });
}

function* listCommits({ model, state, index, own }) {
  const now = model.mistakes.has('listBeforeFence') ? own.root.noted : landedCommits(state);
  if (model.features.has('pages') && own.step === COMMITS) {
    yield step(model, state, `collector ${index} begins to list commits`, (next) =>
      Object.assign(next.collectors[index], { first: now, step: COMMITS_RUNNING }),
    );
    return;
  }
  const following = model.mistakes.has('indexBeforeCommits') ? DOOM : TABLES;
  for (const commits of own.step === COMMITS_RUNNING ? listings(own.first, now) : [now])
    yield step(model, state, `collector ${index} has listed commits of sessions ${bitsOf(commits)}`, (next) => {
      const checkpoints = model.mistakes.has('checkpointsIgnored') ? 0 : landedCheckpoints(state);
      Object.assign(next.collectors[index], { commits, checkpoints, first: 0, step: following });
    });
}

/** After the commits: a commit that was listed has its tables in this listing. */
function* listTables({ model, state, index, own }) {
  const { pastFloor, floor } = own.root;
  const now = tablesFrom(state, pastFloor) & ~(model.mistakes.has('minAge') ? 0 : tablesFrom(state, floor));
  if (model.features.has('pages') && own.step === TABLES) {
    yield step(model, state, `collector ${index} begins to list tables`, (next) =>
      Object.assign(next.collectors[index], { first: now, step: TABLES_RUNNING }),
    );
    return;
  }
  const following = model.mistakes.has('indexBeforeCommits') ? COMMITS : DOOM;
  for (const tables of own.step === TABLES_RUNNING ? listings(own.first, now) : [now])
    yield step(model, state, `collector ${index} has listed tables of packs ${bitsOf(tables)}`, (next) =>
      Object.assign(next.collectors[index], { tables, first: 0, step: following }),
    );
}

/** Replacement C. Which checkpoints are given up is policy. */
function* doom(context) {
  const { model, state, own } = context;
  for (const abandoned of model.features.has('abandon') || model.settling ? subsets(own.root.checkpoints | own.checkpoints) : [0]) {
    const root = prunedRoot(model, doomingRoot(model, state, { own, abandoned }), own);
    yield replaceRoot(context, { label: `C, dooming packs ${bitsOf(root.doomed & ~own.root.doomed)}`, root });
  }
}

/** Leaves out of the doomed list of the root that was read the packs that a listing after it no longer showed. */
function prunedRoot(model, root, { root: read, present }) {
  if (!model.features.has('prune')) return root;
  const gone = model.mistakes.has('pruneUnconfirmed') ? read.doomed : read.doomed & ~present;
  if (model.mistakes.has('replacedDropped')) for (const pack of bitsOf(gone)) root.replaced[pack] = 0;
  return { ...root, doomed: root.doomed & ~gone };
}

/**
 * The collector stores `root` as the successor of the one that it has read. Numbered roots: creation succeeds if the number is above all others, and also
 * if the number is below the highest and was pruned, which may have happened to any of them. Then it lists again, by beginning anew.
 */
function replaceRoot({ model, state, index, own }, { label, root: content }) {
  const { mistakes } = model;
  const root = { ...content, number: own.root.number + 1, line: lineOf(state), gap: 0 };
  const wins = root.number > state.root.number;
  const { number, line } = state.root;
  if (state.rollback.length > 0 && (number !== own.root.number || line !== own.root.line)) root.gap = 1;
  return step(model, state, `collector ${index} creates root ${root.number}: ${label}${wins ? '' : ' (loses)'}`, (next) => {
    next.collectors[index] = newCollector(model);
    if (wins || mistakes.has('blindPut')) {
      if (mistakes.has('pruneAll')) next.previous = [state.root];
      next.root = { ...root, number: mistakes.has('blindPut') ? state.root.number + 1 : root.number };
      next.doomedEver |= root.doomed;
      noteHighest(next);
      if (root.phase === OPEN && state.losses.length > 0) removeReports(next.losses[0], mistakes, own);
    }
    // Whoever trusts the creation goes on with its own root.
    const created = wins || root.number < state.root.number;
    if (mistakes.has('trustCreate') && created) next.collectors[index] = { ...newCollector(model), step: DELETE, root };
  });
}

/** A collector that believes in its own root deletes what that one dooms, and goes on with it. */
function* deleteByOwnRoot({ model, state, index, own }) {
  const { root } = own;
  for (const pack of bitsOf(root.doomed & state.packs))
    yield step(model, state, `collector ${index} deletes pack ${pack}`, (next) => (next.packs &= ~bit(pack)));
  if (root.phase === OPEN && root.generation >= model.config.generations) return;
  yield step(model, state, `collector ${index} goes on with its root`, (next) => (next.collectors[index].step = DECIDE));
}

/** A report goes if the pack was found to be there; or once the root names the pack, see `lossSteps`. */
function removeReports(losses, mistakes, { reports, mistaken, suspected, gone }) {
  const kept = mistakes.has('lostForgotten') ? suspected & ~gone : suspected;
  losses.reports &= ~(reports & ~kept);
  losses.mistaken &= ~(mistaken & ~kept);
}

function lineOf({ rollback: [rollback] }) {
  return rollback === undefined ? 0 : Math.max(0, rollback.step - 1);
}

/** After a recovery there is room for it and for one more collection. */
function lastGeneration({ config }, { rollback: [rollback] }) {
  return config.generations + (rollback?.step === RECOVERED ? 2 : 0);
}

/** What was ever reached, whatever the store forgets. */
export function noteHighest({ root, rollback: [rollback] }) {
  if (rollback === undefined) return;
  rollback.highestNumber = Math.max(rollback.highestNumber, root.number);
  rollback.highestGeneration = Math.max(rollback.highestGeneration, root.generation);
  rollback.catalogued |= root.catalogue;
}

function copyRoot(root) {
  return { ...root, replaced: [...root.replaced] };
}
