/**
 * A store that many clients reach over a bad network. Each request takes a time of its own, so that those of different clients overtake each
 * other; it may be lost, its answer may be lost, it may arrive days after its sender gave it up, or twice. Listings have pages, between which others
 * go on; they are wrong as far as the contract (engine/storage/storage.ts) allows: what was created or deleted since the listing began is in it
 * or not.
 */

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
import { InMemory } from '../../engine/storage/mod.ts';
import { LaganError } from '../../repo-format/mod.ts';
import { type Actor, dayMs, deathOf, hourMs, type World } from './world.ts';

export type Operation = 'state' | 'get' | 'size' | 'create' | 'list' | 'delete';

/** Probabilities, each of one request. */
export interface Troubles {
  /** The request does not arrive. */
  readonly lost: number;
  /** It takes effect, its answer does not arrive. */
  readonly answerLost: number;
  /** Its sender gives it up; it takes effect hours or days later. */
  readonly late: number;
  /** It takes effect a second time, hours or days later. */
  readonly repeated: number;
  /** It takes minutes or hours instead of milliseconds. */
  readonly slow: number;
}

export const noTroubles: Troubles = { lost: 0, answerLost: 0, late: 0, repeated: 0, slow: 0 };

/** What happened to a request, for tests that count and for the trace of a seed. */
export interface TracedRequest {
  readonly at: number;
  readonly actor: string;
  readonly operation: Operation;
  readonly name: string;
  readonly fate: 'done' | 'lost' | 'answerLost' | 'late' | 'repeated';
}

export class SimulatedStore {
  readonly objects = new InMemory();
  readonly world: World;
  troubles: Troubles;
  readonly trace: TracedRequest[] = [];
  /** Names in the order in which objects of them appeared or went. */
  readonly #changes: string[] = [];
  /** Of all objects that ever were. */
  readonly #sizes = new Map<string, number>();

  constructor(world: World, troubles: Troubles) {
    this.world = world;
    this.troubles = troubles;
  }

  client(actor: Actor): SimulatedClient {
    return new SimulatedClient(this, actor);
  }

  get changeCount(): number {
    return this.#changes.length;
  }

  async create(name: string, bytes: Uint8Array): Promise<CreateOutcome> {
    const outcome = await this.objects.create(name, [bytes]);
    if (outcome === 'created') {
      this.#changes.push(name);
      this.#sizes.set(name, bytes.length);
    }
    return outcome;
  }

  async delete(names: readonly string[]): Promise<void> {
    await this.objects.delete(names);
    this.#changes.push(...names);
  }

  /** Some of the objects after `after`, and whether there are more. What changed since `begin` (a {@link changeCount}) may be among them or not. */
  async page(prefix: string, { after, begin, size }: { after: string; begin: number; size: number }): Promise<ListedObject[]> {
    const changed = new Set(this.#changes.slice(begin));
    const found: ListedObject[] = [];
    for (const name of changed) {
      const sizeBytes = this.#sizes.get(name);
      if (sizeBytes !== undefined && name.startsWith(prefix) && name > after && this.world.random.chance(0.5))
        found.push({ name, sizeBytes });
    }
    for await (const object of this.objects.list(prefix, { after })) if (!changed.has(object.name)) found.push(object);
    return found.sort((left, right) => (left.name < right.name ? -1 : 1)).slice(0, size);
  }
}

/** One client's way to the store. Its requests are made in the name of an actor: they fail once the actor has died, and wait while it sleeps. */
export class SimulatedClient implements Storage {
  readonly location: string;
  /** Told before each request is made; may have the actor die or sleep. */
  onRequest: (operation: Operation, name: string) => void = () => undefined;
  readonly #store: SimulatedStore;
  readonly #actor: Actor;

  constructor(store: SimulatedStore, actor: Actor) {
    this.#store = store;
    this.#actor = actor;
    this.location = `simulated:${actor.name}`;
  }

  state(options?: CallOptions): Promise<PlaceState> {
    return this.#request('state', '', () => this.#store.objects.state(options));
  }

  async prepare(): Promise<void> {}

  async removeLitter(): Promise<number> {
    return 0;
  }

  get(name: string, range?: ByteRange, options?: GetOptions): Promise<Uint8Array> {
    return this.#request('get', name, () => this.#store.objects.get(name, range, options));
  }

  getEnd(name: string, last: number, options?: GetOptions): Promise<ObjectEnd> {
    return this.#request('get', name, () => this.#store.objects.getEnd(name, last, options));
  }

