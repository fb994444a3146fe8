// The owner of the repository forgets a snapshot, takes that back, or holds it. Marks and holds are objects; what is confirmed must come true.

import { isAcknowledged, standing, step } from './model.mjs';
import { bit, FENCING, range } from './state.mjs';

const IDLE = 0;
const CONFIRM = 1;
const DONE = 2;

export function* ownerSteps(model, state) {
  const [own] = state.owners;
  if (own.step === IDLE) yield* begin(model, state);
  if (own.step === CONFIRM) yield* confirm(model, state, own.target);
}

function* begin(model, state) {
  for (const session of range(model.sessions)) {
    if (!isAcknowledged(model, state, session) || standing(model, state, session) === 'no') continue;
    const mask = bit(session);
    if (model.features.has('drop') && session === model.elder) continue;
    if (!(state.markedEver & mask))
      yield step(model, state, `session ${session} is forgotten`, (next) => {
        next.marks |= mask;
        next.markedEver |= mask;
      });
    if (model.features.has('drop')) continue;
    if (state.marks & mask)
      yield step(model, state, `the mark of session ${session} is taken away`, (next) => {
        next.marks &= ~mask;
        next.owners[0] = { step: CONFIRM, target: session };
      });
    yield step(model, state, `session ${session} is held`, (next) => {
      next.holds |= mask;
      next.owners[0] = { step: CONFIRM, target: session };
    });
  }
}

/** Read the root: what a collector decides after this it decides by marks and holds that it reads after this, unless it fences already. */
function* confirm(model, state, session) {
  if (state.root.phase === FENCING && !model.mistakes.has('eagerHold')) return;
  const stands = standing(model, state, session) !== 'no';
  yield step(model, state, `hold or undelete of session ${session} is ${stands ? 'confirmed' : 'refused'}`, (next) => {
    next.owners[0] = { step: DONE, target: -1 };
    if (stands) next.promised |= bit(session);
  });
}
