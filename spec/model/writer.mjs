// A writer: begins a session, stores packs, then tables, then (perhaps) a checkpoint, then the commit, and reads the root again.

import { broughtBack, reported } from './losses.mjs';
import { checkpointStanding, holders, lowest, packOf, sessionOf, step, tablesFrom, wantedBy } from './model.mjs';
import { beganInThisLine, noticedByWriter, ranAcross, rootSeen } from './rollback.mjs';
import { ABSENT, bit, bitsOf, CHUNKS, DELETED, FENCING, IN_FLIGHT, LANDED, listings, newWriter } from './state.mjs';

const BEGIN = 0;
const LIST = 1;
const LISTING = 2;
const DECIDE = 3;
const UPLOAD = 4;
const TABLE = 5;
const CHECKPOINT = 6;
const CHECKPOINTED = 7;
const COMMIT = 8;
const CHECK = 9;
export const DONE = 10;

export function* writerSteps(model, state, index) {
  const own = state.writers[index];
  const context = { model, state, index, own, session: sessionOf(model, index, own.attempt) };
  if (own.step === BEGIN) yield begin(context);
  if (own.step === LIST || own.step === LISTING) yield* listTables(context);
  if (own.step === DECIDE) yield* decide(context);
  if (own.step === UPLOAD) yield upload(context);
  if (own.step === TABLE) yield storeTable(context);
  if (own.step === CHECKPOINT) yield storeCheckpoint(context);
  if (own.step === CHECKPOINTED) yield checkCheckpoint(context);
  if (own.step === COMMIT) yield commit(context);
  if (own.step === CHECK) yield* check(context);
  if (model.features.has('late')) yield* giveUp(context);
}

/** Step 1: read the root. */
function begin({ model, state, index, session }) {
  const { root } = state;
  const { mistakes } = model;
  return step(model, state, `writer ${index} reads the root, session ${session}`, (next) => {
    const own = next.writers[index];
    next.generation[session] = root.generation;
    if (state.rollback.length > 0) Object.assign(own, rootSeen(state));
    if (mistakes.has('lazyRebase') && own.attempt > 0) {
      for (const chunk of CHUNKS) next.relies[session * CHUNKS.length + chunk] = state.relies[(session - 1) * CHUNKS.length + chunk];
      own.step = COMMIT;
      return;
    }
    own.base = root.base;
    const early = mistakes.has('staleIndex') || mistakes.has('pendingTables');
    own.floor = early ? lowest(root) : root.floor;
    if (model.features.has('pending')) own.lowest = lowest(root);
    if (state.losses.length > 0) {
      own.lost = root.lost;
      next.losses[0].aware[session] = root.lost | state.losses[0].reports;
    }
    own.excluded = mistakes.has('dedupCondemned') ? root.doomed : root.condemned | root.doomed;
    if (!mistakes.has('lostIgnored')) own.excluded |= root.lost;
    own.step = LIST;
  });
}

/** Step 2: list the tables; with the feature `pages` that takes a while. */
function* listTables({ model, state, index, own }) {
  const now = tablesFrom(state, own.floor);
  const paged = model.features.has('pages');
  if (paged && own.step === LIST) {
    yield step(model, state, `writer ${index} begins to list tables`, (next) => {
      Object.assign(next.writers[index], { first: now, step: LISTING });
    });
    return;
  }
  const pending = model.features.has('pending') ? tablesFrom(state, own.lowest) & ~now : 0;
  const named = state.losses.length > 0 && !model.mistakes.has('reportsIgnored') ? reported(state) : 0;
  for (const listed of paged ? listings(own.first, now) : [now])
    yield step(model, state, `writer ${index} has listed tables`, (next) =>
      Object.assign(next.writers[index], { listed, pending, excluded: own.excluded | named, first: 0, step: DECIDE }),
    );
}

