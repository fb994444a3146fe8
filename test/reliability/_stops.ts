/** A program that is stopped at one of its requests, whatever others do meanwhile, and what must hold afterwards: for each of its requests. */
import { randomBytes } from 'node:crypto';
import { check } from '../../engine/check/mod.ts';
import type { Storage } from '../../engine/storage/mod.ts';
import { idFromBytes, objectNames, type PackId } from '../../repo-format/mod.ts';
import { collect } from '../simulation/engine-calls.ts';
import { faultsOf, type Outcome, open, runWith, type Sample } from './_crash-points.ts';
import { momentStep } from './_moments.ts';

export interface Stopped {
  /** What is stopped. */
  readonly operate: (storage: Storage, copy: Sample) => Promise<void>;
  /** What others do while it is. */
  readonly meanwhile: (copy: Sample) => Promise<void>;
  /** What is done after all have ended. */
  readonly afterwards?: (copy: Sample) => Promise<void>;
  /** Codes with which the stopped program may end. */
  readonly mayEnd: readonly Outcome[];
  /** Every so many requests. Default: see {@link momentStep}. */
  readonly step?: number;
  /** What must hold in the end. Default: {@link faultsInTheEnd}. */
  readonly faultsOf?: (sample: Sample) => Promise<string[]>;
}

/**
 * Stops the operation at its requests, one after another, each time on a copy of the sample. Whatever was acknowledged must be there after two more collections, and nothing that nobody
 * needs. Returns what is wrong after the first moment where something is, and how many moments were tried.
 */
export async function stopEverywhere(
  sample: Sample,
  { operate, meanwhile, afterwards, mayEnd, step = momentStep, faultsOf: faultsThen = faultsInTheEnd }: Stopped,
): Promise<{ faults: string[]; moments: number }> {
  for (let call = 1, moments = 0; ; call += step, moments++) {
    let others: Promise<void> | undefined;
    const copies: Sample[] = [];
    let made = 0;
    const plan = {
      onCall: async () => {
        if (++made !== call) return;
        others = meanwhile(copies[0]!);
        await others;
      },
    };
    const start = (storage: Storage, copy: Sample): Promise<void> => {
      copies.push(copy);
      return operate(storage, copy);
    };
    const { copy, outcome } = await runWith(sample, { plan, operate: start });
    // The program may end without an answer that it did not need after all.
    await others;
    await afterwards?.(copy);
    const faults = mayEnd.includes(outcome) ? [] : [`it ended with ${outcome}`];
    faults.push(...(await faultsThen(copy)));
    if (faults.length > 0) return { faults: faults.map((fault) => `stopped at call ${call} (${outcome}): ${fault}`), moments };
    if (others === undefined) return { faults, moments };
  }
}

/** After two more collections: what {@link faultsOf} finds, and litter. */
export async function faultsInTheEnd(sample: Sample): Promise<string[]> {
  for (let collections = 0; collections < 2; collections++) await collectIn(sample.storage);
  return [...(await faultsOf(sample)), ...(await litterOf(sample))];
}

export async function litterOf({ storage }: Sample): Promise<string[]> {
  const { notes } = await check(await open(storage), { workers: 1 });
  return notes.filter(({ code }) => code === 'litter').map(({ message }) => message);
}

/** A collection for no other reason than to fold: the base index lists all packs then. */
export async function foldIn(storage: Storage): Promise<void> {
  const repository = await open(storage);
  const litter = objectNames.pack(idFromBytes<PackId>(randomBytes(16).fill(0, 0, 1)));
  await storage.create(litter, [randomBytes(10)]);
  await collect(repository);
}

export async function collectIn(storage: Storage): Promise<void> {
  await collect(await open(storage));
}
