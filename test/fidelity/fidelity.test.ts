/**
 * The proof that a folder comes back as it was: every nasty case goes through backup and restore, as root and as an ordinary user, and is
 * compared in all that the file system can hold. Prints one score line for each of them.
 */

import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
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

t.test('compare: a tree equals itself, and every loss is noticed', async (t) => {
  const place = makePlace(t, 'self');
  const made = make(place, 'self');
  t.strictSame(differing(compare(made, place.original, place.original)), []);
  const nothing = compare(made, place.original, place.target);
  t.equal(differing(nothing).length, made.length);
});

t.test('fidelity: made, backed up and restored by root, nothing is lost', needsRoot, async (t) => {
  const place = makePlace(t, 'self');
  const made = make(place, 'self');
  t.ok(made.length >= leastCases, `${made.length} cases`);
  t.strictSame(run({ action: 'backup', folder: place.original, repository: place.repository }, place, 'self').errors, []);
  const restored = run({ action: 'restore', folder: place.original, repository: place.repository, target: place.target }, place, 'self');
  t.strictSame([restored.errors, restored.notRestored], [[], []]);
  const results = compare(made, place.original, place.target);
  score(results, differing(results), 'root');
  t.strictSame(differing(results), []);
});

t.test('fidelity: made, backed up and restored by an ordinary user, nothing is lost', async (t) => {
  const place = makePlace(t, 'nobody');
  const made = make(place, 'nobody');
  t.strictSame(run({ action: 'backup', folder: place.original, repository: place.repository }, place, 'nobody').errors, []);
  const restored = run({ action: 'restore', folder: place.original, repository: place.repository, target: place.target }, place, 'nobody');
  t.strictSame([restored.errors, restored.notRestored], [[], []]);
  const results = compare(made, place.original, place.target);
  score(results, differing(results), 'ordinary user, own files');
  t.strictSame(differing(results), []);
});

t.test(
  'fidelity: made and backed up by root, restored by an ordinary user, each loss is one that the kernel refuses and that was reported',
  needsRoot,
  async (t) => {
    const place = makePlace(t, 'self');
    const made = make(place, 'self');
    run({ action: 'backup', folder: place.original, repository: place.repository }, place, 'self');
    for (const folder of [place.repository, place.target, place.home]) execFileSync('chown', ['-R', `${nobody}:${nobody}`, folder]);
    const { refused } = run({ action: 'find what is refused', folder: place.target }, place, 'nobody');
    const restored = run(
      { action: 'restore', folder: place.original, repository: place.repository, target: place.target },
      place,
      'nobody',
    );
    const report: Report = { refused: refused!, notRestored: restored.notRestored!, errorPaths: restored.errors!.map(({ path }) => path) };
    const results = compare(made, place.original, place.target);
    const dishonest = differing(results, report);
    score(
      results,
      dishonest,
      `ordinary user, root's files; ${differing(results).length} with losses that the kernel refuses and that were reported`,
    );
    t.strictSame(dishonest, []);
  },
);

/** Folders for one round trip; `owner` says whose they are. */
function makePlace(t: { teardown(handler: () => void): void }, owner: 'self' | 'nobody'): Place {
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
  const output = execFileSync(process.execPath, [join(import.meta.dirname, 'round-trip.ts'), JSON.stringify(step)], {
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
