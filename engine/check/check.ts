import { availableParallelism } from 'node:os';
import { accessAllowed, LaganError } from '../../repo-format/mod.ts';
import { uncachedStorage } from '../cache/mod.ts';
import { type Repository, readRoot } from '../repository/mod.ts';
import { CheckRun } from './_check-run.ts';
import { checkLimits } from './_limits.ts';
import { expectReadData } from './read-data.ts';
import type { CheckOptions, CheckResult, Diagnosis } from './result.ts';

/**
 * Looks for damage. Always: that every small object opens; that every index table opens, and its packs are in the store with the size that it says; that every node of every
 * snapshot's tree opens and is what its parent says; that every chunk of every file is in its pack; that the lists of packs are right. With `readData`, too: that every
 * block of the chosen packs opens and decompresses, and that each chunk has the bytes that its name, a keyed hash, promises.
 *
 * Damage is a finding, not an error. Errors end the check: those of the store (`unavailable`, `forbidden`; a listing that fails), `no-key` (reading data with a key for
 * metadata only), `interrupted`. A backup may run at the same time. Memory: 8 bytes for each chunk in the index, up to 64 MiB; beyond that, trees are walked several times.
 */
export async function check(repository: Repository, options: CheckOptions = {}): Promise<CheckResult> {
  return withRun(repository, options, (run) => run.run());
}

/** The same, with what a repair needs to know. */
export async function diagnose(repository: Repository, options: CheckOptions = {}): Promise<Diagnosis> {
  return withRun(repository, options, (run) => run.diagnose());
}

async function withRun<Result>(
  repository: Repository,
  { readData = false, workers = availableParallelism(), maxDurationMs, record, onProgress, onFinding, signal }: CheckOptions,
  look: (run: CheckRun) => Promise<Result>,
): Promise<Result> {
  if (!Number.isInteger(workers) || workers < 1) throw new RangeError(`workers: ${workers} is not a number of threads`);
  if (maxDurationMs !== undefined && !(maxDurationMs > 0)) throw new RangeError(`maxDurationMs: ${maxDurationMs} is not above 0`);
  expectReadData(readData);
  if (readData !== false && repository.keys.grants !== 'full') {
    throw new LaganError('no-key', 'the data can only be read with a key that grants all, this one grants metadata', {
      expected: 'full',
      found: repository.keys.grants,
      hint: 'check the structure only, or use another key',
    });
  }
  const storage = uncachedStorage(repository.storage);
  const current = { ...repository, storage, root: await readRoot({ ...repository, storage }, { signal }) };
  // What a newer version forbids old ones is any writing, this small one too.
  const mayRecord = record === true && accessAllowed(repository.configuration.features) === 'write';
  const run = new CheckRun(current, { readData, workers, maxDurationMs, record: mayRecord, onFinding, signal });
  const timer = onProgress && setInterval(() => onProgress(run.progress), checkLimits.progressIntervalMs);
  try {
    return await look(run);
  } finally {
    clearInterval(timer);
    await run.end();
  }
}
