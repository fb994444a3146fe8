/**
 * What may be deleted in a mirror: what the source does not have and nothing under its newest root, which is the mirror's by then, relies on. What the source has lost is kept.
 */
import { LaganError } from '../../repo-format/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import type { ListedObject, Listing } from './_listing.ts';
import { indexedPacks, referredObjects, type SourceState } from './_source-state.ts';

/** `superfluous`: it may go. `lost`: the source relies on it and lacks it. `kept`: nobody knows. */
type Verdict = 'superfluous' | 'lost' | 'kept';

export interface Superfluous {
  readonly objects: readonly ListedObject[];
  /** Objects that the source relies on and does not have any more. */
  readonly lost: readonly ListedObject[];
}

export async function findSuperfluous(
  { repository, state, source, extra }: { repository: Repository; state: SourceState; source: Listing; extra: readonly ListedObject[] },
  { signal }: CallOptions,
): Promise<Superfluous> {
  const [packs, referred] = [
    await indexedPacks(repository, state.root, { signal }),
    await referredObjects(repository, state.root, { signal }),
  ];
  const numbers = lowestAndHighest(source);
  const verdictOf = ({ name, parsed }: ListedObject): Verdict => {
    switch (parsed.type) {
      case 'pack':
        return packs.has(parsed.id) ? 'lost' : 'superfluous';
      case 'base-index':
      case 'catalogue':
      case 'lost-list':
        return referred.has(name) ? 'lost' : 'superfluous';
      case 'snapshot':
        return state.snapshots.has(name) && !state.heldByCatalogue.has(name) ? 'lost' : 'superfluous';
      case 'session-index':
      case 'checkpoint':
        return parsed.generation >= state.lowestGeneration || state.keptSessions.has(parsed.session) ? 'kept' : 'superfluous';
      case 'root':
        return parsed.number < numbers.lowestRoot ? 'superfluous' : 'kept';
      case 'keyring':
        return parsed.number < numbers.highestKeyring ? 'superfluous' : 'kept';
      case 'configuration':
        return parsed.number < numbers.highestConfiguration ? 'superfluous' : 'kept';
      case 'key-slot':
        return numbers.keySlots > 0 ? 'superfluous' : 'kept';
      case 'hold':
      case 'deletion-mark':
      case 'annotation':
      case 'damage-report':
        return 'superfluous';
      default:
        return 'kept';
    }
  };
  const judged = extra.map((object) => ({ object, verdict: verdictOf(object) }));
  const those = (verdict: Verdict) => judged.filter((one) => one.verdict === verdict).map(({ object }) => object);
  return { objects: those('superfluous'), lost: those('lost') };
}

export function lostInSource({ name }: ListedObject): LaganError {
  return new LaganError('object-missing', `the repository relies on ${name} and does not have it any more; the mirror keeps it`, {
    object: name,
    hint: 'with the mirror as the source, lagan mirror brings it back',
  });
}

function lowestAndHighest(listing: Listing) {
  const found = { lowestRoot: Number.POSITIVE_INFINITY, highestKeyring: -1, highestConfiguration: -1, keySlots: 0 };
  for (const { parsed } of listing.values()) {
    if (parsed.type === 'root') found.lowestRoot = Math.min(found.lowestRoot, parsed.number);
    else if (parsed.type === 'keyring') found.highestKeyring = Math.max(found.highestKeyring, parsed.number);
    else if (parsed.type === 'configuration') found.highestConfiguration = Math.max(found.highestConfiguration, parsed.number);
    else if (parsed.type === 'key-slot') found.keySlots++;
  }
  return found;
}
