/** Where the repositories of a kill run can lie, and what in those places is neither an object nor belongs there. */
import fs from 'node:fs';
import path from 'node:path';
import { parseObjectName } from '../../repo-format/mod.ts';
import { findVersitygw, noServer, startVersitygw } from '../engine/storage/s3-server.ts';

export interface KillPlace {
  /** A path or URL, as of the other two. */
  readonly repository: string;
  /** The same with the rights of a writer, if those are others. */
  readonly writerRepository?: string;
  /** Of the repository into which snapshots are copied. */
  readonly second: string;
  readonly mirror: string;
  /** What the repository is behind. */
  readonly server?: { killAndStart(): Promise<void> };
  /** In words. */
  readonly litter: () => string[];
  readonly end: () => Promise<void>;
}

/** Where nobody can look but through the storage; the others are in a folder. */
export function otherPlace(repository: string, folder: string): KillPlace {
  return { ...localPlace(folder), repository, litter: () => [] };
}

export function localPlace(folder: string): KillPlace {
  const places = { repository: path.join(folder, 'repository'), second: path.join(folder, 'second'), mirror: path.join(folder, 'mirror') };
  const litter = () => Object.values(places).flatMap((place) => strangersIn(place));
  return { ...places, litter, end: async () => undefined };
}

/** A bucket of a server that is started here; its credentials come into the environment. `folder` is on a file system with extended attributes. */
export async function s3Place(folder: string): Promise<KillPlace> {
  const program = findVersitygw();
  if (program === undefined) throw new Error(noServer);
  const server = await startVersitygw(program, folder);
  Object.assign(process.env, server.environment);
  server.makeBucket('bucket');
  const prefixes = ['repository', 'second', 'mirror'] as const;
  const [repository, second, mirror] = prefixes.map((prefix) => `s3://bucket/${prefix}?endpoint=${server.endpoint}`);
  return {
    repository: repository!,
    second: second!,
    mirror: mirror!,
    litter: () => strangersIn(path.join(folder, 'buckets/bucket'), prefixes),
    end: () => server.stop(),
  };
}

/** Files that are no objects: temporary ones, and parts of uploads. What a mirror says of itself is none. */
function strangersIn(folder: string, prefixes: readonly string[] = ['']): string[] {
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .filter((name) => !prefixes.some((prefix) => isObject(path.relative(prefix, name))))
    .map((name) => path.join(folder, name));
}

function isObject(name: string): boolean {
  return parseObjectName(name) !== null || /^mirror\/(?:of|roots)\//.test(name);
}
