import { setTimeout } from 'node:timers/promises';
import { openRepository, openStorage, type Repository, type Secret } from '../../engine/mod.ts';
import { isLaganError } from '../../repo-format/mod.ts';
import { secret } from './_crash-points.ts';

const patienceMs = 60_000;

/**
 * Opens the repository, and where nobody answers tries again: a server that is dead just now starts again. An address that has never answered may be a wrong one, so that the engine says
 * so at once; once it has, the engine itself waits.
 */
export async function openPatiently(place: string, secrets: Secret | Secret[] = secret): Promise<Repository> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await openRepository(openStorage(place), { secret: secrets, mode: 'write' });
    } catch (error) {
      if (!isLaganError(error, 'unavailable') || performance.now() - startedAt > patienceMs) throw error;
      await setTimeout(50);
    }
  }
}