/** Read the root again after the listing; then decide what each chunk relies on and what must be uploaded. */
function* decide({ model, state, index, own, session }) {
  if (state.rollback.length > 0 && noticedByWriter(model, state, own)) {
    yield step(model, state, `writer ${index} notices that the store was rolled back`, (next) => stop(next.writers[index]));
    return;
  }
  const floor = model.mistakes.has('pendingTables') ? lowest(state.root) : state.root.floor;
  // What reports said when they were listed, and what the root called lost before: a report that was removed in between is in neither.
  const isOtherList = state.losses.length > 0 && state.root.lost !== own.lost && !model.mistakes.has('reportsUnchecked');
  if (isOtherList || (floor !== own.floor && !model.mistakes.has('staleIndex'))) {
    yield step(model, state, `writer ${index} finds another ${isOtherList ? 'lost list' : 'floor'}`, (next) =>
      Object.assign(next.writers[index], { step: BEGIN, listed: 0, pending: 0 }),
    );
    return;
  }
  const { known, taken } = usable(model, state, own);
  for (const choice of choices({ model, state, session, chunks: bitsOf(wantedBy(model, index)), known: known | taken })) {
    yield step(model, state, `writer ${index} relies on packs ${Object.values(choice)}`, (next) => {
      const writer = next.writers[index];
      let packs = 0;
      for (const [chunk, pack] of Object.entries(choice)) {
        next.relies[session * CHUNKS.length + Number(chunk)] = pack;
        packs |= bit(pack);
      }
      const uploads = packs & ~(known | taken);
      Object.assign(writer, {
        uploads,
        adopted: packs & taken & ~known,
        base: 0,
        floor: 0,
        lowest: 0,
        excluded: 0,
        listed: 0,
        pending: 0,
        lost: 0,
        step: UPLOAD,
      });
    });
  }
}

/**
 * Packs to deduplicate against: those that an index lists; and those that its own table must list, too: of pending tables, and those that its earlier sessions
 * stored without getting them into an index.
 */
function usable(model, state, own) {
  const { mistakes, features } = model;
  let known = (own.base | own.listed) & ~own.excluded;
  if (state.rollback.length > 0) known &= state.packs;
  if (mistakes.has('trustParent') && model.elder >= 0) known |= bit(state.relies[model.elder * CHUNKS.length]) & ~own.excluded;
  let taken = features.has('takeOver') ? own.stored & ~own.excluded : 0;
  if (!mistakes.has('takeOverBlindly')) taken &= state.packs;
  taken |= own.pending & ~own.excluded;
  return { known, taken };
}

/** All ways to choose a pack for each chunk; a new one where none is known. */
function choices({ model, state, session, chunks, known }) {
  let found = [{}];
  for (const chunk of chunks) {
    const packs = bitsOf(known & holders(model, state, chunk));
    if (packs.length === 0) packs.push(packOf(model, session, chunk));
    found = found.flatMap((choice) => packs.map((pack) => ({ ...choice, [chunk]: pack })));
  }
  return found;
}

/** Packs of the part that is being stored: with checkpoints the first chunk, then the rest. */
function partOf({ model, own, session }) {
  if (!model.features.has('checkpoints')) return own.uploads;
  const first = own.uploads & bit(packOf(model, session, 0));
  return own.part === 0 ? first : own.uploads & ~first;
}

function upload(context) {
  const { model, state, index } = context;
  const packs = partOf(context);
  return step(model, state, `writer ${index} stores packs ${bitsOf(packs)}`, (next) => {
    const own = next.writers[index];
    next.packs |= packs;
    if (model.features.has('takeOver')) own.stored |= packs;
    own.step = model.mistakes.has('commitFirst') ? COMMIT : TABLE;
  });
}

function storeTable(context) {
  const { model, state, index, own, session } = context;
  return step(model, state, `writer ${index} stores its table`, (next) => {
    next.tables[session] |= partOf(context) | own.adopted;
    let following = model.features.has('checkpoints') && own.part === 0 ? CHECKPOINT : COMMIT;
    if (model.mistakes.has('commitFirst')) following = CHECK;
    next.writers[index].step = following;
  });
}

