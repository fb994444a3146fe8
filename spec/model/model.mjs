// The collector's protocol (spec/root.md) as a transition system: the bounds, and what follows from a state. What is abstract: two chunks exist; pack 0 holds
// `firstPack` from the beginning; attempt t of writer w stores chunk c in pack 1 + (w * attempts + t) * 2 + c; packs after those are made by repacking.

import { bit, bitsOf, CHUNKS, codecOf, FENCING, initialState, LANDED } from './state.mjs';

export const defaults = {
  writers: 1,
  collectors: 1,
  /** Collections begin while the generation is below. */
  generations: 2,
  /** How often a writer may begin (the first time included). */
  attempts: 1,
  /** `any`: every set of packs may be condemned; `unused`: what nothing that stands needs. */
  condemn: 'unused',
  /** Chunks (a mask) that each writer's snapshot has. */
  wanted: [3],
  /** Chunks in pack 0. */
  firstPack: 1,
  /** Packs that repacking may make. */
  repacks: 0,
  /** Packs that may vanish by damage, and reports of packs that are there. */
  losses: 0,
  wrongReports: 0,
  /** Parts of the protocol that are switched on; see README.md. */
  features: [],
  mistakes: [],
  /** With the feature `quiet`: collections after which nothing that is not needed may remain. */
  quietCollections: 1,
  stateLimit: 12_000_000,
  trace: false,
};

export function createModel(options) {
  const config = { ...defaults, ...options };
  const features = new Set(config.features);
  const written = config.writers * config.attempts;
  const firstMoved = 1 + written * CHUNKS.length;
  const model = {
    config,
    features,
    mistakes: new Set(config.mistakes),
    /** A snapshot that stands from the beginning, and relies on pack 0 for chunk 0; or -1. */
    elder: features.has('elder') ? written : -1,
    written,
    sessions: written + Number(features.has('elder')),
    firstMoved,
    packs: firstMoved + config.repacks,
    /** Whether nobody writes any more: checkpoints are given up, nothing is repacked. */
    settling: false,
  };
  model.initial = initialState(model);
  model.codec = codecOf(model.initial);
  return model;
}

/** A step: what it is called, and the state after it. */
export function step(model, state, label, edit) {
  const next = model.codec.copy(state);
  edit(next);
  return { label, state: next };
}

export function sessionOf(model, writer, attempt) {
  return writer * model.config.attempts + attempt;
}

export function wantedBy(model, writer) {
  return model.config.wanted[writer % model.config.wanted.length];
}

/** Chunks of a session's snapshot; of its checkpoint it is the first one. */
export function wantedOf(model, session) {
  return session === model.elder ? 1 : wantedBy(model, Math.floor(session / model.config.attempts));
}

export function packOf(model, session, chunk) {
  return model.mistakes.has('nameReuse') && chunk === 0 ? 0 : 1 + session * CHUNKS.length + chunk;
}

/** Packs, of all that there can be, that hold the chunk. */
export function holders(model, state, chunk) {
  let mask = model.config.firstPack & bit(chunk) ? 1 : 0;
  for (let pack = 1 + chunk; pack < model.firstMoved; pack += CHUNKS.length) mask |= bit(pack);
  for (let index = 0; index < state.movedCount; index++) if (state.moved[index] & bit(chunk)) mask |= bit(model.firstMoved + index);
  return model.mistakes.has('nameReuse') && chunk === 0 ? mask | 1 : mask;
}

/** The pack and all by which it was replaced, through any number of replacements. */
export function reach(root, pack) {
  let mask = bit(pack);
  for (let known = 0; known !== mask && root.replaced.length > 0; ) {
    known = mask;
    for (const one of bitsOf(known)) mask |= root.replaced[one];
  }
  return mask;
}

/** Where a session's chunk can be by what it relies on. */
export function copiesOf(model, state, { root, session, chunk }) {
  const pack = state.relies[session * CHUNKS.length + chunk];
  return pack < 0 ? 0 : reach(root, pack) & holders(model, state, chunk);
}

/** The least generation whose commits may count under the root. */
export function lowest(root) {
  return root.phase === FENCING ? root.pastFloor : root.floor;
}

/** Packs in tables of sessions of that generation and later ones. */
export function tablesFrom(state, generation) {
  return state.tables.reduce((mask, packs, session) => (state.generation[session] >= generation ? mask | packs : mask), 0);
}

export function landedCommits(state) {
  return maskWhere(state.commit, (status) => status === LANDED);
}

export function landedCheckpoints(state) {
  return maskWhere(state.checkpoint, (status) => status === LANDED);
}

/** How a commit stands under the root: by its generation, by the catalogue, or not yet. */
export function standing(model, state, session) {
  const { root } = state;
  const generation = state.generation[session];
  const landed = state.commit[session] === LANDED;
  if (root.catalogue & bit(session)) return 'valid';
  if (model.mistakes.has('noCatalogue') || model.mistakes.has('minAge')) return landed ? 'valid' : 'no';
  if (!landed || generation < lowest(root) || generation > root.generation) return 'no';
  return generation >= root.floor ? 'valid' : 'pending';
}

export function checkpointStanding({ root, generation, checkpoint }, session) {
  if (root.checkpoints & bit(session)) return 'valid';
  if (checkpoint[session] !== LANDED || generation[session] < lowest(root) || generation[session] > root.generation) return 'no';
  return generation[session] >= root.floor ? 'valid' : 'pending';
}

export function isAcknowledged(model, state, session) {
  if (session === model.elder) return true;
  const { attempts } = model.config;
  return state.writers[Math.floor(session / attempts)].acknowledged === session % attempts;
}

/** Whether the snapshot must be there: acknowledged, and not given up since. */
export function isOwed(model, state, session) {
  if (!isAcknowledged(model, state, session)) return false;
  return Boolean(state.promised & bit(session)) || !(state.markedEver & bit(session));
}

function maskWhere(values, holds) {
  return values.reduce((mask, value, index) => (holds(value) ? mask | bit(index) : mask), 0);
}
