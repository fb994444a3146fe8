/**
 * Runs tap tests again and again in one process, which tap does not: what tests import as `tap` is a collector of them, and an assertion that fails throws.
 * As much of tap as the tests of the format and of the collector use.
 */
import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';
import { isDeepStrictEqual } from 'node:util';
import { match, same } from 'tcompare';

type TestBody = (t: Assertions) => unknown;

export interface CollectedTest {
  readonly id: string;
  readonly body: TestBody;
}

const collected: CollectedTest[] = [];
let file = '';

/** Imports the files, which must be absolute, and gives their tests. To be called once. */
export async function collectTests(files: readonly string[]): Promise<readonly CollectedTest[]> {
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'tap' ? { url: import.meta.url, format: 'module-typescript', shortCircuit: true } : next(specifier, context),
  });
  for (const name of files) {
    file = name.slice(name.lastIndexOf('/') + 1);
    await import(name);
  }
  return collected;
}

/** Errors: that of the first assertion that does not hold. What the test asked to be done afterwards is done in any case. */
export async function runTest(body: TestBody): Promise<void> {
  const t = new Assertions(false);
  try {
    await body(t);
  } finally {
    for (const tidy of t.teardowns.reverse()) await tidy();
  }
}

export class Assertions {
  readonly teardowns: (() => unknown)[] = [];
  /** At the top: collects the test; within a test: runs it at once. */
  readonly #isTop: boolean;

  constructor(isTop: boolean) {
    this.#isTop = isTop;
  }

  /** Between title and body options may stand: a test that they leave out is left out. */
  async test(title: string, ...[options, given]: [TestBody] | [{ skip?: unknown }, TestBody]): Promise<void> {
    if (typeof options === 'object' && options.skip) return;
    const body = typeof options === 'function' ? options : given!;
    if (this.#isTop) collected.push({ id: `${file}: ${title}`, body });
    else await runTest(body);
  }

  ok(value: unknown, what?: string): void {
    assert.ok(value, what ?? 'not ok');
  }

  notOk(value: unknown, what?: string): void {
    assert.ok(!value, what ?? 'ok');
  }

  equal(found: unknown, wanted: unknown, what?: string): void {
    assert.ok(Object.is(found, wanted), what ?? `${found} is not ${wanted}`);
  }

  not(found: unknown, wanted: unknown, what?: string): void {
    assert.ok(!Object.is(found, wanted), what ?? `${found}`);
  }

  same(found: unknown, wanted: unknown, what?: string): void {
    assert.ok(isDeepStrictEqual(found, wanted) || same(found, wanted).match, what ?? 'not the same');
  }

  notSame(found: unknown, wanted: unknown, what?: string): void {
    assert.ok(!same(found, wanted).match, what ?? 'the same');
  }

  match(found: unknown, pattern: unknown, what?: string): void {
    assert.ok(match(found, pattern).match, what ?? 'no match');
  }

  throws(run: () => unknown, wanted?: unknown): void {
    let error: unknown;
    try {
      run();
    } catch (thrown) {
      error = thrown;
    }
    assert.ok(error !== undefined, 'nothing was thrown');
    if (typeof wanted === 'object' || typeof wanted === 'function') assert.ok(match(error, wanted).match, `another error: ${error}`);
  }

  async rejects(given: Promise<unknown> | (() => Promise<unknown>), wanted?: unknown): Promise<void> {
    const outcome = await (typeof given === 'function' ? given() : given).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    assert.ok(outcome !== undefined, 'nothing was rejected');
    if (typeof wanted === 'object') assert.ok(match(outcome.error, wanted).match, `another error: ${outcome.error}`);
  }

  async resolves(given: Promise<unknown> | (() => Promise<unknown>)): Promise<void> {
    await (typeof given === 'function' ? given() : given);
  }

  doesNotThrow(run: () => unknown): void {
    run();
  }

  pass(): void {}

  fail(what: string): never {
    assert.fail(what);
  }

  teardown(tidy: () => unknown): void {
    this.teardowns.push(tidy);
  }

  end(): void {}

  comment(): void {}

  setTimeout(): void {}
}

export default new Assertions(true);
