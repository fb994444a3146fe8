/**
 * A test runner for Stryker that runs tests in its own process: a mutant takes milliseconds instead of a start of Node for each file of tests.
 * Which, the configurations beside it say: `inProcess.tests` are patterns of files of tests; `inProcess.leaveOut` is a pattern for those that take too long, by their
 * file and title; `inProcess.oneOf` takes only one of so many changes, evenly spread: the report calls the others errors, which count for nothing.
 * Stryker starts a new process for mutants in code that runs when a module is loaded, and after one that does not end.
 */
import { globSync } from 'node:fs';
import path from 'node:path';
import { INSTRUMENTER_CONSTANTS } from '@stryker-mutator/api/core';
import { commonTokens, declareClassPlugin, PluginKind, tokens } from '@stryker-mutator/api/plugin';
import { DryRunStatus, determineHitLimitReached, MutantRunStatus, TestStatus } from '@stryker-mutator/api/test-runner';
import { collectTests, runTest } from './_tests.ts';

class TestsInProcess {
  static inject = tokens(commonTokens.options);
  #chosen;
  #tests = [];
  /** How long each test took last: the quick ones come first, as one that fails is enough. */
  #durations = new Map();

  constructor({ inProcess }) {
    this.#chosen = inProcess;
  }

  /** Stryker's own state, which the instrumented code reads. */
  get #state() {
    globalThis[INSTRUMENTER_CONSTANTS.NAMESPACE] ??= {};
    return globalThis[INSTRUMENTER_CONSTANTS.NAMESPACE];
  }

  capabilities() {
    return { reloadEnvironment: false };
  }

  async dryRun() {
    await this.#load();
    const tests = [];
    for (const test of this.#tests) {
      this.#state.currentTestId = test.id;
      const failureMessage = await this.#failureOf(test);
      const shared = { id: test.id, name: test.id, timeSpentMs: this.#durations.get(test.id) };
      tests.push(
        failureMessage === undefined ? { ...shared, status: TestStatus.Success } : { ...shared, status: TestStatus.Failed, failureMessage },
      );
    }
    this.#state.currentTestId = undefined;
    return { status: DryRunStatus.Complete, tests, mutantCoverage: this.#state.mutantCoverage };
  }

  async mutantRun({ activeMutant, testFilter, hitLimit, mutantActivation }) {
    if (Number(activeMutant.id) % this.#chosen.oneOf !== 0) return { status: MutantRunStatus.Error, errorMessage: 'not in the sample' };
    const state = this.#state;
    state.hitCount = hitLimit === undefined ? undefined : 0;
    state.hitLimit = hitLimit;
    if (mutantActivation === 'static') state.activeMutant = activeMutant.id;
    await this.#load();
    state.activeMutant = activeMutant.id;
    const durationOf = ({ id }) => this.#durations.get(id) ?? 0;
    const chosen = this.#tests.filter(({ id }) => testFilter === undefined || testFilter.includes(id));
    chosen.sort((left, right) => durationOf(left) - durationOf(right));
    for (const [index, test] of chosen.entries()) {
      const failureMessage = await this.#failureOf(test);
      const endless = determineHitLimitReached(state.hitCount, state.hitLimit);
      if (endless !== undefined) return endless;
      if (failureMessage === undefined) continue;
      return { status: MutantRunStatus.Killed, failureMessage, killedBy: [test.id], nrOfTests: index + 1 };
    }
    return { status: MutantRunStatus.Survived, nrOfTests: chosen.length };
  }

  /** What the assertion said that did not hold; undefined: all held. */
  async #failureOf({ id, body }) {
    const began = performance.now();
    try {
      await runTest(body);
      return undefined;
    } catch (error) {
      return String(error);
    } finally {
      this.#durations.set(id, Math.max(performance.now() - began, this.#durations.get(id) ?? 0));
    }
  }

  async #load() {
    if (this.#tests.length > 0) return;
    const { tests, leaveOut } = this.#chosen;
    const files = tests.flatMap((name) => globSync(name)).sort();
    const all = await collectTests(files.map((name) => path.resolve(name)));
    this.#tests = all.filter(({ id }) => !new RegExp(leaveOut).test(id));
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, 'in-process', TestsInProcess)];

/** What the configurations say to this plugin. */
export const strykerValidationSchema = {
  properties: {
    inProcess: {
      type: 'object',
      properties: {
        tests: { type: 'array', items: { type: 'string' } },
        leaveOut: { type: 'string' },
        oneOf: { type: 'integer', minimum: 1 },
      },
      required: ['tests', 'leaveOut', 'oneOf'],
      additionalProperties: false,
    },
  },
};
