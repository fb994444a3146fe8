import type { Entry } from '../../repo-format/mod.ts';
import { PathPatterns } from '../patterns/mod.ts';
import { splitPath } from '../system/mod.ts';

/** Names that lead to the paths that were asked for. */
interface ChosenName {
  readonly name: Uint8Array;
  /** The path itself was asked for, with all below. */
  isWhole: boolean;
  readonly children: Map<string, ChosenName>;
}

/** What is taken of a folder. */
export interface FolderSelection {
  /** Only these; undefined: all that the patterns allow. */
  readonly names: ReadonlyMap<string, ChosenName> | undefined;
  /** It, or a folder above, fits an include pattern, or there are none. */
  readonly isIncluded: boolean;
}

/** What of a snapshot is restored. */
export class Selection {
  readonly top: FolderSelection;
  readonly hasPatterns: boolean;
  readonly #include: PathPatterns;
  readonly #exclude: PathPatterns;

  /** `paths`: relative to where the walk begins; empty: everything. */
  constructor({
    paths,
    include = [],
    exclude = [],
  }: { paths: readonly Uint8Array[]; include?: readonly string[] | undefined; exclude?: readonly string[] | undefined }) {
    this.#include = new PathPatterns(include);
    this.#exclude = new PathPatterns(exclude);
    this.hasPatterns = !this.#include.isEmpty || !this.#exclude.isEmpty;
    this.top = { names: treeOf(paths), isIncluded: this.#include.isEmpty };
  }

  /** What is taken of a folder in a folder, or of anything else (then only whether it is undefined matters). `folderPath`: relative to `/`, ending with `/` unless empty. */
  within(folder: FolderSelection, entry: Pick<Entry, 'name' | 'type'>, folderPath: () => Uint8Array): FolderSelection | undefined {
    if (folder.names !== undefined) {
      const chosen = folder.names.get(key(entry.name));
      if (chosen === undefined) return undefined;
      return chosen.isWhole
        ? { names: undefined, isIncluded: folder.isIncluded }
        : { names: chosen.children, isIncluded: folder.isIncluded };
    }
    if (!this.hasPatterns) return folder;
    const isFolder = entry.type === 'directory';
    if (this.#exclude.match(folderPath(), entry.name, isFolder)) return undefined;
    if (folder.isIncluded) return folder;
    if (this.#include.match(folderPath(), entry.name, isFolder)) return { names: undefined, isIncluded: true };
    return isFolder ? folder : undefined;
  }
}

/** The names that are to be taken from a folder, in the order of a directory. */
export function sortedNames(names: NonNullable<FolderSelection['names']>): Uint8Array[] {
  return [...names.values()].map(({ name }) => name).sort(Buffer.compare);
}

function treeOf(paths: readonly Uint8Array[]): Map<string, ChosenName> | undefined {
  const top: ChosenName = { name: new Uint8Array(0), isWhole: paths.length === 0, children: new Map() };
  for (const path of paths) {
    let node = top;
    for (const name of splitPath(path)) {
      let child = node.children.get(key(name));
      if (child === undefined) node.children.set(key(name), (child = { name, isWhole: false, children: new Map() }));
      node = child;
    }
    node.isWhole = true;
  }
  return top.isWhole ? undefined : top.children;
}

function key(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
}
