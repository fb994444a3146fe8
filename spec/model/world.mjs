// What may happen at any time: a request lands late, or again; what may be deleted is deleted, by whoever once read that it may be.

import { lossSteps } from './losses.mjs';
import { lowest, step } from './model.mjs';
import { noticedByDeleter, SAVED } from './rollback.mjs';
import { bit, bitsOf, DELETED, IN_FLIGHT, LANDED, range } from './state.mjs';

export function* worldSteps(model, state) {
  yield* landings(model, state);
  yield* deletions(model, state);
  if (state.losses.length > 0) yield* lossSteps(model, state);
  const [previous] = state.previous;
  if (previous !== undefined && previous.number < state.root.number)
    yield step(model, state, 'the highest root is pruned', (next) => (next.root = { ...previous }));
}

function* landings(model, state) {
  for (const session of range(model.written)) {
    const lands = state.commit[session] === IN_FLIGHT || (model.features.has('repeats') && state.commit[session] === DELETED);
    if (lands) yield step(model, state, `commit of session ${session} lands`, (next) => (next.commit[session] = LANDED));
    if (state.checkpoint[session] === IN_FLIGHT)
      yield step(model, state, `checkpoint of session ${session} lands late`, (next) => (next.checkpoint[session] = LANDED));
    if (state.lateTables[session] > 0)
      yield step(model, state, `table of session ${session} lands late`, (next) => {
        next.tables[session] |= state.lateTables[session];
        next.lateTables[session] = 0;
      });
  }
  for (const pack of bitsOf(state.latePacks))
    yield step(model, state, `pack ${pack} lands late`, (next) => {
      next.packs |= bit(pack);
      next.latePacks &= ~bit(pack);
    });
}

export function* deletions(model, state) {
  for (const pack of bitsOf(deletable(model, state) & state.packs))
    yield step(model, state, `pack ${pack} is deleted`, (next) => (next.packs &= ~bit(pack)));
  if (model.features.has('objects')) yield* objectDeletions(model, state);
}

function deletable(model, state) {
  if (state.rollback.length === 0 || model.mistakes.has('oldListDeletes')) return state.doomedEver;
  return noticedByDeleter(state) ? 0 : state.root.doomed;
}

/** Commits that the catalogue holds or that can never count, and tables that are in the base index or that nothing needs. */
function* objectDeletions(model, state) {
  if (noticedByDeleter(state)) return;
  const bound = retainedFrom(model, state);
  for (const session of range(model.sessions)) {
    if (state.generation[session] < 0) continue;
    const commitBound = model.mistakes.has('pendingDeleted') ? state.root.floor : bound;
    const tableBound = model.mistakes.has('tablesEarly') ? state.root.floor : bound;
    if (state.commit[session] === LANDED && state.generation[session] < commitBound)
      yield step(model, state, `commit object of session ${session} is deleted`, (next) => (next.commit[session] = DELETED));
    if (state.checkpoint[session] === LANDED && state.generation[session] < bound)
      yield step(model, state, `checkpoint object of session ${session} is deleted`, (next) => (next.checkpoint[session] = DELETED));
    if (state.tables[session] !== 0 && state.generation[session] < tableBound)
      yield step(model, state, `tables of session ${session} are deleted`, (next) => (next.tables[session] = 0));
  }
}

/** Objects of this generation and later ones stay: a root that could come back needs them, too. */
function retainedFrom(model, { root, rollback: [rollback] }) {
  const bound = lowest(root);
  if (rollback?.step !== SAVED || model.mistakes.has('forgetEvidence')) return bound;
  return Math.min(bound, lowest(rollback.saved));
}
