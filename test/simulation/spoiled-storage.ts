/** A way to a store that can be changed call by call, and what mistakes need to know of roots. */
import { contextOf } from '../../engine/repository/_context.ts';
import { openSealed, seal } from '../../engine/repository/_sealed-objects.ts';
import type { Repository } from '../../engine/repository/mod.ts';
import type {
  ByteRange,
  CallOptions,
  CreateOutcome,
  GetOptions,
  ListedObject,
  ListOptions,
  ObjectEnd,
  ObjectWriter,
  PlaceState,
  Storage,
  StorageDescription,
} from '../../engine/storage/mod.ts';
import { decodeRoot, encodeRoot, type Root } from '../../repo-format/mod.ts';

/** Passes every call on. */
export class PassingStorage implements Storage {
  readonly location: string;
  readonly inner: Storage;

  constructor(inner: Storage) {
    this.inner = inner;
    this.location = inner.location;
  }

  state(options?: CallOptions): Promise<PlaceState> {
    return this.inner.state(options);
  }

  prepare(options?: CallOptions): Promise<void> {
    return this.inner.prepare(options);
  }

  removeLitter(options?: CallOptions): Promise<number> {
    return this.inner.removeLitter(options);
  }

  get(name: string, range?: ByteRange, options?: GetOptions): Promise<Uint8Array> {
    return this.inner.get(name, range, options);
  }

  getEnd(name: string, last: number, options?: GetOptions): Promise<ObjectEnd> {
    return this.inner.getEnd(name, last, options);
  }

  size(name: string, options?: CallOptions): Promise<number> {
    return this.inner.size(name, options);
  }

  create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
    return this.inner.create(name, parts, options);
  }

  /** Gathers the parts: whoever changes {@link create} has changed this, too. */
  async createWriter(name: string, options?: CallOptions): Promise<ObjectWriter> {
    const parts: Uint8Array[] = [];
    const writer = {
      sizeBytes: 0,
      append: async (added: readonly Uint8Array[]) => {
        for (const part of added) {
          parts.push(part.slice());
          writer.sizeBytes += part.length;
        }
      },
      commit: () => this.create(name, parts, options),
      abort: async () => undefined,
    };
    return writer;
  }

  list(prefix: string, options?: ListOptions): AsyncIterable<ListedObject> {
    return this.inner.list(prefix, options);
  }

  delete(names: readonly string[], options?: CallOptions): Promise<void> {
    return this.inner.delete(names, options);
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  describe(): StorageDescription {
    return this.inner.describe();
  }
}

export function rootOf(repository: Repository, name: string, bytes: Uint8Array): Root {
  return decodeRoot(openSealed(contextOf(repository), bytes, { kind: 'root', name }), name);
}

/** The same root, changed. */
export function editedRoot(
  repository: Repository,
  { name, bytes, edit }: { name: string; bytes: Uint8Array; edit: (root: Root) => Root },
): Uint8Array {
  const payload = encodeRoot(edit(rootOf(repository, name, bytes)));
  return seal(contextOf(repository), name, { kind: 'root', payload });
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

export async function collected(listing: AsyncIterable<ListedObject>): Promise<ListedObject[]> {
  const objects: ListedObject[] = [];
  for await (const object of listing) objects.push(object);
  return objects;
}
