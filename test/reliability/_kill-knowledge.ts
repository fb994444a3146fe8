/** What a kill run has heard of its processes: which snapshots must be there, and what must be in them. */
import path from 'node:path';
import type { Contents } from '../simulation/source-tree.ts';
import type { Deed, KillMessage } from './_kill-messages.ts';
import { contentsOfVersion } from './_kill-source.ts';

/** What a snapshot holds: a version of a writer's source, but for files of these names. */
export interface Version {
  readonly writer: number;
  readonly version: number;
  readonly without: readonly string[];
}

export interface Expected {
  readonly id: string;
  readonly version: Version;
  /** If it is gone, what was made of it must be there, and be this. */
  readonly rewritten: Version | undefined;
}

export class Knowledge {
  /** By the ids of snapshots. */
  readonly #acknowledged = new Map<string, Version>();
  readonly #copied = new Map<string, Version>();
  readonly #rewriting = new Map<string, string>();
  readonly #forgotten = new Set<string>();
  readonly #unwell: { readonly ids: readonly string[]; readonly words: string }[] = [];
  readonly #missing: { readonly object: string; readonly words: string }[] = [];
  readonly #lostTables = new Set<string>();
  readonly #deeds = new Map<Deed, number>();
  readonly #faults: string[] = [];
  #mirrored: readonly string[] | undefined;
  #passwords: readonly number[] = [0];
  #collections = 0;
  #isTableLost = false;
  #isTableLostInMirror = false;

  hear(message: KillMessage, writer: number): void {
    switch (message.type) {
      case 'acknowledged':
        this.#acknowledged.set(message.id, { writer, version: message.version, without: [] });
        break;
      case 'forgetting':
        for (const id of [...message.ids, ...message.origins]) this.#forgotten.add(id);
        break;
      case 'collected':
        this.#collections += message.collections;
        break;
      case 'losing':
        this.#isTableLost = this.#isTableLostInMirror = true;
        this.#lostTables.add(message.table);
        break;
      case 'repaired':
        this.#isTableLost = false;
        break;
      case 'rewriting':
        this.#rewriting.set(message.id, message.without);
        break;
      case 'rewritten':
        this.#hearRewritten(message);
        break;
      case 'copied': {
        const version = this.#acknowledged.get(message.of);
        if (version !== undefined) this.#copied.set(message.id, version);
        break;
      }
      case 'mirrored':
        this.#mirrored = message.ids;
        this.#isTableLostInMirror = this.#isTableLost;
        break;
      case 'changing':
        this.#passwords = [...this.#passwords, message.password];
        break;
      case 'changed':
        this.#passwords = [message.password];
        break;
      case 'done':
        this.#deeds.set(message.deed, (this.#deeds.get(message.deed) ?? 0) + 1);
        break;
      case 'missing':
        this.#missing.push(message);
        break;
      case 'unwell':
        this.#unwell.push(message);
        break;
      case 'fault':
        this.#faults.push(message.words);
        break;
    }
  }

  #hearRewritten({ of, id }: { of: string; id: string | null }): void {
    const [version, without] = [this.#acknowledged.get(of), this.#rewriting.get(of)];
    this.#rewriting.delete(of);
    if (id === null || version === undefined || without === undefined) return;
    this.#forgotten.add(of);
    this.#acknowledged.set(id, withoutFile(version, without));
  }

  /** What is wrong, those that are being forgotten left out. */
  get faults(): string[] {
    const unwell = this.#unwell.filter(({ ids }) => ids.some((id) => !this.#forgotten.has(id)));
    const missing = this.#missing.filter(({ object }) => !this.#lostTables.has(object));
    return [...this.#faults, ...missing.map(({ words }) => words), ...unwell.map(({ ids, words }) => `${ids}: ${words}`)];
  }

  get isFaultless(): boolean {
    return this.#faults.length === 0;
  }

  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  get copied(): number {
    return this.#copied.size;
  }

  get forgotten(): number {
    return this.#forgotten.size;
  }

  get collections(): number {
    return this.#collections;
  }

  /** How often each deed ended whole. */
  get deeds(): ReadonlyMap<Deed, number> {
    return this.#deeds;
  }

  /** Those of which one opens the repository; if it is one, no other does. */
  get passwords(): readonly number[] {
    return this.#passwords;
  }

  get isTableLost(): boolean {
    return this.#isTableLost;
  }

  /** Until a mirror that was made after the repair. */
  get isTableLostInMirror(): boolean {
    return this.#isTableLostInMirror;
  }

  get rewriting(): { id: string; without: string }[] {
    return [...this.#rewriting].filter(([id]) => !this.#forgotten.has(id)).map(([id, without]) => ({ id, without }));
  }

  get rewritable(): string[] {
    return [...this.#acknowledged.keys()].filter((id) => !this.#forgotten.has(id) && !this.#rewriting.has(id));
  }

  inRepository(): Expected[] {
    return this.#expected(this.#acknowledged.keys(), this.#acknowledged);
  }

  inSecond(): Expected[] {
    return this.#expected(this.#copied.keys(), this.#copied);
  }

  /** Undefined: it was never whole. */
  inMirror(): Expected[] | undefined {
    return this.#mirrored && this.#expected(this.#mirrored, this.#acknowledged);
  }

  #expected(ids: Iterable<string>, versions: ReadonlyMap<string, Version>): Expected[] {
    return [...ids].flatMap((id) => {
      const version = versions.get(id);
      if (version === undefined || this.#forgotten.has(id)) return [];
      const without = this.#rewriting.get(id);
      return { id, version, rewritten: without === undefined ? undefined : withoutFile(version, without) };
    });
  }
}

function withoutFile({ without, ...version }: Version, file: string): Version {
  return { ...version, without: [...without, file] };
}

export function contentsOf({ writer, version, without }: Version): Contents {
  return new Map([...contentsOfVersion(writer, version)].filter(([name]) => !without.includes(path.basename(name))));
}
