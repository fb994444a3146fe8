/**
 * What `lagan serve` and its clients say to each other: HTTP, by TLS or (as HTTP/2, because there one connection carries many requests) over the
 * standard streams of a process. The table of requests is in docs/append-only.md.
 */
import { LaganError } from '../../repo-format/mod.ts';

/** What stands between the path of the repository and the operation. */
export const servedVersion = 'v1';

export const servedHeaders = {
  /** SHA-256 of the body of a request, or of the whole object when its last part is sent; hexadecimal. */
  checksum: 'lagan-sha256',
  /** `1`: the request was sent before and its answer was lost, so the object that is there may be its own. */
  again: 'lagan-again',
  /** Size of the whole object, where the body may be a range of it. */
  objectSize: 'lagan-object-size',
  /** The code of an error, also where an answer has no body. */
  error: 'lagan-error',
} as const;

/** What stands for the answer to a creation. */
export const servedOutcomes = { created: 201, exists: 409 } as const;

/** How a listing tells that it is whole, and that it goes on after the last name. */
export const listingEnds = { whole: 'end', more: 'more' } as const;

/** The body of an answer that is an error. */
export interface ServedError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly object?: string | undefined;
  readonly expected?: string | number | undefined;
  readonly found?: string | number | undefined;
}

/** `lagan serve` names the repository by the parts of its path. */
export function servedPath(repository: readonly string[], operation: string): string {
  return `/${[...repository.map(encodeURIComponent), servedVersion].join('/')}/${operation}`;
}

/** The parts of {@link servedPath}, decoded; undefined if it is none. */
export function parseServedPath(path: string): { repository: string[]; operation: string } | undefined {
  const [, before, operation] = new RegExp(`^(/.*)?/${servedVersion}/([^?#]*)$`).exec(path) ?? [];
  if (operation === undefined) return undefined;
  try {
    const repository = (before ?? '')
      .split('/')
      .filter((part) => part !== '')
      .map(decodeURIComponent);
    return repository.every(isPathPart) ? { repository, operation: decodeURIComponent(operation) } : undefined;
  } catch {
    return undefined;
  }
}

/** A part of the path of a repository: what neither leaves its folder nor looks like something else. */
export function isPathPart(part: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/.test(part) && part !== servedVersion;
}

/** The names and sizes of a page of a listing, as text. */
export function formatListing(objects: readonly { name: string; sizeBytes: number }[], end: keyof typeof listingEnds): string {
  return `${objects.map(({ name, sizeBytes }) => `${sizeBytes} ${name}\n`).join('')}${listingEnds[end]}\n`;
}

/** Errors: `io` if the text is no listing or was cut off. */
export function parseListing(text: string): { objects: { name: string; sizeBytes: number }[]; end: keyof typeof listingEnds } {
  const lines = text.split('\n');
  const [last, empty] = lines.splice(-2);
  if (empty !== '' || (last !== listingEnds.whole && last !== listingEnds.more))
    throw new LaganError('io', 'the server sent a listing without an end');
  const objects = lines.map((line) => {
    const [, size, name] = /^([0-9]{1,15}) (\S+)$/.exec(line) ?? [];
    if (name === undefined) throw new LaganError('io', 'the server sent a listing that makes no sense');
    return { name, sizeBytes: Number(size) };
  });
  return { objects, end: last === listingEnds.whole ? 'whole' : 'more' };
}
