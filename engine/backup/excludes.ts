import { readSync } from 'node:fs';
import picomatch from 'picomatch';
import { closeDescriptor, type Descriptor, tryOpenFile } from '../system/mod.ts';

/** What a backup leaves out. */
export interface ExcludeRules {
  /**
   * Patterns in the manner of gitignore: without `/` they match a name at any depth; with one, a path: beginning with `/` from the root of the file system, else
   * at any depth. `*` and `?` stay within a name, `**` does not; a trailing `/` matches folders only; a leading `!` takes back what earlier patterns excluded
   * (not below an excluded folder). The last pattern that matches decides.
   */
  readonly patterns?: readonly string[];
  /** Folders that contain one of these names are stored without their content. */
  readonly excludeIfPresent?: readonly string[];
  /** The same for folders that are tagged as caches (a `CACHEDIR.TAG` with the signature of bford.info/cachedir). */
  readonly excludeCaches?: boolean;
  /** Files larger than this many bytes are left out. */
  readonly excludeLargerThanBytes?: number | undefined;
}

interface CompiledPattern {
  readonly includes: boolean;
  readonly foldersOnly: boolean;
  /** Matches the name alone, not the path. */
  readonly matchesName: boolean;
  readonly matches: (text: string) => boolean;
}

const cacheTagName = Buffer.from('CACHEDIR.TAG');
const cacheTagSignature = Buffer.from('Signature: 8a477f597d28d172789f06886806bc55');

/** Decides by path alone; compiled once for a backup. */
export class PathExcludes {
  readonly #patterns: readonly CompiledPattern[];
  readonly #needsPath: boolean;

  constructor(patterns: readonly string[] = []) {
    this.#patterns = patterns.filter((pattern) => pattern.length > 0).map(compile);
    this.#needsPath = this.#patterns.some(({ matchesName }) => !matchesName);
  }

  /** `folder`: path of the parent folder relative to `/`, with a trailing `/` unless empty. */
  excludes(folder: Uint8Array, name: Uint8Array, isFolder: boolean): boolean {
    if (this.#patterns.length === 0) return false;
    const nameText = Buffer.from(name).toString();
    const path = this.#needsPath ? `/${Buffer.from(folder).toString()}${nameText}` : '';
    let excluded = false;
    for (const { includes, foldersOnly, matchesName, matches } of this.#patterns) {
      if (excluded !== includes || (foldersOnly && !isFolder)) continue;
      if (matches(matchesName ? nameText : path)) excluded = !includes;
    }
    return excluded;
  }
}

/** Whether a folder says of itself that it is a cache. */
export function isTaggedAsCache(folder: Descriptor): boolean {
  const descriptor = tryOpenFile(folder, cacheTagName);
  if (descriptor < 0) return false;
  try {
    const head = Buffer.alloc(cacheTagSignature.length);
    return readSync(descriptor, head, 0, head.length, 0) === head.length && head.equals(cacheTagSignature);
  } catch {
    return false;
  } finally {
    closeDescriptor(descriptor);
  }
}

function compile(pattern: string): CompiledPattern {
  const includes = pattern.startsWith('!');
  const body = includes ? pattern.slice(1) : pattern;
  const foldersOnly = body.length > 1 && body.endsWith('/');
  const glob = foldersOnly ? body.slice(0, -1) : body;
  const matchesName = !glob.includes('/');
  const anchored = matchesName || glob.startsWith('/') ? glob : `/**/${glob}`;
  return { includes, foldersOnly, matchesName, matches: picomatch(anchored, { dot: true, nonegate: true, noextglob: true, strictSlashes: true }) };
}
