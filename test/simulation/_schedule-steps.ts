/** What schedules are made of. */
import type { Storage } from '../../engine/storage/mod.ts';
import { idFromBytes, isLaganError, objectNames, objectPrefixes, type PackId } from '../../repo-format/mod.ts';
import { randomBytesOf } from '../engine/random.ts';
import { namesIn } from '../engine/repository/sample.ts';
import { type FaultPlan, FaultyStorage, type Operation } from '../engine/storage/faulty-storage.ts';
import type { Sample } from '../reliability/_crash-points.ts';
import { collectIn } from '../reliability/_stops.ts';

/** Runs `act` at the call that `matches`, the `time`-th of them. */
export function once(
  matches: (operation: Operation, name: string) => boolean,
  act: () => void | Promise<void>,
  time = 1,
): FaultPlan['onCall'] {
  let met = 0;
  return async (operation, name) => {
    if (matches(operation, name) && ++met === time) await act();
  };
}

export function isCall(wanted: Operation, prefix: string): (operation: Operation, name: string) => boolean {
  return (operation, name) => operation === wanted && name.startsWith(prefix);
}

/** Runs a collection that dies when it has replaced the root so often. */
export async function collectUntilRoot(storage: Storage, replacements: number): Promise<void> {
  const fault = { operation: 'create', name: /^collector\/roots/, call: replacements, when: 'after' } as const;
  await collectIn(new FaultyStorage(storage, { faults: [fault] })).catch(expectCode('io'));
}

export function expectCode(...codes: string[]): (error: unknown) => void {
  return (error) => {
    if (!isLaganError(error) || !codes.includes(error.code)) throw error;
  };
}

/** A pack that no table names, of a backup that died. */
export async function leaveLitter(sample: Sample): Promise<void> {
  const number = (await namesIn(sample.storage)).length;
  const id = Buffer.from(randomBytesOf(`litter ${number}`, 16));
  id[0]! &= 0x7f;
  await sample.storage.create(objectNames.pack(idFromBytes<PackId>(id)), [randomBytesOf('litter', 500)]);
}

/** All that a collector stores, but packs. */
export async function collectorsObjects(storage: Storage): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for (const name of await namesIn(storage, 'collector/'))
    if (!name.startsWith(objectPrefixes.collectorPacks)) found.set(name, await storage.get(name));
  return found;
}

export async function setBack(storage: Storage, before: ReadonlyMap<string, Uint8Array>): Promise<void> {
  await storage.delete([...(await collectorsObjects(storage)).keys()]);
  for (const [name, bytes] of before) await storage.create(name, [bytes]);
}
