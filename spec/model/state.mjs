// What the model's world consists of, and how a state is copied and made a key. Every leaf of a state is an integer from -1 to 65,534; sets are bit masks.

/** Phases of the root. */
export const OPEN = 0;
export const CONDEMNED = 1;
export const FENCING = 2;

/** Of an object that a writer stores. */
export const ABSENT = 0;
export const IN_FLIGHT = 1;
export const LANDED = 2;
export const DELETED = 3;

export const CHUNKS = [0, 1];

export function emptyRoot(model) {
  return {
    number: 0,
    generation: 0,
    floor: 0,
    pastFloor: 0,
    phase: OPEN,
    /** Sessions whose snapshots stand below the floor; sessions whose checkpoints do. */
    catalogue: 0,
    checkpoints: 0,
    condemned: 0,
    doomed: 0,
    /** Packs of the base index. */
    base: 0,
    /** For each pack, the packs that hold what repacking moved from it, or what of it was lost and stored again. */
    replaced: ['repack', 'rollback', 'lost'].some((feature) => model.features.has(feature)) ? Array(model.packs).fill(0) : [],
    /** Packs that are known to be lost. */
    lost: 0,
    /** Stands for the nonce: roots of one line follow each other. */
    line: 0,
    /** Whether the root before it is missing or another one (nonce). */
    gap: 0,
    recovering: 0,
    /** What mistakes note too early. */
    noted: 0,
  };
}

export function initialState(model) {
  const { sessions, elder, config, features } = model;
  const root = { ...emptyRoot(model), base: 1 };
  const state = {
    root,
    /** Packs that exist; that any root has ever doomed: whoever read that root may delete them at any later time. */
    packs: 1,
    doomedEver: 0,
    /** What each pack of the collector holds, and how many there are. */
    moved: Array(config.repacks).fill(0),
    movedCount: 0,
    /** For each session: generation, packs that its landed tables list, its commit, its checkpoint, and for each of its chunks the pack it relies on. */
    generation: Array(sessions).fill(-1),
    tables: Array(sessions).fill(0),
    commit: Array(sessions).fill(ABSENT),
    checkpoint: Array(sessions).fill(ABSENT),
    /** Packs, and for each session packs of a table, that are on their way though their writer has given up waiting. */
    latePacks: 0,
    lateTables: features.has('late') ? Array(sessions).fill(0) : [],
    relies: Array(sessions * CHUNKS.length).fill(-1),
    writers: range(config.writers).map(newWriter),
    collectors: range(config.collectors).map(() => newCollector(model)),
    /** Snapshots with a deletion mark, with a hold; that ever had a mark; that a hold or an undelete was confirmed for. */
    marks: 0,
    holds: 0,
    markedEver: 0,
    promised: 0,
    owners: features.has('forget') || features.has('drop') ? [{ step: 0, target: -1 }] : [],
    readers: features.has('reader') ? [{ step: 0, root: emptyRoot(model), expected: 0, first: 0, seen: 0, target: -1 }] : [],
    rollback: features.has('rollback')
      ? [{ step: 0, saved: emptyRoot(model), highestNumber: 0, highestGeneration: 0, catalogued: 0, excused: 0 }]
      : [],
    losses: features.has('lost') ? [newLosses(model)] : [],
    /** The root before, for the mistake `pruneAll`, which brings it back. */
    previous: model.mistakes.has('pruneAll') ? [emptyRoot(model)] : [],
  };
  if (elder >= 0) {
    root.catalogue = bit(elder);
    state.generation[elder] = 0;
    state.commit[elder] = LANDED;
    state.relies[elder * CHUNKS.length] = 0;
  }
  if (features.has('underWay')) {
    Object.assign(root, { number: 1, generation: 1, phase: CONDEMNED, catalogue: 0, base: 0 });
    state.generation[elder] = 1;
    state.tables[elder] = 1;
  }
  return state;
}

/** What has happened to packs, and what has been reported. */
function newLosses({ config, sessions }) {
  return {
    /** Packs that vanished by damage; how many more may. */
    vanished: 0,
    left: config.losses,
    /** Packs in reports; packs in reports that were made while the pack was there; how many more of those there may be. */
    reports: 0,
    mistaken: 0,
    wrong: config.wrongReports,
    /** Chunks that somebody who knew of the loss has stored again and committed. */
    back: 0,
    /** For each session: packs that were known to be lost, or reported, when it began. */
    aware: Array(sessions).fill(0),
  };
}

