// Explores every interleaving of the steps of some writers, collectors, readers and the owner, within bounds (configurations.mjs). No dependencies.
//
//     node explore.mjs --all              every configuration, to its end; hours
//     node explore.mjs --small            every configuration at the size of the tests, and every mistake; about a minute
//     node explore.mjs '{"writers":2}'    these options (model.mjs, `defaults`); with "trace": true, how it came to a fault

import { fileURLToPath } from 'node:url';
import { collectorSteps } from './collector.mjs';
import { configurations, mistakes } from './configurations.mjs';
import { createModel } from './model.mjs';
import { ownerSteps } from './owner.mjs';
import { readerSteps } from './reader.mjs';
import { rollbackSteps } from './rollback.mjs';
import { fault } from './safety.mjs';
import { LANDED, range } from './state.mjs';
import { worldSteps } from './world.mjs';
import { writerSteps } from './writer.mjs';

/** The result's `verdict` is `ok`, `state limit`, or what went wrong at `depth` (the least one). */
export function explore(options = {}) {
  const model = createModel(options);
  const { codec, config } = model;
  const first = codec.encode(model.initial);
  // A state's key leads to that of the state before it, if the trace is wanted.
  const seen = config.trace ? new Map([[first, null]]) : new Set([first]);
  const counts = { transitions: 0, acknowledged: 0, deleted: 0 };
  let frontier = [first];
  for (let depth = 1; frontier.length > 0; depth++) {
    const next = [];
    for (const before of frontier) {
      for (const { state } of successors(model, codec.decode(before))) {
        counts.transitions++;
        const key = codec.encode(state);
        if (seen.has(key)) continue;
        if (config.trace) seen.set(key, before);
        else seen.add(key);
        const verdict = fault(model, state) ?? (seen.size > config.stateLimit ? 'state limit' : null);
        if (verdict !== null)
          return { verdict, depth, states: seen.size, ...counts, ...(config.trace && { trace: traceOf(model, seen, key) }) };
        count(counts, state);
        next.push(key);
      }
    }
    frontier = next;
    if (frontier.length === 0) return { verdict: 'ok', depth, states: seen.size, ...counts };
  }
}

function* successors(model, state) {
  yield* worldSteps(model, state);
  for (const writer of range(model.config.writers)) yield* writerSteps(model, state, writer);
  for (const collector of range(model.config.collectors)) yield* collectorSteps(model, state, collector);
  if (state.owners.length > 0) yield* ownerSteps(model, state);
  if (state.readers.length > 0) yield* readerSteps(model, state);
  if (state.rollback.length > 0) yield* rollbackSteps(model, state);
}

function count(counts, { writers, commit, packs, doomedEver }) {
  if (writers.every(({ acknowledged }) => acknowledged >= 0) && commit.some((status) => status >= LANDED)) counts.acknowledged++;
  if (doomedEver & ~packs) counts.deleted++;
}

/** What happened on the way to a state. */
function traceOf(model, cameFrom, last) {
  const labels = [];
  for (let key = last; cameFrom.get(key) !== null; key = cameFrom.get(key)) {
    const steps = successors(model, model.codec.decode(cameFrom.get(key)));
    labels.unshift(steps.find(({ state }) => model.codec.encode(state) === key).label);
  }
  return labels;
}

function report(name, options) {
  const start = performance.now();
  const { verdict, depth, states, transitions, trace } = explore(options);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${name}: ${verdict}; ${states} states, ${transitions} transitions, depth ${depth}, ${seconds} s`);
  for (const [index, label] of (trace ?? []).entries()) console.log(`  ${index + 1}. ${label}`);
  return verdict;
}

function main(argument = '--small') {
  if (argument.startsWith('{')) return report(argument, JSON.parse(argument)) === 'ok';
  let right = true;
  for (const [name, { small, full }] of Object.entries(configurations)) {
    const sizes = argument === '--all' ? [...small, ...full] : small;
    for (const options of sizes) right = report(`${name} ${JSON.stringify(options)}`, options) === 'ok' && right;
  }
  for (const [name, options] of Object.entries(mistakes)) {
    const verdict = report(`mistake ${name}`, { ...options, mistakes: [name] });
    if (verdict === 'ok' || verdict === 'state limit') right = false;
  }
  return right;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv[2]) ? 0 : 1;
