import { realpathSync } from 'node:fs';
import { errnoOf, systemError } from '../system/mod.ts';

/** The folders above the paths that are backed up, and the paths themselves: a tree by names, from `/` down. */
export interface SourceNode {
  /** The path itself is to be backed up with all below. */
  isSource: boolean;
  readonly children: Map<string, SourceNode>;
}

/** A path that was given, as far as it can be resolved. */
export interface ResolvedSource {
  readonly given: Uint8Array;
  /** Absolute, without symbolic links above the last name; latin1 text of the raw bytes. */
  readonly absolute: string;
}

/**
 * Resolves a path as a person gave it: against the working folder, symbolic links above its last name followed (a last name that is a link is backed up as a link,
 * unless a `/` follows it). Raw bytes are kept as latin1 text. Throws what the system says.
 */
export function resolveSource(path: string | Uint8Array): ResolvedSource {
  const given = typeof path === 'string' ? Buffer.from(path) : path;
  if (given.length === 0) throw systemError(errnoOf.ENOENT, 'find the path', given);
  const absolute = Buffer.from(absolutePath(given)).toString('latin1');
  const name = absolute.slice(absolute.lastIndexOf('/') + 1);
  if (['', '.', '..'].includes(name)) return { given, absolute: realPath(absolute) };
  const parent = realPath(absolute.slice(0, absolute.lastIndexOf('/') + 1));
  return { given, absolute: `${parent === '/' ? '' : parent}/${name}` };
}

/** Puts the sources into one tree; what lies below another source is part of it. */
export function sourceTree(sources: readonly ResolvedSource[]): SourceNode {
  const root: SourceNode = { isSource: false, children: new Map() };
  for (const { absolute } of sources) {
    let node = root;
    for (const name of absolute.split('/').filter((part) => part.length > 0)) {
      let child = node.children.get(name);
      if (child === undefined) node.children.set(name, (child = { isSource: false, children: new Map() }));
      node = child;
    }
    node.isSource = true;
  }
  return root;
}

/** A path as given, made absolute. */
export function absolutePath(path: string | Uint8Array): Uint8Array {
  const given = Buffer.from(path);
  return new Uint8Array(given[0] === 0x2f ? given : Buffer.concat([Buffer.from(`${process.cwd()}/`), given]));
}

function realPath(latin1: string): string {
  // The native one: Node's own takes the folder before `..` away without asking whether it is a symbolic link.
  return realpathSync.native(Buffer.from(latin1, 'latin1'), { encoding: 'buffer' }).toString('latin1');
}

/** What makes two backups backups of the same thing. */
export function sourceIdentity(host: string, paths: readonly string[]): string {
  return JSON.stringify([host, ...[...paths].sort()]);
}