export function newWriter() {
  return {
    step: 0,
    attempt: 0,
    base: 0,
    floor: 0,
    excluded: 0,
    first: 0,
    listed: 0,
    /** With the feature `pending`: the floor before this one while the root fences, and packs in tables from there on. */
    lowest: 0,
    pending: 0,
    uploads: 0,
    adopted: 0,
    part: 0,
    /** Packs that its earlier sessions stored, where it takes them over. */
    stored: 0,
    /** Attempt whose snapshot was acknowledged; session whose checkpoint was found to stand. */
    acknowledged: -1,
    checkpointed: -1,
    /** The root with which its session began, and whether the store had gone back by then. */
    number: 0,
    line: 0,
    sawRolledBack: 0,
    /** Packs that the root calls lost. */
    lost: 0,
  };
}

export function newCollector(model) {
  return {
    step: 0,
    root: emptyRoot(model),
    first: 0,
    commits: 0,
    checkpoints: 0,
    tables: 0,
    marks: 0,
    holds: 0,
    /** Packs that a listing after the reading of the root showed. */
    present: 0,
    moveFrom: -1,
    moveTo: -1,
    /** Packs in the reports that it has read, right ones and others; those that the store says are gone; those that may be. */
    reports: 0,
    mistaken: 0,
    gone: 0,
    suspected: 0,
  };
}

/** How states like `sample` are copied, made a string and back. */
export function codecOf(sample) {
  const shape = shapeOf(sample);
  return {
    copy: (state) => copy(state, shape),
    encode(state) {
      const codes = [];
      append(state, shape, codes);
      return String.fromCharCode.apply(null, codes);
    },
    decode: (key) => take(shape, { key, position: 0 }),
  };
}

function shapeOf(value) {
  if (typeof value === 'number') return { kind: 'number' };
  if (!Array.isArray(value))
    return { kind: 'record', keys: Object.keys(value), parts: Object.entries(value).map(([key, part]) => [key, shapeOf(part)]) };
  return value.every((item) => typeof item === 'number')
    ? { kind: 'numbers', length: value.length }
    : { kind: 'list', length: value.length, item: shapeOf(value[0]) };
}

function copy(value, shape) {
  if (shape.kind === 'numbers') return value.length === 0 ? value : value.slice();
  if (shape.kind === 'list') return value.map((item) => copy(item, shape.item));
  const copied = { ...value };
  for (const [key, part] of shape.parts) if (part.kind !== 'number') copied[key] = copy(value[key], part);
  return copied;
}

function append(value, shape, codes) {
  if (shape.kind === 'number') codes.push(value + 1);
  else if (shape.kind === 'numbers') for (const item of value) codes.push(item + 1);
  else if (shape.kind === 'list') for (const item of value) append(item, shape.item, codes);
  else for (const [key, part] of shape.parts) append(value[key], part, codes);
}

function take(shape, source) {
  if (shape.kind === 'number') return source.key.charCodeAt(source.position++) - 1;
  if (shape.kind === 'numbers') return Array.from({ length: shape.length }, () => source.key.charCodeAt(source.position++) - 1);
  if (shape.kind === 'list') return Array.from({ length: shape.length }, () => take(shape.item, source));
  const record = {};
  for (const [key, part] of shape.parts) record[key] = take(part, source);
  return record;
}

export function range(count) {
  return Array.from({ length: count }, (_, index) => index);
}

export function bit(index) {
  return 1 << index;
}

export function bitsOf(mask) {
  const found = [];
  for (let index = 0; mask >> index; index++) if (mask & bit(index)) found.push(index);
  return found;
}

export function subsets(mask) {
  const found = [];
  for (let subset = mask; ; subset = (subset - 1) & mask) {
    found.push(subset);
    if (subset === 0) return found;
  }
}

/** A listing of several pages may miss or show what came or went while it ran: all that it can show. */
export function listings(before, after) {
  return subsets(before ^ after).map((some) => (before & after) | some);
}
