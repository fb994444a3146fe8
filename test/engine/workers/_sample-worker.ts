/** A worker that does what it is told. */

import type { WorkerContext } from '../../../engine/workers/mod.ts';
import { LaganError } from '../../../repo-format/mod.ts';

export interface SampleJob {
  readonly say?: string;
  readonly fail?: boolean;
  /** Works until the pool stops. */
  readonly endless?: boolean;
  /** Ends the thread. */
  readonly die?: boolean;
}

export function beginSample({ setup, isStopping, pause }: WorkerContext<string>): (job: SampleJob) => Promise<string> {
  return async ({ say, fail, endless, die }) => {
    if (fail) throw new LaganError('pack-missing', 'a pack is missing', { object: 'writer/packs/x' });
    if (die) process.exit(7);
    while (endless && !isStopping()) await (pause() ?? new Promise((resolve) => setTimeout(resolve, 1)));
    if (endless) throw new LaganError('interrupted', 'told to stop');
    return `${setup} ${say}`;
  };
}
