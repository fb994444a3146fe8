// What must never be.

import { excusedChunks, lossFault } from './losses.mjs';
import { checkpointStanding, copiesOf, holders, isOwed, lowest, standing, tablesFrom, wantedOf } from './model.mjs';
import { leak } from './quiet.mjs';
import { readerFault } from './reader.mjs';
import { isNoticeable, wasCatalogued } from './rollback.mjs';
import { bit, bitsOf, LANDED, range } from './state.mjs';
import { DONE } from './writer.mjs';

const LOST = 'an acknowledged snapshot is lost';
const BROKEN = 'a valid snapshot refers to a doomed or deleted pack';

/** The reason why the state must not be, or null. */
export function fault(model, state) {
  for (const session of range(model.sessions)) {
    const found = state.rollback.length > 0 ? faultAfterRollback(model, state, session) : snapshotFault(model, state, session);
    if (found !== null) return found;
  }
  if (model.features.has('checkpoints') && !model.features.has('abandon') && losesCheckpoint(model, state))
    return 'a checkpoint that was found standing is lost';
  return readerFault(state) ?? (model.features.has('quiet') ? leak(model, state) : null);
}

function snapshotFault(model, state, session) {
  const stands = standing(model, state, session);
  const owed = isOwed(model, state, session);
  if (owed && stands === 'no') return LOST;
  if (!owed && stands !== 'valid') return null;
  const chunks = bitsOf(wantedOf(model, session) & ~excusedChunks(state, session));
  if (!isRestorable(model, state, { session, chunks })) return BROKEN;
  return state.losses.length > 0 ? lossFault(model, state, session) : null;
}

/** By the index, and by the packs that the snapshot names. */
function isRestorable(model, state, { session, chunks }) {
  const usable = state.packs & ~state.root.doomed;
  const indexed = usable & (state.root.base | tablesFrom(state, lowest(state.root)));
  return chunks.every(
    (chunk) => holders(model, state, chunk) & indexed && copiesOf(model, state, { root: state.root, session, chunk }) & usable,
  );
}

/** After a rollback only what was acknowledged must be there; while it can be noticed, it is enough that recovery finds it. */
function faultAfterRollback(model, state, session) {
  if (!isOwed(model, state, session) || state.rollback[0].excused & bit(session)) return null;
  if (!isNoticeable(state) && !state.root.recovering) return snapshotFault(model, state, session);
  if (state.commit[session] !== LANDED && !wasCatalogued(state, session)) return LOST;
  return bitsOf(wantedOf(model, session)).every((chunk) => holders(model, state, chunk) & state.packs) ? null : BROKEN;
}

/** What a session's last good checkpoint keeps must stay until its writer is done. */
function losesCheckpoint(model, state) {
  return state.writers.some(({ step, acknowledged, checkpointed: session }) => {
    if (step === DONE || acknowledged >= 0 || session < 0 || standing(model, state, session) !== 'no') return false;
    return checkpointStanding(state, session) === 'no' || !isRestorable(model, state, { session, chunks: [0] });
  });
}
