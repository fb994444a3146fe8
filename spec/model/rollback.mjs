// The store shows an older root again, once, while other objects stay as they are. Who notices stops: neither writes, collects nor deletes. The owner recovers.

import { step } from './model.mjs';
import { bit, FENCING, LANDED } from './state.mjs';

const WHOLE = 0;
export const SAVED = 1;
export const ROLLED_BACK = 2;
export const RECOVERED = 3;

export function* rollbackSteps(model, state) {
  const [own] = state.rollback;
  const { root } = state;
  if (own.step === WHOLE)
    yield step(model, state, 'a copy of the root is kept by the store', (next) => {
      next.rollback[0].saved = { ...root };
      next.rollback[0].step = SAVED;
    });
  if (own.step === SAVED && root.number > own.saved.number && mayRollBack(model, state))
    yield step(model, state, `the store goes back from root ${root.number} to root ${own.saved.number}`, (next) => {
      next.root = { ...own.saved };
      next.rollback[0].step = ROLLED_BACK;
    });
  if (own.step === ROLLED_BACK) yield recover(model, state, own);
}

/** Assumed: no collector from before goes on after the rollback. With the feature `sleepers` it may. */
function mayRollBack(model, state) {
  return model.features.has('sleepers') || state.collectors.every((collector) => collector.step === 0);
}

/** The owner's root: beyond every number and generation that ever were, of a new line; a collector then does C, with all commits and packs that are there. */
function recover(model, state, own) {
  const { root } = state;
  const number = Math.max(own.highestNumber, root.number) + 1;
  const generation = Math.max(own.highestGeneration, root.generation) + 1;
  return step(model, state, `the owner recovers with generation ${generation}`, (next) => {
    const recovered = { number, generation, floor: generation, pastFloor: 0, phase: FENCING, line: 2, gap: 0, recovering: 1 };
    next.root = { ...root, ...recovered, condemned: 0, doomed: 0 };
    Object.assign(next.rollback[0], { step: RECOVERED, highestNumber: number, highestGeneration: generation });
  });
}

export function noticedByWriter(model, state, own) {
  if (state.root.gap && !model.mistakes.has('gapAccepted')) return true;
  if (!beganInThisLine(state, own) && !model.mistakes.has('lineIgnored')) return true;
  return hasEvidence(state) && !model.mistakes.has('evidenceIgnored');
}

/** `gone`: packs that were reported, and for which the collector has asked itself: they are lost. */
export function noticedByCollector(model, state, gone) {
  if (state.rollback.length === 0) return false;
  if (state.root.gap && !model.mistakes.has('gapAccepted')) return true;
  if (hasEvidence(state) && !model.mistakes.has('evidenceIgnored')) return true;
  return lacksPacks(state, gone) && !model.mistakes.has('missingIgnored');
}

export function noticedByDeleter(state) {
  return state.rollback.length > 0 && Boolean(state.root.gap);
}

/** Whether anyone who looks can see that the store was rolled back. */
export function isNoticeable(state) {
  return state.rollback[0].step === ROLLED_BACK && (Boolean(state.root.gap) || hasEvidence(state) || lacksPacks(state));
}

/** A commit or table of a generation that the root has not reached. */
function hasEvidence(state) {
  return state.generation.some((generation, session) => generation > state.root.generation && isStored(state, session));
}

function isStored(state, session) {
  return state.commit[session] === LANDED || state.tables[session] !== 0;
}

/** Packs of the base index are gone that this root never doomed. */
function lacksPacks({ root, packs }, gone = 0) {
  return (root.base & ~root.doomed & ~packs & ~gone) !== 0;
}

/** Whether the root with which a session began is one of those that led to this one. */
export function beganInThisLine({ root, rollback: [own] }, { number, line }) {
  if (line === root.line) return number <= root.number;
  return root.line === 1 && line === 0 && number <= own.saved.number;
}

export function wasCatalogued({ rollback: [own] }, session) {
  return Boolean(own.catalogued & bit(session));
}

/** What a writer remembers of the root with which it begins. */
export function rootSeen({ root, rollback: [own] }) {
  return { number: root.number, line: root.line, sawRolledBack: Number(own.step >= ROLLED_BACK) };
}

/**
 * Whether a session began under a root that is still there, before the store went back, and is acknowledged after it: what it stored may have been deleted under
 * roots that nobody knows any more. This is not covered.
 */
export function ranAcross(state, writer) {
  const [own] = state.rollback;
  return own !== undefined && own.step >= ROLLED_BACK && writer.sawRolledBack === 0 && beganInThisLine(state, writer);
}
