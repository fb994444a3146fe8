/** A store in memory that keeps versions and locks them, as S3 does, with a clock that tests set. */
import { randomUUID } from 'node:crypto';
import {
  InMemory,
  type LockRule,
  type ObjectVersion,
  type Storage,
  type StorageHistory,
  type StorageLocks,
} from '../../../engine/storage/mod.ts';
import { LaganError } from '../../../repo-format/mod.ts';

interface Version {
  readonly id: string;
  /** Undefined: a deletion. */
  readonly bytes: Uint8Array | undefined;
  readonly sinceMs: number;
  lockedUntilMs: number;
}

export const dayMs = 86_400_000;

/** What all calls but those of history and locks do is what InMemory does with the current versions. */
export class VersionedStorage {
  readonly storage: Storage;
  nowMs = Date.UTC(2030, 0, 1);
  rule: LockRule | null;
  /** How many locks were extended; how many versions were listed. */
  extensions = 0;
  listed = 0;
  /** Thrown by the next extensions. */
  extensionError: LaganError | undefined;
  readonly #current = new InMemory();
  readonly #versions = new Map<string, Version[]>();

  constructor(rule: LockRule | null = null) {
    this.rule = rule;
    const current = this.#current;
    const create: Storage['create'] = async (name, parts, options) => {
      const outcome = await current.create(name, parts, options);
      if (outcome === 'created') this.#add(name, Uint8Array.from(Buffer.concat(parts)));
      return outcome;
    };
    this.storage = new Proxy(current as Storage, {
      get: (target, property) => {
        if (property === 'create') return create;
        if (property === 'delete') return (names: readonly string[]) => this.delete(names);
        if (property === 'history') return this.#history;
        if (property === 'locks') return this.#locks;
        if (property === 'createWriter') return (name: string) => this.#writer(name, create);
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  advance(days: number): void {
    this.nowMs += days * dayMs;
  }

  /** What a program can do that may put and delete objects, but not versions. */
  async overwrite(name: string, bytes: Uint8Array): Promise<void> {
    await this.#current.delete([name]);
    await this.#current.create(name, [bytes]);
    this.#add(name, bytes);
  }

  async delete(names: readonly string[]): Promise<void> {
    await this.#current.delete(names);
    for (const name of names) if (this.#versions.has(name)) this.#add(name, undefined);
  }

  versionsOf(name: string): readonly Version[] {
    return this.#versions.get(name) ?? [];
  }

  /** Names of which there is any version. */
  names(prefix = ''): string[] {
    return [...this.#versions.keys()].filter((name) => name.startsWith(prefix)).sort();
  }

  /** Bytes of all versions. */
  get storedBytes(): number {
    return [...this.#versions.values()].flat().reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
  }

  #add(name: string, bytes: Uint8Array | undefined): void {
    const lockedUntilMs = bytes === undefined || this.rule === null ? 0 : this.nowMs + this.rule.periodSeconds * 1000;
    const versions = this.#versions.get(name) ?? [];
    versions.unshift({ id: randomUUID(), bytes, sinceMs: this.nowMs, lockedUntilMs });
    this.#versions.set(name, versions);
  }

  async #writer(name: string, create: Storage['create']) {
    const writer = await this.#current.createWriter(`${name}-written`);
    const parts: Uint8Array[] = [];
    return {
      get sizeBytes() {
        return writer.sizeBytes;
      },
      append: async (more: readonly Uint8Array[]) => {
        await writer.append(more);
        for (const part of more) parts.push(part.slice());
      },
      commit: async () => {
        await writer.abort();
        return create(name, parts);
      },
      abort: () => writer.abort(),
    };
  }

  #find({ name, id }: ObjectVersion): Version {
    const found = this.#versions.get(name)?.find((version) => version.id === id);
    if (found === undefined) throw new LaganError('not-found', `${name} has no version ${id}`, { object: name });
    return found;
  }

  readonly #history: StorageHistory = {
    keepsVersions: async () => true,
    list: (prefix, { after = '' } = {}) => this.#list(prefix, after),
    get: async (version, range, options) => (await this.#placeOf(version)).get(version.name, range, options),
    getEnd: async (version, last, options) => (await this.#placeOf(version)).getEnd(version.name, last, options),
    bringBack: async (version) => this.overwrite(version.name, this.#find(version).bytes!),
    purge: async (versions) => {
      const refused: ObjectVersion[] = [];
      for (const version of versions) if (!(await this.#purge(version))) refused.push(version);
      return refused;
    },
  };

  readonly #locks: StorageLocks = {
    policy: async () => ({ isEnabled: this.rule !== null, rule: this.rule, nowMs: this.nowMs }),
    extend: async (version, { untilMs }) => {
      if (this.extensionError !== undefined) throw this.extensionError;
      this.extensions++;
      const found = this.#find(version);
      if (found.lockedUntilMs >= untilMs) return 'longer';
      found.lockedUntilMs = untilMs;
      return 'extended';
    },
  };

  async *#list(prefix: string, after: string): AsyncGenerator<ObjectVersion> {
    for (const name of this.names(prefix).filter((name) => name > after)) {
      for (const [index, { id, bytes, sinceMs }] of (this.#versions.get(name) ?? []).slice().entries()) {
        this.listed++;
        const kind = bytes === undefined ? 'deletion' : 'object';
        const tag = bytes === undefined ? '' : Buffer.from(bytes).toString('base64');
        yield { name, id, kind, sizeBytes: bytes?.length ?? 0, sinceMs, isCurrent: index === 0, tag };
      }
    }
  }

  async #placeOf(version: ObjectVersion): Promise<InMemory> {
    const place = new InMemory();
    await place.create(version.name, [this.#find(version).bytes!]);
    return place;
  }

  /** False: it is locked. What was behind the newest version is what all calls see then. */
  async #purge({ name, id }: ObjectVersion): Promise<boolean> {
    const versions = this.#versions.get(name) ?? [];
    const index = versions.findIndex((version) => version.id === id);
    if (index < 0) return true;
    if (versions[index]!.lockedUntilMs > this.nowMs) return false;
    versions.splice(index, 1);
    if (versions.length === 0) this.#versions.delete(name);
    await this.#current.delete([name]);
    if (versions[0]?.bytes !== undefined) await this.#current.create(name, [versions[0].bytes]);
    return true;
  }
}
