/** From an opened repository to what sealing needs. */
import type { SealingContext } from './_sealed-objects.ts';
import type { Repository } from './repository.ts';

export function contextOf({ storage, keys }: Repository): SealingContext {
  return { storage, repositoryId: keys.repositoryId, newestEpoch: keys.newestEpoch, metadataKeyOf: (epoch) => keys.metadataKey(epoch) };
}
