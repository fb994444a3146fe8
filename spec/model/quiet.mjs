// If nobody writes any more from some state on, a few collections leave no pack that nothing needs: what litter dead sessions and slow collectors left goes, too.

import { collectorSteps, IDLE } from './collector.mjs';
import { neededPacks } from './marking.mjs';
import { createModel } from './model.mjs';
import { newCollector, OPEN } from './state.mjs';
import { deletions } from './world.mjs';

const settlingModels = new WeakMap();

export function leak(model, state) {
  const settling = settlingModelOf(model);
  let current = model.codec.copy(state);
  current.collectors[0] = newCollector(model);
  const last = current.root.generation + model.config.quietCollections;
  for (;;) {
    const next = deletions(settling, current).next().value ?? collection(settling, current, last);
    if (next === undefined) return 'collection does not go on';
    if (next === null) break;
    current = next.state;
  }
  return current.packs & ~neededPacks(settling, current, current.root) ? 'a pack that nothing needs remains' : null;
}

/** The next step of the only collector, which condemns what is not needed and gives up what writers left; null if it is done. */
function collection(model, state, last) {
  if (state.collectors[0].step === IDLE && state.root.phase === OPEN && state.root.generation >= last) return null;
  return collectorSteps(model, state, 0).next().value;
}

function settlingModelOf(model) {
  const known = settlingModels.get(model);
  if (known !== undefined) return known;
  const features = model.config.features.filter((feature) => feature !== 'pages' && feature !== 'quiet');
  const settling = createModel({ ...model.config, features, generations: Number.POSITIVE_INFINITY, condemn: 'unused' });
  settling.settling = true;
  settlingModels.set(model, settling);
  return settling;
}
