/** Where the repository of a kill run can lie, and what in that place is neither an object nor belongs there. */
import fs from 'node:fs';
import path from 'node:path';
import { parseObjectName } from '../../repo-format/mod.ts';
import { findVersitygw, noServer, startVersitygw } from '../engine/storage/s3-server.ts';

export interface KillPlace {
  /** A path or URL. */
  readonly repository: string;
  /** In words. */
  readonly litter: () => string[];
  readonly end: () => Promise<void>;
}

/** Where nobody can look but through the storage. */
export function otherPlace(repository: string): KillPlace {
  return { repository, litter: () => [], end: async () => undefined };
}

export function localPlace(repository: string): KillPlace {
  return { repository, litter: () => strangersIn(repository), end: async () => undefined };
}

/** A bucket of a server that is started here; its credentials come into the environment. `folder` is on a file system with extended attributes. */
export async function s3Place(folder: string): Promise<KillPlace> {
  const program = findVersitygw();
  if (program === undefined) throw new Error(noServer);
  const server = await startVersitygw(program, folder);
  Object.assign(process.env, server.environment);
  server.makeBucket('bucket');
  return {
    repository: `s3://bucket/prefix?endpoint=${server.endpoint}`,
    litter: () => strangersIn(path.join(folder, 'buckets/bucket'), 'prefix/'),
    end: () => server.stop(),
  };
}

/** Files that are no objects: temporary ones, and parts of uploads. */
function strangersIn(folder: string, prefix = ''): string[] {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .filter((name) => !name.startsWith(prefix) || parseObjectName(name.slice(prefix.length)) === null);
}
