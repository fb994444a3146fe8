// Exhaustive exploration of the collector's protocol (spec/root.md, docs/decisions/001-numbered-roots.md): every interleaving of the steps of
// some writers and collectors within bounds. No dependencies. What is abstract: two chunks exist; pack 0 holds chunk 0 from the beginning and no
// snapshot refers to it; attempt t of writer w stores chunk c in pack 1 + (w * attempts + t) * 2 + c. Sets are bit masks.
//
// Steps that the world takes at any time: a commit that is in flight lands; a doomed pack is deleted.

import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';

export const defaults = {
  writers: 1,
  collectors: 2,
  /** Collections begin while the generation is below. */
  generations: 2,
  /** How often a writer may begin (the first time included). */
  attempts: 2,
  /** `any`: every set of packs may be condemned; `unused`: what no valid snapshot needs. */
  condemn: 'any',
  /** Chunks that each writer's snapshot has. */
  wanted: [3, 3],
  mistakes: [],
  stateLimit: 6_000_000,
};

const CHUNKS = [0, 1];
const OPEN = 0;
const CONDEMNED = 1;
const FENCING = 2;
const ABSENT = 0;
const IN_FLIGHT = 1;
const LANDED = 2;

/** Explores; the result's `verdict` is `ok`, `state limit`, or what went wrong at `depth` (the least one). */
export function explore(options = {}) {
  const model = createModel({ ...defaults, ...options });
  const first = model.initial();
  const seen = new Set([digest(first)]);
  const counts = { transitions: 0, acknowledged: 0, deleted: 0 };
  let frontier = [first];
  for (let depth = 0; frontier.length > 0; depth++) {
    const next = [];
    for (const state of frontier) {
      for (const successor of model.successors(state)) {
        counts.transitions++;
        const id = digest(successor);
        if (seen.has(id)) continue;
        seen.add(id);
        const fault = model.fault(successor);
        if (fault !== null) return { verdict: fault, depth: depth + 1, states: seen.size, ...counts };
        if (seen.size > model.config.stateLimit) return { verdict: 'state limit', depth: depth + 1, states: seen.size, ...counts };
        if (successor.writers.every(({ acknowledged }) => acknowledged >= 0)) counts.acknowledged++;
        if ((successor.packs | successor.root.doomed) !== successor.packs) counts.deleted++;
        next.push(successor);
      }
    }
    frontier = next;
    if (frontier.length === 0) return { verdict: 'ok', depth: depth + 1, states: seen.size, ...counts };
  }
}

