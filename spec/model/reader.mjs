// A reader lists snapshots under one root and restores one, by the packs that it names.

import { copiesOf, isOwed, landedCommits, lowest, step, wantedOf } from './model.mjs';
import { bit, bitsOf, emptyRoot, listings, range } from './state.mjs';

const BEGIN = 0;
const LIST = 1;
const LISTING = 2;
const VERIFY = 3;
const RESTORE = 4;
const DONE = 5;
/** What must never be: it misses a snapshot; it finds a chunk missing. */
const MISSED = 6;
const MISSING = 7;

export function* readerSteps(model, state) {
  const [own] = state.readers;
  if (own.step === BEGIN) yield begin(model, state);
  if (own.step === LIST || own.step === LISTING) yield* list(model, state, own);
  if (own.step === VERIFY) yield* verify(model, state, own);
  if (own.step === RESTORE) yield* restore(model, state, own);
}

export function readerFault({ readers: [own] }) {
  if (own?.step === MISSED) return 'a reader does not see a snapshot that stands';
  if (own?.step === MISSING) return 'a reader finds a chunk of a snapshot missing';
  return null;
}

function begin(model, state) {
  return step(model, state, 'reader reads the root', (next) => {
    const expected = range(model.sessions).reduce((mask, session) => (isOwed(model, state, session) ? mask | bit(session) : mask), 0);
    Object.assign(next.readers[0], {
      step: LIST,
      root: { ...state.root, replaced: [...state.root.replaced] },
      expected,
      first: 0,
      seen: 0,
    });
  });
}

function* list(model, state, own) {
  const now = bitsOf(landedCommits(state)).reduce(
    (mask, session) => (state.generation[session] >= lowest(own.root) ? mask | bit(session) : mask),
    0,
  );
  const paged = model.features.has('pages');
  if (paged && own.step === LIST) {
    yield step(model, state, 'reader begins to list commits', (next) => Object.assign(next.readers[0], { first: now, step: LISTING }));
    return;
  }
  for (const seen of paged ? listings(own.first, now) : [now])
    yield step(model, state, `reader has listed commits of sessions ${bitsOf(seen)}`, (next) =>
      Object.assign(next.readers[0], { seen: seen | own.root.catalogue, first: 0, step: VERIFY }),
    );
}

/** Read the root again: what was listed counts only if the same commits count now. */
function* verify(model, state, own) {
  const { root } = state;
  const same = root.floor === own.root.floor && lowest(root) === lowest(own.root) && root.catalogue === own.root.catalogue;
  if (!same && !model.mistakes.has('readerOnce')) {
    yield step(model, state, 'reader begins anew', (next) => Object.assign(next.readers[0], { step: BEGIN }));
    return;
  }
  const expected = bitsOf(own.expected).reduce((mask, session) => (isOwed(model, state, session) ? mask | bit(session) : mask), 0);
  if (expected & ~own.seen) {
    yield step(model, state, `reader sees sessions ${bitsOf(own.seen)}`, (next) => (next.readers[0].step = MISSED));
    return;
  }
  for (const target of bitsOf(expected))
    yield step(model, state, `reader restores session ${target}`, (next) => Object.assign(next.readers[0], { step: RESTORE, target }));
}

/** Where the pack is gone: by the replacements that its root names; failing those, by a newer root. */
function* restore(model, state, own) {
  const { target, root } = own;
  const readable = bitsOf(wantedOf(model, target)).every((chunk) => copiesOf(model, state, { root, session: target, chunk }) & state.packs);
  if (readable || !isOwed(model, state, target)) {
    yield step(model, state, 'reader is done', (next) =>
      Object.assign(next.readers[0], { step: DONE, root: emptyRoot(model), seen: 0, expected: 0, target: -1 }),
    );
    return;
  }
  const again = state.root.number !== root.number && !model.mistakes.has('staleReader');
  yield step(model, state, `reader finds a pack missing${again ? ' and reads the root again' : ''}`, (next) => {
    if (again) next.readers[0].root = { ...state.root, replaced: [...state.root.replaced] };
    else next.readers[0].step = MISSING;
  });
}
