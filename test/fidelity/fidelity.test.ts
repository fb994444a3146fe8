/**
 * The proof that a folder comes back as it was: every nasty case goes through backup and restore, as root and as an ordinary user, and is
 * compared in all that the file system can hold. Prints one score line for each of them.
 */

import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openRoot } from '../../engine/system/mod.ts';
import { type CaseResult, compareCases } from './compare.ts';
import { cases, type FidelityCase } from './make-cases.ts';
import { isHonestLoss, type Report } from './refusals.ts';
import type { Step, StepResult } from './round-trip.ts';
import { makeTestFolder, removeTestFolder } from './test-folder.ts';

const isRoot = process.geteuid!() === 0;
const needsRoot = { skip: isRoot ? false : 'needs root' };
const nobody = 65_534;
const leastCases = 60;

interface Place {
  readonly original: string;
  readonly outside: string;
  readonly repository: string;
  readonly target: string;
  readonly home: string;
}

t.test('cases: names are unique, and there are enough', async (t) => {
  t.equal(new Set(cases.map(({ name }) => name)).size, cases.length);
  t.ok(cases.length >= leastCases);
});

const own = makePlace('self');
const ownCases = make(own, 'self');

t.test('compare: a tree equals itself, and every loss is noticed', async (t) => {
  t.strictSame(differing(compare(ownCases, own.original, own.original)), []);
  t.equal(differing(compare(ownCases, own.original, own.target)).length, ownCases.length);
});

t.test('fidelity: made, backed up and restored by root, nothing is lost', needsRoot, async (t) => {
  t.ok(ownCases.length >= leastCases, `${ownCases.length} cases`);
  const results = roundTrip(t, own, { cases: ownCases, as: 'self' });
  score(results, differing(results), 'root');
  t.strictSame(differing(results), []);
});

t.test('fidelity: made, backed up and restored by an ordinary user, nothing is lost', async (t) => {
  const place = isRoot ? makePlace('nobody') : own;
  const made = isRoot ? make(place, 'nobody') : ownCases;
  const results = roundTrip(t, place, { cases: made, as: 'nobody' });
  score(results, differing(results), 'ordinary user, own files');
  t.strictSame(differing(results), []);
});

t.test(
  'fidelity: backed up by root, restored by an ordinary user, each loss is one that the kernel refuses and that was reported',
  needsRoot,
  async (t) => {
    const target = `${own.target}-of-nobody`;
    mkdirSync(target);
    for (const folder of [own.repository, target, own.home]) execFileSync('chown', ['-R', `${nobody}:${nobody}`, folder]);
    const { refused } = run({ action: 'find what is refused', folder: target }, own, 'nobody');
    const restored = run({ action: 'restore', folder: own.original, repository: own.repository, target }, own, 'nobody');
    const report: Report = { refused: refused!, notRestored: restored.notRestored!, errorPaths: restored.errors!.map(({ path }) => path) };
    const results = compare(ownCases, own.original, target);
    const dishonest = differing(results, report);
    score(results, dishonest, 'ordinary user, files of root: each loss is refused by the kernel and was reported');
    t.strictSame(dishonest, []);
  },
);

/** Backs up and restores all cases, without a word of complaint, and compares. */
function roundTrip(t: Test, place: Place, { cases: made, as }: { cases: readonly FidelityCase[]; as: 'self' | 'nobody' }): CaseResult[] {
  const { original: folder, repository, target } = place;
  t.strictSame(run({ action: 'backup', folder, repository }, place, as).errors, []);
  const { errors, notRestored } = run({ action: 'restore', folder, repository, target }, place, as);
  t.strictSame([errors, notRestored], [[], []]);
  return compare(made, folder, target);
}

/** Folders for one round trip; `owner` says whose they are. */
function makePlace(owner: 'self' | 'nobody'): Place {
  const path = makeTestFolder();
  t.teardown(() => removeTestFolder(path));
  chmodSync(path, 0o755);
  const place = Object.fromEntries(
    ['original', 'outside', 'repository', 'target', 'home'].map((name) => [name, join(path, name)]),
  ) as unknown as Place;
  for (const folder of Object.values(place)) {
    mkdirSync(folder);
    if (owner === 'nobody' && isRoot) execFileSync('chown', [`${nobody}:${nobody}`, folder]);
  }
  return place;
}

/** Makes the cases. Those that are left out are named. */
function make(place: Place, owner: 'self' | 'nobody'): FidelityCase[] {
  const { made, leftOut } = run({ action: 'make', folder: place.original, outside: place.outside }, place, owner);
  for (const { name, reason } of leftOut!) if (reason !== 'needs root') t.comment(`not here: ${name} (${reason})`);
  return cases.filter(({ name }) => made!.includes(name));
}

/** Takes a step of the round trip in a process of its own, as this user or as nobody. */
function run(step: Step, place: Place, as: 'self' | 'nobody'): StepResult {
  // The test runner's own module, which it adds to every process, would want to write where this user may not.
  const program = ['-u', 'NODE_OPTIONS', process.execPath, join(import.meta.dirname, 'round-trip.ts')];
  const output = execFileSync('env', [...program, JSON.stringify(step)], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    cwd: place.home,
    env: { PATH: process.env.PATH, HOME: place.home },
    ...(as === 'nobody' && isRoot ? { uid: nobody, gid: nobody } : {}),
  });
  return JSON.parse(output) as StepResult;
}

function compare(made: readonly FidelityCase[], original: string, restored: string): CaseResult[] {
  const [left, right] = [openRoot(original), openRoot(restored)];
  const results = compareCases(made, left, right);
  closeSync(left);
  closeSync(right);
  return results;
}

/** The cases with losses; with a report, those with losses that it does not excuse. */
function differing(results: readonly CaseResult[], report?: Report): CaseResult[] {
  return results.flatMap(({ name, differences }) => {
    const left = differences.filter((difference) => report === undefined || !isHonestLoss(difference, differences, report));
    return left.length === 0 ? [] : [{ name, differences: left.slice(0, 5) }];
  });
}

function score(results: readonly CaseResult[], failed: readonly CaseResult[], who: string): void {
  console.error(`fidelity: ${results.length - failed.length} of ${results.length} (${who})`);
}
