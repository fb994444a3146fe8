// A pack vanishes by damage, once in a while. Checks report it, and sometimes report what is there: then a request had failed. The collector asks the store itself before the
// root calls a pack lost. Writers rely neither on packs that the root calls lost nor on those in reports, and so store their chunks again.

import { copiesOf, holders, lowest, reach, step, tablesFrom, wantedOf } from './model.mjs';
import { bit, bitsOf, CHUNKS } from './state.mjs';

export function* lossSteps(model, state) {
  const [{ vanished, left, reports, mistaken, wrong, back }] = state.losses;
  const { packs, root } = state;
  // What a check looks for: a pack is listed once it is there.
  const inUse = root.base | tablesFrom(state, lowest(root)) | reliedByAll(state, root.catalogue);
  if (left > 0)
    for (const pack of bitsOf(packs & inUse & ~root.doomed))
      yield step(model, state, `pack ${pack} vanishes`, (next) => {
        next.packs &= ~bit(pack);
        const again = chunksOf(model, state, pack).reduce((mask, chunk) => mask | bit(chunk), 0);
        Object.assign(next.losses[0], { vanished: vanished | bit(pack), left: left - 1, back: back & ~again });
      });
  for (const pack of bitsOf(inUse & ~packs & ~root.doomed & ~root.lost & ~reports))
    yield step(model, state, `a check reports that pack ${pack} is gone`, (next) => (next.losses[0].reports |= bit(pack)));
  if (wrong > 0)
    for (const pack of bitsOf(inUse & packs & ~reports))
      yield step(model, state, `a check reports pack ${pack} by mistake`, (next) =>
        Object.assign(next.losses[0], { mistaken: mistaken | bit(pack), wrong: wrong - 1 }),
      );
  for (const pack of bitsOf(reported(state) & root.lost))
    yield step(model, state, `the report of pack ${pack} is removed`, (next) => {
      next.losses[0].reports &= ~bit(pack);
      next.losses[0].mistaken &= ~bit(pack);
    });
}

/**
 * What a collector may learn of packs that are reported or were called lost: which of them are gone; or nothing, as requests can fail. Whoever learns nothing goes on, but must
 * keep what has their chunks.
 */
export function answersOfStore(model, { losses, packs, root }) {
  if (losses.length === 0) return [nothingReported];
  const [{ reports, mistaken }] = losses;
  const asked = reports | mistaken | root.lost;
  if (model.mistakes.has('trustReports')) return [{ reports, mistaken, gone: asked, suspected: asked }];
  const gone = asked & ~packs;
  const failed = { reports, mistaken, gone: 0, suspected: model.mistakes.has('failureSettles') ? 0 : asked };
  return asked === 0 ? [failed] : [{ reports, mistaken, gone, suspected: gone }, failed];
}

const nothingReported = { reports: 0, mistaken: 0, gone: 0, suspected: 0 };

/** Packs in reports that nobody has dealt with. */
export function reported({ losses: [{ reports, mistaken }] }) {
  return reports | mistaken;
}

/**
 * The root of replacement C with what is lost. A pack that is newly lost is named at least until the next C: a table that lists it may still come, but not from sessions that begin
 * from now on. Afterwards it is named as long as something in the catalogue relies on it. The base index does not list it. What has its chunks, of all packs that are there,
 * replaces it beside the pack itself: also packs that no index lists, which may be left from a future that the root knows nothing of. The same for packs of which nothing could
 * be learned, though they are not named.
 */
export function withLosses(model, state, { root, own }) {
  const { mistakes } = model;
  const gone = mistakes.has('reportsEarly') ? own.root.noted : own.gone;
  const suspected = mistakes.has('reportsEarly') ? own.root.noted : own.suspected;
  const lost = root.lost | gone;
  const looked = mistakes.has('lostUnadopted') ? own.present & root.base : own.present | root.base;
  const replaced = [...root.replaced];
  let found = 0;
  for (const pack of bitsOf(lost | suspected))
    for (const chunk of chunksOf(model, state, pack)) {
      const copies = holders(model, state, chunk) & looked & ~root.doomed & ~lost & ~bit(pack);
      if (!mistakes.has('backUnmarked')) replaced[pack] |= copies;
      found |= copies;
    }
  const relied = reliedByAll(state, root.catalogue | root.checkpoints);
  const back = bitsOf(lost).filter((pack) => chunksOf(model, state, pack).every((chunk) => holders(model, state, chunk) & found));
  const forgotten = mistakes.has('lostForgotten') ? back.reduce((mask, pack) => mask | bit(pack), 0) : 0;
  return { ...root, replaced, base: (root.base | found) & ~lost, lost: (gone | (root.lost & relied)) & ~forgotten };
}

function chunksOf(model, state, pack) {
  return CHUNKS.filter((chunk) => holders(model, state, chunk) & bit(pack));
}

function reliedByAll({ relies }, sessions) {
  let mask = 0;
  for (const session of bitsOf(sessions)) for (const chunk of CHUNKS) mask |= packBit(relies, session, chunk);
  return mask;
}

/** Chunks that a writer who knew of a loss has committed. */
export function broughtBack(model, state, session) {
  const [{ vanished, aware }] = state.losses;
  const lost = bitsOf(vanished & aware[session]).flatMap((pack) => chunksOf(model, state, pack));
  const stored = lost.filter((chunk) => packBit(state.relies, session, chunk) & state.packs);
  return stored.reduce((mask, chunk) => mask | bit(chunk), 0) & wantedOf(model, session);
}

/** Chunks of a session that were in packs that vanished, or in packs that had replaced those. */
export function excusedChunks({ losses: [losses], relies, root }, session) {
  if (losses === undefined) return 0;
  const places = (chunk) => {
    const pack = relies[session * CHUNKS.length + chunk];
    return pack < 0 ? 0 : reach(root, pack);
  };
  return CHUNKS.filter((chunk) => losses.vanished & places(chunk)).reduce((mask, chunk) => mask | bit(chunk), 0);
}

/** Of a snapshot that stands: nobody who could know of a loss relies on the pack; what is back stays, where readers find it. */
export function lossFault(model, state, session) {
  const [{ vanished, aware, back }] = state.losses;
  for (const chunk of CHUNKS) {
    const relied = packBit(state.relies, session, chunk) & vanished;
    if (relied & aware[session]) return 'a snapshot relies on a pack that was known to be lost';
    if (relied && back & bit(chunk) && !isFound(model, state, { session, chunk })) return 'a chunk that had come back is lost again';
  }
  return null;
}

/** By the index, or by what replaces the pack. */
function isFound(model, state, { session, chunk }) {
  const { root, packs } = state;
  const indexed = root.base | tablesFrom(state, lowest(root)) | copiesOf(model, state, { root, session, chunk });
  return (holders(model, state, chunk) & indexed & packs & ~root.doomed) !== 0;
}

function packBit(relies, session, chunk) {
  const pack = relies[session * CHUNKS.length + chunk];
  return pack < 0 ? 0 : bit(pack);
}
