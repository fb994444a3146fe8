/** Which volumes people name in annotations, in Velero's words and in ours. */
import type { ObjectMeta } from './objects.ts';

const taken = ['backup.velero.io/backup-volumes', 'lagan.dev/backup-volumes'];
const leftOut = ['backup.velero.io/backup-volumes-excludes', 'lagan.dev/backup-volumes-excludes'];
/** On a claim: `true` takes it, `false` leaves it out, whatever its pods say. */
const ofClaims = 'lagan.dev/backup';

export interface NamedVolumes {
  readonly taken: ReadonlySet<string>;
  readonly leftOut: ReadonlySet<string>;
}

export function namedVolumes({ annotations = {} }: ObjectMeta): NamedVolumes {
  const names = (keys: readonly string[]) => new Set(keys.flatMap((key) => listOf(annotations[key])));
  return { taken: names(taken), leftOut: names(leftOut) };
}

/** What a claim says of itself; `invalid` if nobody can know what is meant. */
export function choiceOfClaim({ annotations = {} }: ObjectMeta): 'taken' | 'left out' | 'invalid' | undefined {
  const value = annotations[ofClaims];
  if (value === undefined) return undefined;
  return value === 'true' ? 'taken' : value === 'false' ? 'left out' : 'invalid';
}

function listOf(value = ''): string[] {
  return value
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
