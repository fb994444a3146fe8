import { LaganError } from '../../repo-format/mod.ts';
import type { Repository, RepositoryAccess } from './repository.ts';

/** The access key of somebody who may change keys. Code: no-key. */
export function fullAccess({ access, keys }: Repository): RepositoryAccess {
  if (access !== null && keys.grants === 'full') return access;
  throw new LaganError('no-key', 'the keys can only be changed by someone who has opened the repository with a full key', {
    expected: 'full',
    found: keys.grants,
  });
}