function createModel(config) {
  const { writers: writerCount, collectors: collectorCount, attempts, wanted } = config;
  const mistakes = new Set(config.mistakes);
  const sessions = writerCount * attempts;
  const packCount = 1 + sessions * 2;
  const sessionOf = (writer, attempt) => writer * attempts + attempt;
  const packOf = (session, chunk) => (mistakes.has('nameReuse') && chunk === 0 ? 0 : 1 + session * 2 + chunk);
  const wantedBy = (writer) => wanted[writer % wanted.length];
  const wantedOf = (session) => wantedBy(Math.floor(session / attempts));
  /** For each chunk, the packs that can hold it. */
  const holders = CHUNKS.map((chunk) =>
    range(packCount).reduce((mask, pack) => ((pack === 0 ? 0 : (pack - 1) % 2) === chunk ? mask | bit(pack) : mask), 0),
  );
  const chunksOf = (mask) => CHUNKS.filter((chunk) => mask & bit(chunk));

  return { config, initial, successors, fault };

  function initial() {
    return {
      root: { number: 0, generation: 0, floor: 0, pastFloor: 0, phase: OPEN, catalogue: 0, condemned: 0, doomed: 0, base: 1 },
      // Roots that were replaced, for the mistake `pruneAll`, which brings them back.
      replaced: [],
      packs: 1,
      indexPacks: Array(sessions).fill(0),
      indexGeneration: Array(sessions).fill(-1),
      commit: Array(sessions).fill(ABSENT),
      commitGeneration: Array(sessions).fill(-1),
      writers: range(writerCount).map(() => ({
        step: 'begin',
        attempt: 0,
        generation: -1,
        excluded: 0,
        base: 0,
        floor: 0,
        uploads: 0,
        listed: 0,
        acknowledged: -1,
      })),
      collectors: range(collectorCount).map(idle),
    };
  }

  /** What must never be: the reason, or null. */
  function fault(state) {
    const { root } = state;
    for (const session of range(sessions)) {
      const acknowledged = state.writers[Math.floor(session / attempts)].acknowledged === session % attempts;
      const landed = state.commit[session] === LANDED;
      const generation = state.commitGeneration[session];
      const catalogued = Boolean(root.catalogue & bit(session));
      let valid = landed && (generation >= root.floor || catalogued);
      if (mistakes.has('noCatalogue') || mistakes.has('minAge')) valid = landed;
      const pending = landed && root.phase === FENCING && generation >= root.pastFloor && generation < root.floor;
      if (acknowledged && !(valid || pending)) return 'an acknowledged snapshot is lost';
      if ((valid || acknowledged) && !restorable(state, session)) return 'a valid snapshot refers to a doomed or deleted pack';
    }
    return null;
  }

  function restorable(state, session) {
    const usable = visible(state) & state.packs & ~state.root.doomed;
    return chunksOf(wantedOf(session)).every((chunk) => usable & holders[chunk]);
  }

  /** Packs that the base index or an index table that counts lists. */
  function visible({ root, indexPacks, indexGeneration }) {
    const lowest = root.phase === FENCING ? root.pastFloor : root.floor;
    return range(sessions).reduce((mask, session) => (indexGeneration[session] >= lowest ? mask | indexPacks[session] : mask), root.base);
  }

  function* successors(state) {
    yield* worldSteps(state);
    for (const writer of range(writerCount)) yield* writerSteps(state, writer);
    for (const collector of range(collectorCount)) yield* collectorSteps(state, collector);
  }

  function* worldSteps(state) {
    for (const session of range(sessions)) {
      if (state.commit[session] === IN_FLIGHT) yield change(state, (next) => (next.commit[session] = LANDED));
    }
    for (const pack of range(packCount)) {
      if (state.root.doomed & state.packs & bit(pack)) yield change(state, (next) => (next.packs &= ~bit(pack)));
    }
    if (state.replaced.length > 0) yield change(state, (next) => (next.root = next.replaced.pop()));
  }

  function* writerSteps(state, index) {
    const writer = state.writers[index];
    const session = sessionOf(index, writer.attempt);
    const move = (edit) => change(state, (next) => edit(next.writers[index], next));
    if (writer.step === 'done') return;
    if (writer.step === 'begin') yield move((own) => beginSession(own, state.root));
    if (writer.step === 'list') {
      yield move((own) => {
        own.listed = range(sessions).reduce(
          (mask, other) => (state.indexGeneration[other] >= own.floor ? mask | state.indexPacks[other] : mask),
          0,
        );
        own.step = 'decide';
      });
    }
    if (writer.step === 'decide') yield move((own) => decide(own, { root: state.root, session, wanted: wantedBy(index) }));
    if (writer.step === 'upload') {
      yield move((own, next) => {
        next.packs |= own.uploads;
        own.step = mistakes.has('commitFirst') ? 'commit' : 'index';
      });
    }
    if (writer.step === 'index') {
      yield move((own, next) => {
        if (own.uploads) {
          next.indexPacks[session] = own.uploads;
          next.indexGeneration[session] = own.generation;
        }
        own.step = mistakes.has('commitFirst') ? 'check' : 'commit';
      });
    }
    if (writer.step === 'commit') {
      yield move((own, next) => {
        next.commit[session] = IN_FLIGHT;
        next.commitGeneration[session] = own.generation;
        own.step = mistakes.has('commitFirst') ? 'index' : 'check';
      });
    }
    if (writer.step === 'check') yield* checkSteps(state, { index, writer, session });
  }

  /** Step 1: read the root. */
  function beginSession(own, root) {
    own.generation = root.generation;
    own.base = root.base;
    own.floor = mistakes.has('staleIndex') && root.phase === FENCING ? root.pastFloor : root.floor;
    own.listed = 0;
    if (mistakes.has('lazyRebase') && own.attempt > 0) {
      own.step = 'commit';
      return;
    }
    own.excluded = mistakes.has('dedupCondemned') ? root.doomed : root.condemned | root.doomed;
    own.step = 'list';
  }

  /** Step 2: read the root again after the listing; then decide what must be uploaded. */
  function decide(own, { root, session, wanted: chunks }) {
    if (root.floor !== own.floor && !mistakes.has('staleIndex')) {
      own.step = 'begin';
      own.listed = 0;
      return;
    }
    const known = (own.base | own.listed) & ~own.excluded;
    own.listed = 0;
    own.uploads = chunksOf(chunks).reduce((mask, chunk) => (known & holders[chunk] ? mask : mask | bit(packOf(session, chunk))), 0);
    own.step = 'upload';
  }

  /** Step 4: once the commit has landed, read the root; or give up waiting for it. */
  function* checkSteps(state, { index, writer, session }) {
    const again = writer.attempt + 1 < attempts;
    if (state.commit[session] === LANDED) {
      const stands = commitStands(state, session);
      yield change(state, (next) => {
        const own = next.writers[index];
        if (stands) Object.assign(own, { acknowledged: own.attempt, step: 'done' });
        else if (again) rebase(own);
        else own.step = 'done';
      });
    }
    if (again && state.commit[session] === IN_FLIGHT) yield change(state, (next) => rebase(next.writers[index]));
  }

  function commitStands({ root, commitGeneration }, session) {
    if (mistakes.has('noPostCheck') || mistakes.has('minAge')) return true;
    const generation = commitGeneration[session];
    if (root.floor <= generation) return true;
    const pending = root.phase === FENCING && generation >= root.pastFloor;
    return !pending && Boolean(root.catalogue & bit(session));
  }

  function rebase(own) {
    const uploads = mistakes.has('lazyRebase') ? own.uploads : 0;
    Object.assign(own, { step: 'begin', attempt: own.attempt + 1, generation: -1, excluded: 0, base: 0, floor: 0, listed: 0, uploads });
  }

  function* collectorSteps(state, index) {
    const own = state.collectors[index];
    if (own.step === 'idle') {
      const finished = state.root.phase === OPEN && state.root.generation >= config.generations;
      if (!finished) yield change(state, (next) => (next.collectors[index] = { ...idle(), step: 'decide', root: { ...state.root } }));
    } else if (own.step === 'delete') {
      yield* deleteSteps(state, index);
    } else if (own.step === 'decide' && own.root.phase === OPEN) {
      for (const condemned of condemnable(state, own.root)) {
        yield replaceRoot(state, { index, root: { ...own.root, generation: own.root.generation + 1, condemned, phase: CONDEMNED } });
      }
    } else if (own.step === 'decide' && own.root.phase === CONDEMNED) {
      yield fence(state, index);
    } else if (own.step === 'decide') {
      yield change(state, (next) => {
        const listedCommits = mistakes.has('listBeforeFence') ? (own.root.listed ?? 0) : listCommits(state);
        next.collectors[index] = { ...own, step: 'doom', listedCommits, listedIndexes: listIndexes(state) };
      });
    } else if (own.step === 'doom') {
      yield replaceRoot(state, { index, root: doom(state, own) });
    }
  }

  /** Replacement A: the sets of packs that may be condemned. */
  function condemnable({ packs, root, commit, commitGeneration }, own) {
    const existing = packs & ~own.doomed;
    if (config.condemn === 'any') return subsets(existing);
    const valid = range(sessions).filter(
      (session) => commit[session] === LANDED && (commitGeneration[session] >= root.floor || root.catalogue & bit(session)),
    );
    const needed = valid.flatMap((session) => chunksOf(wantedOf(session))).reduce((mask, chunk) => mask | holders[chunk], 0);
    return [existing & ~needed];
  }

  /** Replacement B: floor becomes the generation. */
  function fence(state, index) {
    const own = state.collectors[index];
    if (mistakes.has('listBeforeFence') && !own.listedIndexes) {
      return change(state, (next) => Object.assign(next.collectors[index], { listedCommits: listCommits(state), listedIndexes: 1 }));
    }
    const root = {
      ...own.root,
      phase: FENCING,
      pastFloor: own.root.floor,
      floor: mistakes.has('minAge') ? own.root.floor : own.root.generation,
    };
    if (mistakes.has('listBeforeFence')) root.listed = own.listedCommits;
    return replaceRoot(state, { index, root });
  }

  /** Replacement C: the catalogue is frozen, what it needs is rescued, the rest is doomed. */
  function doom({ commitGeneration, indexPacks, indexGeneration }, { root, listedCommits, listedIndexes }) {
    const below = (generation) => generation >= root.pastFloor && (generation < root.floor || mistakes.has('minAge'));
    let { catalogue, base } = root;
    for (const session of range(sessions)) {
      if (listedCommits & bit(session) && below(commitGeneration[session])) catalogue |= bit(session);
      if (listedIndexes & bit(session) && below(indexGeneration[session])) base |= indexPacks[session];
    }
    const doomed = root.doomed | (root.condemned & ~rescued(root, { catalogue, base }));
    const { listed: _, ...rest } = root;
    return { ...rest, catalogue, base: base & ~doomed, doomed, condemned: 0, phase: OPEN, pastFloor: root.floor };
  }

  /** Condemned packs without which a chunk of a catalogued snapshot would be lost. */
  function rescued(root, { catalogue, base }) {
    if (mistakes.has('noRemark')) return 0;
    let needed = 0;
    for (const session of range(sessions).filter((one) => catalogue & bit(one))) {
      for (const chunk of chunksOf(wantedOf(session))) {
        const copies = base & ~root.doomed & holders[chunk];
        if (!(copies & ~root.condemned)) needed |= copies & root.condemned;
      }
    }
    return needed;
  }

  /**
   * The collector stores `root` as the successor of the one that it has read. Numbered roots: creation succeeds if the number is above all others, and also
   * if the number is below the highest and was pruned, which may have happened to any of them. Then it lists again, by beginning anew.
   */
  function replaceRoot(state, { index, root: content }) {
    const root = { ...content, number: state.collectors[index].root.number + 1 };
    const wins = root.number > state.root.number;
    return change(state, (next) => {
      next.collectors[index] = idle();
      if (wins || mistakes.has('blindPut')) {
        if (mistakes.has('pruneAll')) next.replaced.push(next.root);
        next.root = { ...root, number: state.root.number + 1 };
      }
      // Whoever trusts the creation goes on with its own root.
      const created = wins || root.number < state.root.number;
      if (mistakes.has('trustCreate') && created) next.collectors[index] = { ...idle(), step: 'delete', root };
    });
  }

  /** A collector that believes in its own root deletes what that one dooms, and goes on with it. */
  function* deleteSteps(state, index) {
    const { root } = state.collectors[index];
    for (const pack of range(packCount)) {
      if (root.doomed & state.packs & bit(pack)) yield change(state, (next) => (next.packs &= ~bit(pack)));
    }
    if (root.phase === OPEN && root.generation >= config.generations) return;
    yield change(state, (next) => (next.collectors[index].step = 'decide'));
  }

  function listCommits({ commit }) {
    return range(sessions).reduce((mask, session) => (commit[session] === LANDED ? mask | bit(session) : mask), 0);
  }

  function listIndexes({ indexGeneration }) {
    return range(sessions).reduce((mask, session) => (indexGeneration[session] >= 0 ? mask | bit(session) : mask), 0);
  }
}

function idle() {
  return { step: 'idle', root: null, listedCommits: 0, listedIndexes: 0 };
}

/** A copy of the state, edited. */
function change(state, edit) {
  const next = {
    root: { ...state.root },
    replaced: [...state.replaced],
    packs: state.packs,
    indexPacks: [...state.indexPacks],
    indexGeneration: [...state.indexGeneration],
    commit: [...state.commit],
    commitGeneration: [...state.commitGeneration],
    writers: state.writers.map((writer) => ({ ...writer })),
    collectors: state.collectors.map((collector) => ({ ...collector })),
  };
  edit(next);
  return next;
}

function digest(state) {
  return createHash('md5').update(JSON.stringify(state)).digest('latin1');
}

function range(count) {
  return Array.from({ length: count }, (_, index) => index);
}

function bit(index) {
  return 1 << index;
}

function subsets(mask) {
  const found = [];
  for (let subset = mask; ; subset = (subset - 1) & mask) {
    found.push(subset);
    if (subset === 0) return found;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const options = JSON.parse(process.argv[2] ?? '{}');
  const start = performance.now();
  const result = explore(options);
  console.log(JSON.stringify({ ...result, seconds: Math.round(performance.now() - start) / 1000, options }));
}
