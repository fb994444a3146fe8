import { type DirectoryEntry, LaganError, limits, type NodeReference, objectNames } from '../../repo-format/mod.ts';

/**
 * The folders that a walk is in. A tree that a writer made ends by itself, because a node is named after its bytes. One that was forged may lead back into itself, or
 * deeper than there is memory for: every walk asks here before it goes down.
 */
export class Descent {
  /** Of each folder below the top: the name of its node as a key (empty without one), and how long its own name is. */
  readonly #folders: { readonly key: string; readonly sizeBytes: number }[] = [];
  readonly #nodes = new Set<string>();
  #pathSizeBytes = 0;

  constructor(top: NodeReference | null) {
    this.#nodes.add(keyOf(top));
  }

  /** Goes into a folder; one without a node is empty, and may be anywhere. Codes: limit-exceeded (too deep), malformed (it is one of those that it is in). */
  enter({ name, node }: Pick<DirectoryEntry, 'name' | 'node'>): void {
    const pathSizeBytes = this.#pathSizeBytes + 1 + name.length;
    const key = keyOf(node);
    if (node !== null) {
      if (this.#folders.length + 1 >= limits.folderDepth) throw tooDeep('folders in each other', limits.folderDepth, node);
      if (pathSizeBytes > limits.pathSizeBytes) throw tooDeep('bytes of a path', limits.pathSizeBytes, node);
      if (this.#nodes.has(key)) throw inItself(node);
    }
    this.#nodes.add(key);
    this.#folders.push({ key, sizeBytes: 1 + name.length });
    this.#pathSizeBytes = pathSizeBytes;
  }

  /** Goes back up. */
  leave(): void {
    const folder = this.#folders.pop();
    if (folder === undefined) return;
    this.#nodes.delete(folder.key);
    this.#pathSizeBytes -= folder.sizeBytes;
  }
}

function keyOf(node: NodeReference | null): string {
  return node === null ? '' : Buffer.from(node.name.buffer, node.name.byteOffset, node.name.length).toString('latin1');
}

function tooDeep(what: string, limit: number, { pack }: NodeReference): LaganError {
  const object = objectNames.pack(pack);
  return new LaganError('limit-exceeded', `${object}: there are more than ${limit} ${what}`, { object, expected: limit });
}

function inItself(node: NodeReference): LaganError {
  const object = objectNames.pack(node.pack);
  return new LaganError('malformed', `${object}: a folder is in itself`, { object, found: Buffer.from(node.name).toString('hex') });
}
