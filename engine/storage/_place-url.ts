/** The URLs of repositories that are not on this machine: `scheme://user@host:port/path?name=value`. */
import { LaganError } from '../../repo-format/mod.ts';

export interface PlaceUrl {
  readonly user: string;
  readonly host: string;
  /** Undefined where the URL names none. */
  readonly port: number | undefined;
  /** Its parts, decoded; none of them is empty, `.` or `..`. */
  readonly path: readonly string[];
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * Takes such a URL apart. `form` is how one looks, for the error; `parameters` are the names that may stand behind `?`.
 *
 * Errors: `usage`; also for a password in the URL, because URLs are shown, logged and kept.
 */
export function parsePlaceUrl(place: string, { form, parameters }: { form: string; parameters: readonly string[] }): PlaceUrl {
  const refuse = (reason: string, hint = `write ${form}`) => new LaganError('usage', `${withoutPassword(place)}: ${reason}`, { hint });
  if (!URL.canParse(place)) throw refuse('this is not a URL of a repository');
  const url = new URL(place);
  if (url.password !== '') throw refuse('a URL must not hold a password', 'see docs/object-stores.md for how credentials are given');
  if (url.hash !== '') throw refuse('a URL of a repository has no #');
  const path = decodePath(url.pathname);
  if (path === undefined) throw refuse('a part of its path is none');
  for (const name of url.searchParams.keys()) {
    if (!parameters.includes(name)) throw refuse(`it does not know ${name}=; there are: ${parameters.join(', ') || 'none'}`);
  }
  return {
    user: decodeURIComponent(url.username),
    host: url.hostname,
    port: url.port === '' ? undefined : Number(url.port),
    path,
    parameters: new Map(url.searchParams),
  };
}

/** The value of `endpoint=`, without slashes at its end. Errors: `usage`. */
export function endpointOf(place: string, { parameters }: PlaceUrl): string | undefined {
  const text = parameters.get('endpoint');
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.password === '' && url.search === '') return text.replace(/\/+$/, '');
  throw new LaganError('usage', `${withoutPassword(place)}: endpoint= is not the URL of a server`, {
    hint: 'write endpoint=https://host:port',
  });
}

function decodePath(pathname: string): string[] | undefined {
  try {
    const parts = pathname
      .split('/')
      .filter((part) => part !== '')
      .map(decodeURIComponent);
    return parts.some((part) => part === '.' || part === '..' || /[/\0]/.test(part)) ? undefined : parts;
  } catch {
    return undefined;
  }
}

function withoutPassword(place: string): string {
  return place.replace(/:\/\/([^/@:]*):[^/@]*@/, '://$1@');
}
