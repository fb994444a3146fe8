/** Changing who alone may collect: an owner's act, which puts a new configuration beside the old one. */
import {
  type Configuration,
  decodeConfiguration,
  encodeConfiguration,
  LaganError,
  objectNames,
  objectPrefixes,
  parseObjectName,
} from '../../repo-format/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { contextOf } from './_context.ts';
import { createSealed, readSealed } from './_sealed-objects.ts';
import { repositoryLimits } from './limits.ts';
import type { Repository } from './repository.ts';

/**
 * Names the only collector, or lets everyone collect (null). The one that was named before must have been stopped for good: it does not look again once it has begun.
 * Returns the new configuration; that of `repository` stays as it was. Codes: unavailable (others change it each time), and those of the storage.
 */
export async function setCollector(repository: Repository, collector: string | null, { signal }: CallOptions = {}): Promise<Configuration> {
  const context = contextOf(repository);
  for (let attempt = 0; attempt < repositoryLimits.numberAttempts; attempt++) {
    const number = await newestNumber(repository, { signal });
    const name = objectNames.configuration(number);
    const current = decodeConfiguration(await readSealed(context, name, { kind: 'configuration', signal }), name);
    if (current.collector === collector) return current;
    const changed = { ...current, collector };
    const payload = encodeConfiguration(changed);
    const outcome = await createSealed(context, objectNames.configuration(number + 1), { kind: 'configuration', payload, signal });
    if (outcome === 'created') return changed;
  }
  throw new LaganError('unavailable', 'the configuration is changed by others again and again');
}

async function newestNumber({ storage }: Repository, { signal }: CallOptions): Promise<number> {
  let newest: number | undefined;
  for await (const { name } of storage.list(objectPrefixes.configurations, { signal })) {
    const parsed = parseObjectName(name);
    if (parsed?.type === 'configuration') newest = parsed.number;
  }
  if (newest !== undefined) return newest;
  throw new LaganError('object-missing', 'the repository has no configuration', { object: objectPrefixes.configurations });
}
