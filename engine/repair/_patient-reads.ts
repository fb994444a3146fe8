/** What is read for a repair is asked for again where the machine says that it cannot be read: once may be bad luck, and what it is, a repair would give up. */
import { setTimeout } from 'node:timers/promises';
import { isLaganError } from '../../repo-format/mod.ts';
import { type ByteRange, type CallOptions, type GetOptions, type Storage, withOverrides } from '../storage/mod.ts';
import { repairLimits } from './_limits.ts';

/** The same store. Closing it leaves the one below open. */
export function withPatientReads(storage: Storage): Storage {
  return withOverrides(storage, {
    get: (name: string, range?: ByteRange, options?: GetOptions) => patiently(() => storage.get(name, range, options), options),
    getEnd: (name: string, last: number, options?: GetOptions) => patiently(() => storage.getEnd(name, last, options), options),
    size: (name: string, options?: CallOptions) => patiently(() => storage.size(name, options), options),
    close: async () => undefined,
  });
}

async function patiently<Result>(read: () => Promise<Result>, { signal }: CallOptions = {}): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await read();
    } catch (error) {
      if (!isLaganError(error, 'io') || attempt === repairLimits.readAttempts) throw error;
      // When it is interrupted, the next reading says so.
      await setTimeout(repairLimits.readPauseMs * attempt, undefined, { signal }).catch(() => undefined);
    }
  }
}
