/**
 * Whether a store creates objects safely: of several who create one name at once, exactly one may be told that it did. Stores differ in that, and cannot be
 * trusted (see docs/decisions/001-numbered-roots.md); so it is tried. One that failed once is not safe; one that never failed is, as far as was tried.
 */
import { randomBytes } from 'node:crypto';
import { equalBytes, isLaganError } from '../../repo-format/mod.ts';
import type { CallOptions, Storage } from '../storage/mod.ts';
import { rememberProbe } from './_probe-memory.ts';
import { probeLimits } from './limits.ts';

/** Objects below it are nothing: what is left of a probe that was cut short. */
export const probePrefix = 'probe/';

export interface ProbeOptions extends CallOptions {
  /** 32 writers and 1,000 names instead of 8 and 20, which take less than five seconds. */
  readonly thorough?: boolean | undefined;
  /** No round begins after this time. Default: `probeLimits`. */
  readonly limitMs?: number | undefined;
  /** Folder of the caches: what is found is remembered there for the store. */
  readonly cacheFolder?: string | undefined;
}

export interface ProbeResult {
  readonly racers: number;
  /** Rounds that were run: fewer than asked for if there was no time. */
  readonly rounds: number;
  /** Rounds in which more than one was told that it created the object. */
  readonly doubleWins: number;
  /** The most who were told so in one round. */
  readonly mostWinners: number;
  /** Rounds in which nobody was told so, or the object was that of one who was told that it lost. */
  readonly wrongWinners: number;
  /** No round went wrong. */
  readonly isSafe: boolean;
  readonly durationMs: number;
  /** Whether objects of the probe had to be left because they may not be deleted. */
  readonly leftBehind: boolean;
}

interface Round {
  readonly winners: number;
  readonly isWinnersObject: boolean;
}

/** Races writers for fresh names below {@link probePrefix}, and deletes what they made. Codes: those of the storage. */
export async function probeStorage(storage: Storage, options: ProbeOptions = {}): Promise<ProbeResult> {
  const { thorough = false, cacheFolder, signal } = options;
  const { racers, rounds, limitMs: usualLimitMs } = thorough ? probeLimits.thorough : probeLimits.quick;
  const limitMs = options.limitMs ?? usualLimitMs;
  const started = performance.now();
  const folder = `${probePrefix}${randomBytes(8).toString('hex')}/`;
  const done: Round[] = [];
  const names: string[] = [];
  let isCleared = true;
  try {
    while (done.length < rounds && (done.length === 0 || performance.now() - started < limitMs)) {
      const name = `${folder}${done.length}`;
      names.push(name);
      done.push(await race(storage, name, { racers, signal }));
      if (names.length >= probeLimits.namesPerDeletion) isCleared = (await clear(storage, names.splice(0))) && isCleared;
    }
  } finally {
    isCleared = (await clear(storage, names)) && isCleared;
  }
  const result = { racers, ...countsOf(done), durationMs: Math.round(performance.now() - started), leftBehind: !isCleared };
  if (cacheFolder !== undefined) rememberProbe(cacheFolder, storage, result);
  return result;
}

function countsOf(rounds: readonly Round[]): Pick<ProbeResult, 'rounds' | 'doubleWins' | 'mostWinners' | 'wrongWinners' | 'isSafe'> {
  const doubleWins = rounds.filter(({ winners }) => winners > 1).length;
  const wrongWinners = rounds.filter(({ isWinnersObject }) => !isWinnersObject).length;
  const mostWinners = Math.max(...rounds.map(({ winners }) => winners));
  return { rounds: rounds.length, doubleWins, mostWinners, wrongWinners, isSafe: doubleWins === 0 && wrongWinners === 0 };
}

async function race(storage: Storage, name: string, { racers, signal }: { racers: number } & CallOptions): Promise<Round> {
  const contents = Array.from({ length: racers }, () => Uint8Array.from(randomBytes(probeLimits.objectSizeBytes)));
  const outcomes = await allOrNone(contents, (content, ended) => storage.create(name, [content], { signal: ended }), signal);
  const stored = await storage.get(name, undefined, { signal });
  const winners = contents.filter((_, index) => outcomes[index] === 'created');
  return { winners: winners.length, isWinnersObject: winners.some((content) => equalBytes(content, stored)) };
}

/** As Promise.all, but the first error ends the others, so that none of them goes on trying when the caller is told of it. */
async function allOrNone<Item, Result>(
  items: readonly Item[],
  start: (item: Item, signal: AbortSignal) => Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result[]> {
  const failed = new AbortController();
  const ended = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const running = items.map((item) => start(item, ended));
  try {
    return await Promise.all(running);
  } catch (error) {
    failed.abort();
    await Promise.allSettled(running);
    throw error;
  }
}

/** True if nothing is left. An interruption leaves nothing either: the objects are few. */
async function clear(storage: Storage, names: readonly string[]): Promise<boolean> {
  try {
    await storage.delete(names, { signal: AbortSignal.timeout(probeLimits.clearTimeoutMs) });
    return true;
  } catch (error) {
    if (!isLaganError(error)) throw error;
    return false;
  }
}