  size(name: string, options?: CallOptions): Promise<number> {
    return this.#request('size', name, () => this.#store.objects.size(name, options));
  }

  create(name: string, parts: readonly Uint8Array[], { signal }: CallOptions = {}): Promise<CreateOutcome> {
    if (signal?.aborted) return Promise.reject(new LaganError('interrupted', 'interrupted'));
    const bytes = Uint8Array.from(Buffer.concat(parts));
    return this.#request('create', name, () => this.#store.create(name, bytes));
  }

  async createWriter(name: string, options?: CallOptions): Promise<ObjectWriter> {
    if (this.#actor.isDead) throw deathOf(this.#actor);
    return new SimulatedWriter((parts) => this.create(name, parts, options));
  }

  async *list(prefix: string, { after = '' }: ListOptions = {}): AsyncGenerator<ListedObject> {
    const begin = this.#store.changeCount;
    let last = after;
    for (;;) {
      const size = this.#actor.random.integer(1, 12);
      const page = await this.#request('list', prefix, () => this.#store.page(prefix, { after: last, begin, size }));
      yield* page;
      if (page.length < size) return;
      last = page.at(-1)!.name;
    }
  }

  delete(names: readonly string[]): Promise<void> {
    return this.#request('delete', names.join(' '), () => this.#store.delete(names));
  }

  async close(): Promise<void> {}

  describe(): StorageDescription {
    return this.#store.objects.describe();
  }

  /** `effect` is what the store does when the request arrives. */
  #request<Result>(operation: Operation, name: string, effect: () => Promise<Result>): Promise<Result> {
    const [actor, store] = [this.#actor, this.#store];
    const wasDead = actor.isDead;
    if (!wasDead) this.onRequest(operation, name);
    const fate = this.#fateOf(operation);
    // Who dies now may have sent it.
    if (wasDead || (actor.isDead && actor.random.chance(0.5))) return Promise.reject(deathOf(actor));
    store.trace.push({ at: store.world.now, actor: actor.name, operation, name, fate });
    return new Promise((resolve, reject) => {
      const answer = (tell: () => void) =>
        store.world.after(this.#delay(), () => actor.deliver(() => (actor.isDead ? reject(deathOf(actor)) : tell())));
      const giveUp = () => answer(() => reject(new LaganError('unavailable', `${operation} ${name}: no answer`)));
      const arrive = async (): Promise<void> => {
        const result = await outcomeOf(effect);
        if (fate === 'answerLost') giveUp();
        else answer(() => ('value' in result ? resolve(result.value) : reject(result.error)));
      };
      const arriveAgain = () => void outcomeOf(effect);
      if (fate === 'lost' || fate === 'late') giveUp();
      else store.world.after(this.#delay(), arrive);
      if (fate === 'late' || fate === 'repeated') store.world.after(actor.random.next() ** 2 * 9 * dayMs, arriveAgain);
    });
  }

  #fateOf(operation: Operation): TracedRequest['fate'] {
    const { lost, answerLost, late, repeated } = this.#store.troubles;
    const changes = operation === 'create' || operation === 'delete';
    const fates = { lost, answerLost, late: changes ? late : 0, repeated: changes ? repeated : 0 } as const;
    let draw = this.#actor.random.next();
    for (const [fate, probability] of Object.entries(fates)) {
      draw -= probability;
      if (draw < 0) return fate as keyof typeof fates;
    }
    return 'done';
  }

  #delay(): number {
    const { random } = this.#actor;
    return random.chance(this.#store.troubles.slow) ? random.next() ** 3 * 12 * hourMs : random.integer(1, 200);
  }
}

class SimulatedWriter implements ObjectWriter {
  sizeBytes = 0;
  readonly #parts: Uint8Array[] = [];
  readonly #create: (parts: Uint8Array[]) => Promise<CreateOutcome>;

  constructor(create: (parts: Uint8Array[]) => Promise<CreateOutcome>) {
    this.#create = create;
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) {
      this.#parts.push(part.slice());
      this.sizeBytes += part.length;
    }
  }

  commit(): Promise<CreateOutcome> {
    return this.#create(this.#parts.splice(0));
  }

  async abort(): Promise<void> {
    this.#parts.length = 0;
  }
}

async function outcomeOf<Result>(effect: () => Promise<Result>): Promise<{ value: Result } | { error: unknown }> {
  try {
    return { value: await effect() };
  } catch (error) {
    return { error };
  }
}