function storeCheckpoint({ model, state, index, session }) {
  return step(model, state, `writer ${index} stores a checkpoint`, (next) => {
    next.checkpoint[session] = LANDED;
    next.writers[index].step = CHECKPOINTED;
  });
}

/** Whoever finds its checkpoint passed begins anew at once: nothing more of this session can become valid. */
function checkCheckpoint({ model, state, index, own, session }) {
  const stands = checkpointStanding(state, session) === 'valid';
  return step(model, state, `writer ${index} finds its checkpoint ${stands ? 'standing' : 'passed'}`, (next) => {
    const writer = next.writers[index];
    if (stands) Object.assign(writer, { checkpointed: session, part: 1, step: UPLOAD });
    else if (own.attempt + 1 < model.config.attempts) rebase(writer);
    else stop(writer);
  });
}

/** Gives up waiting for the answer to a request, which lands at some later time. */
function* giveUp(context) {
  const { model, state, index, own, session } = context;
  if (own.attempt + 1 >= model.config.attempts || ![UPLOAD, TABLE, CHECKPOINT].includes(own.step)) return;
  yield step(model, state, `writer ${index} gives up waiting and begins anew`, (next) => {
    if (own.step === UPLOAD) next.latePacks |= partOf(context);
    if (own.step === TABLE) next.lateTables[session] = partOf(context) | own.adopted;
    if (own.step === CHECKPOINT) next.checkpoint[session] = IN_FLIGHT;
    rebase(next.writers[index]);
  });
}

function commit({ model, state, index, session }) {
  return step(model, state, `writer ${index} sends its commit`, (next) => {
    if (state.commit[session] === ABSENT) next.commit[session] = IN_FLIGHT;
    next.writers[index].step = model.mistakes.has('commitFirst') ? TABLE : CHECK;
  });
}

/** Step 4: once the commit has landed, read the root; or give up waiting for it. */
function* check({ model, state, index, own, session }) {
  const again = own.attempt + 1 < model.config.attempts;
  if (state.commit[session] === LANDED || state.commit[session] === DELETED) {
    const stands = commitStands(model, state, { own, session });
    yield step(model, state, `writer ${index} finds its commit ${stands ? 'standing' : 'passed'}`, (next) => {
      const writer = next.writers[index];
      if (stands && ranAcross(state, own)) next.rollback[0].excused |= bit(session);
      if (stands && state.losses.length > 0) next.losses[0].back |= broughtBack(model, state, session);
      if (stands) stop(Object.assign(writer, { acknowledged: own.attempt }));
      else if (again) rebase(writer);
      else stop(writer);
    });
  }
  if (again && state.commit[session] === IN_FLIGHT)
    yield step(model, state, `writer ${index} gives up waiting`, (next) => rebase(next.writers[index]));
}

function commitStands(model, state, { own, session }) {
  const { mistakes } = model;
  if (mistakes.has('noPostCheck') || mistakes.has('minAge')) return true;
  if (state.rollback.length > 0) {
    if (state.root.gap && !mistakes.has('gapAccepted')) return false;
    if (!beganInThisLine(state, own) && !mistakes.has('lineIgnored')) return false;
  }
  if (state.root.floor <= state.generation[session]) return true;
  const pending = state.root.phase === FENCING && state.generation[session] >= lowest(state.root);
  return !pending && Boolean(state.root.catalogue & bit(session));
}

function rebase(own) {
  const { attempt, stored, acknowledged, checkpointed } = own;
  Object.assign(own, newWriter(), { attempt: attempt + 1, stored, acknowledged, checkpointed });
}

function stop(own) {
  Object.assign(own, { ...newWriter(), attempt: own.attempt, acknowledged: own.acknowledged, checkpointed: own.checkpointed, step: DONE });
}
