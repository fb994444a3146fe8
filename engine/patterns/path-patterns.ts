import picomatch from 'picomatch';

interface CompiledPattern {
  /** Begins with `!`: takes back what earlier patterns matched. */
  readonly takesBack: boolean;
  readonly foldersOnly: boolean;
  /** Looks at the name alone, not at the path. */
  readonly isForNames: boolean;
  readonly matches: (text: string) => boolean;
}

/**
 * Patterns in the manner of gitignore: without `/` they match a name at any depth; with one, a path: beginning with `/` from the top, else at any depth.
 * `*` and `?` stay within a name, `**` does not; a trailing `/` matches folders only; a leading `!` takes back what earlier patterns matched.
 * The last pattern that matches decides.
 */
export class PathPatterns {
  readonly #patterns: readonly CompiledPattern[];
  readonly #needsPath: boolean;

  constructor(patterns: readonly string[] = []) {
    this.#patterns = patterns.filter((pattern) => pattern.length > 0).map(compile);
    this.#needsPath = this.#patterns.some(({ isForNames }) => !isForNames);
  }

  /** True if there are none: then nothing matches. */
  get isEmpty(): boolean {
    return this.#patterns.length === 0;
  }

  /** `folder`: path of the parent folder relative to `/`, with a trailing `/` unless empty. */
  match(folder: Uint8Array, name: Uint8Array, isFolder: boolean): boolean {
    if (this.#patterns.length === 0) return false;
    const nameText = Buffer.from(name).toString();
    const path = this.#needsPath ? `/${Buffer.from(folder).toString()}${nameText}` : '';
    let matched = false;
    for (const { takesBack, foldersOnly, isForNames, matches } of this.#patterns) {
      if (matched !== takesBack || (foldersOnly && !isFolder)) continue;
      if (matches(isForNames ? nameText : path)) matched = !takesBack;
    }
    return matched;
  }
}

function compile(pattern: string): CompiledPattern {
  const takesBack = pattern.startsWith('!');
  const body = takesBack ? pattern.slice(1) : pattern;
  const foldersOnly = body.length > 1 && body.endsWith('/');
  const glob = foldersOnly ? body.slice(0, -1) : body;
  const isForNames = !glob.includes('/');
  const globs = isForNames || glob.startsWith('/') ? glob : [`/${glob}`, `/**/${glob}`];
  return {
    takesBack,
    foldersOnly,
    isForNames,
    matches: picomatch(globs, { dot: true, nonegate: true, noextglob: true, strictSlashes: true }),
  };
}
