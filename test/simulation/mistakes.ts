/**
 * The mistakes of the protocol that the model seeds (spec/model/README.md), put into the real engine without a switch in it: the way to the store of those
 * who make a mistake is spoiled, so that they do what an engine with the mistake would do. Each must be found by some seed.
 */
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { contextOf } from '../../engine/repository/_context.ts';
import { createSealed, openSealed, seal } from '../../engine/repository/_sealed-objects.ts';
import { type Repository, readPackList } from '../../engine/repository/mod.ts';
import {
  type ByteRange,
  type CallOptions,
  type CreateOutcome,
  type GetOptions,
  InMemory,
  type ListedObject,
  type ListOptions,
  type Storage,
} from '../../engine/storage/mod.ts';
import {
  decodeSnapshot,
  encodeLostList,
  encodeSnapshot,
  idFromBytes,
  isLaganError,
  type ObjectId,
  objectNames,
  objectPrefixes,
  type PackId,
  parseObjectName,
  type Root,
  type SessionId,
} from '../../repo-format/mod.ts';
import type { Troubles } from './simulated-store.ts';
import { collected, editedRoot, joined, PassingStorage, rootOf } from './spoiled-storage.ts';
import { dayMs } from './world.ts';

export interface MistakeContext {
  /** Opened without troubles: what the store really has. */
  readonly truth: Repository;
}

export interface Mistake {
  readonly name: string;
  /** What an engine with it would do. */
  readonly words: string;
  /** Names of the actors who make it. */
  readonly makes: RegExp;
  /** One that finds it, tried first: without it a minute goes by with others. When the engine asks the store other things than before, it may be another one. */
  readonly seed: number;
  /** What the network is like, so that it shows soon. Many requests are slow in any case. */
  readonly troubles?: Partial<Troubles>;
  readonly spoil: (storage: Storage, context: MistakeContext) => Storage;
}

const roots = objectPrefixes.roots;

/** The roots that a writer saw, and what it is shown of them instead of the truth. */
abstract class ForgetfulOfRoots extends PassingStorage {
  protected seen: ListedObject[] = [];

  override async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ListedObject> {
    if (prefix !== roots) {
      this.noteListing(prefix);
      return yield* super.list(prefix, options);
    }
    if (this.isBlind()) return yield* this.seen.filter(({ name }) => name > (options.after ?? ''));
    this.seen = await collected(super.list(prefix, options));
    yield* this.seen;
  }

  protected abstract noteListing(prefix: string): void;
  /** Whether the listing of roots that comes now shows only what was seen before. */
  protected abstract isBlind(): boolean;
}

/** Does not look at the root after a commit or a checkpoint. */
class NoPostCheck extends ForgetfulOfRoots {
  #atBegin: ListedObject[] = [];
  #hasCommitted = false;

  protected override noteListing(prefix: string): void {
    if (prefix === objectPrefixes.sessionIndexes) this.#atBegin = this.seen;
  }

  protected override isBlind(): boolean {
    const isBlind = this.#hasCommitted;
    this.#hasCommitted = false;
    if (isBlind) this.seen = this.#atBegin;
    return isBlind;
  }

  override async create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
    const outcome = await super.create(name, parts, options);
    this.#hasCommitted = name.startsWith(objectPrefixes.snapshots) || name.startsWith(objectPrefixes.checkpoints);
    return outcome;
  }
}

/** Commits under the generation that is the newest by then, although it decided under an older one. */
class LazyRebase extends NoPostCheck {
  readonly #truth: Repository;

  constructor(inner: Storage, { truth }: MistakeContext) {
    super(inner);
    this.#truth = truth;
  }

  override async create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
    const parsed = parseObjectName(name);
    if (parsed?.type !== 'snapshot') return super.create(name, parts, options);
    const { generation } = await newestRoot(this.#truth);
    const snapshot = decodeSnapshot(openSealed(contextOf(this.#truth), joined(parts), { kind: 'snapshot', name }), name);
    const renewed = objectNames.snapshot(generation, parsed.session as SessionId);
    const payload = encodeSnapshot({ ...snapshot, generation });
    return super.create(renewed, [seal(contextOf(this.#truth), renewed, { kind: 'snapshot', payload })], options);
  }
}

/** Stores the index table only after the commit; it looks as if it were there before. */
class CommitFirst extends PassingStorage {
  readonly #waiting = new Map<string, Uint8Array>();
  readonly #own = new InMemory();

  override async create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
    if (name.startsWith(objectPrefixes.sessionIndexes)) {
      this.#waiting.set(name, joined(parts));
      return this.#own.create(name, parts);
    }
    const outcome = await super.create(name, parts, options);
    if (!name.startsWith(objectPrefixes.snapshots)) return outcome;
    for (const [table, bytes] of this.#waiting) {
      await super.create(table, [bytes], options);
      this.#waiting.delete(table);
    }
    return outcome;
  }

  override get(name: string, range?: ByteRange, options?: GetOptions): Promise<Uint8Array> {
    return this.#waiting.has(name) ? this.#own.get(name, range, options) : super.get(name, range, options);
  }

  override size(name: string, options?: CallOptions): Promise<number> {
    return this.#waiting.has(name) ? this.#own.size(name, options) : super.size(name, options);
  }
}

/** Reads every root with a change. */
class RootReader extends PassingStorage {
  readonly #truth: Repository;
  readonly #edit: (root: Root) => Root;

  constructor(inner: Storage, { truth, edit }: MistakeContext & { edit: (root: Root) => Root }) {
    super(inner);
    this.#truth = truth;
    this.#edit = edit;
  }

  override async get(name: string, range?: ByteRange, options?: GetOptions): Promise<Uint8Array> {
    const bytes = await super.get(name, range, options);
    return name.startsWith(roots) ? editedRoot(this.#truth, { name, bytes, edit: this.#edit }) : bytes;
  }
}

/** Is told of each root that a collector creates; may change it before, and do things afterwards. */
abstract class RootMaker extends PassingStorage {
  protected readonly truth: Repository;

  constructor(inner: Storage, { truth }: MistakeContext) {
    super(inner);
    this.truth = truth;
  }

  override async create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
    if (!name.startsWith(roots)) return super.create(name, parts, options);
    const bytes = joined(parts);
    const root = await this.before(rootOf(this.truth, name, bytes));
    const outcome = await this.store(name, editedRoot(this.truth, { name, bytes, edit: () => root }), options);
    if (outcome === 'created') await this.after(root);
    return outcome;
  }

  protected store(name: string, bytes: Uint8Array, options?: CallOptions): Promise<CreateOutcome> {
    return super.create(name, [bytes], options);
  }

  protected async before(root: Root): Promise<Root> {
    return root;
  }

  protected async after(_root: Root): Promise<void> {}
}

/** Never raises floor. */
class MinAge extends RootMaker {
  protected override async before(root: Root): Promise<Root> {
    return { ...root, floor: 0, pastFloor: 0 };
  }
}

/** Overwrites the root, whoever made it. */
class BlindPut extends RootMaker {
  protected override async store(name: string, bytes: Uint8Array, options?: CallOptions): Promise<CreateOutcome> {
    await this.inner.delete([name], options);
    await super.store(name, bytes, options);
    return 'created';
  }
}

/** Lists commits and index tables before floor is raised, and goes by that. */
class ListBeforeFence extends RootMaker {
  #listed: Set<string> | undefined;

  protected override async before(root: Root): Promise<Root> {
    this.#listed = undefined;
    if (root.phase === 'fencing') {
      const prefixes = [objectPrefixes.snapshots, objectPrefixes.checkpoints, objectPrefixes.sessionIndexes];
      const listings = await Promise.all(prefixes.map((prefix) => collected(super.list(prefix))));
      this.#listed = new Set(listings.flat().map(({ name }) => name));
      // The longer it sleeps here, the sooner it shows.
      await setTimeout(dayMs);
    }
    return root;
  }

  override async *list(prefix: string, options?: ListOptions): AsyncGenerator<ListedObject> {
    const concerns = prefix.startsWith('writer/') && !prefix.startsWith(objectPrefixes.writerPacks);
    for await (const object of super.list(prefix, options))
      if (!concerns || this.#listed === undefined || this.#listed.has(object.name)) yield object;
  }
}

/** Dooms whatever is condemned. */
class NoRemark extends RootMaker {
  #condemned: readonly PackId[] = [];

  protected override async before(root: Root): Promise<Root> {
    if (root.phase !== 'open') {
      this.#condemned = await readPackList(this.truth, root.condemned);
      return root;
    }
    const doomed = new Set([...(await readPackList(this.truth, root.doomed)), ...this.#condemned]);
    if (doomed.size === 0) return root;
    const id = idFromBytes<ObjectId>(Uint8Array.from(Buffer.concat([numberBytes(root.number), randomBytes(8)])));
    const name = objectNames.lostList(id);
    const payload = encodeLostList({ chunks: [], packs: [...doomed].sort() });
    await createSealed(contextOf(this.truth), name, { kind: 'lost-list', payload });
    const hash = createHash('sha256')
      .update(await this.truth.storage.get(name))
      .digest();
    return { ...root, doomed: { id, hash: Uint8Array.from(hash) } };
  }
}

/** Deletes packs when they are condemned. */
class DeleteBeforeDoom extends RootMaker {
  protected override async after(root: Root): Promise<void> {
    if (root.phase !== 'condemned') return;
    const packs = await readPackList(this.truth, root.condemned);
    if (packs.length > 0) await this.inner.delete(packs.map((pack) => objectNames.pack(pack)));
  }
}

/** Believes that the root is its own as soon as it could create it. */
class TrustCreate extends RootMaker {
  #own: string | undefined;

  protected override async after(root: Root): Promise<void> {
    this.#own = objectNames.root(root.number);
  }

  override async *list(prefix: string, options?: ListOptions): AsyncGenerator<ListedObject> {
    for await (const object of super.list(prefix, options))
      if (prefix !== roots || this.#own === undefined || object.name <= this.#own) yield object;
  }
}

/** Prunes every root but the oldest. */
class PruneAll extends PassingStorage {
  override async delete(names: readonly string[], options?: CallOptions): Promise<void> {
    if (!names.some((name) => name.startsWith(roots))) return super.delete(names, options);
    const newest = (await collected(this.inner.list(roots))).slice(-3).map(({ name }) => name);
    return super.delete([...names.slice(1), ...newest], options);
  }
}

/** Takes what it has got of a listing for all there is, when the rest cannot be had. */
class ShortListings extends PassingStorage {
  override async *list(prefix: string, options?: ListOptions): AsyncGenerator<ListedObject> {
    try {
      yield* super.list(prefix, options);
    } catch (error) {
      if (!isLaganError(error, 'unavailable')) throw error;
    }
  }
}

/** Goes on before packs are durable. */
class AnswersEarly extends PassingStorage {
  override async create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
    const creating = super.create(name, parts, options);
    if (!name.startsWith(objectPrefixes.writerPacks)) return creating;
    creating.catch(() => undefined);
    return 'created';
  }
}

const writers = /^writer/;
const collectors = /^collector/;

export const mistakes: readonly Mistake[] = [
  {
    name: 'noPostCheck',
    words: 'a writer does not read the root after its commit',
    makes: writers,
    seed: 6,
    spoil: (inner) => new NoPostCheck(inner),
  },
  {
    name: 'dedupCondemned',
    words: 'writers deduplicate against condemned packs',
    makes: writers,
    seed: 9,
    spoil: (inner, context) => new RootReader(inner, { ...context, edit: (root) => ({ ...root, condemned: null }) }),
  },
  {
    name: 'lazyRebase',
    words: 'a commit gets a new generation with old decisions',
    makes: writers,
    seed: 8,
    spoil: (inner, context) => new LazyRebase(inner, context),
  },
  {
    name: 'commitFirst',
    words: 'the commit is stored before the index table',
    makes: writers,
    seed: 1,
    spoil: (inner) => new CommitFirst(inner),
  },
  {
    name: 'answersEarly',
    words: 'a writer does not wait until packs are durable',
    makes: writers,
    seed: 1,
    troubles: { lost: 0.02 },
    spoil: (inner) => new AnswersEarly(inner),
  },
  { name: 'minAge', words: 'floor is never raised', makes: collectors, seed: 1, spoil: (inner, context) => new MinAge(inner, context) },
  {
    name: 'blindPut',
    words: 'the root is overwritten, whoever wrote it',
    makes: collectors,
    seed: 8,
    spoil: (inner, context) => new BlindPut(inner, context),
  },
  {
    name: 'listBeforeFence',
    words: 'commits are listed before floor is raised',
    makes: collectors,
    seed: 22,
    spoil: (inner, context) => new ListBeforeFence(inner, context),
  },
  {
    name: 'noRemark',
    words: 'condemned packs are doomed without a second mark',
    makes: collectors,
    seed: 4,
    spoil: (inner, context) => new NoRemark(inner, context),
  },
  {
    name: 'deleteBeforeDoom',
    words: 'packs are deleted when they are condemned',
    makes: collectors,
    seed: 1,
    spoil: (inner, context) => new DeleteBeforeDoom(inner, context),
  },
  {
    name: 'trustCreate',
    words: 'who created a number believes to have won',
    makes: collectors,
    seed: 50,
    spoil: (inner, context) => new TrustCreate(inner, context),
  },
  { name: 'pruneAll', words: 'pruning may take the highest number', makes: collectors, seed: 10, spoil: (inner) => new PruneAll(inner) },
  {
    name: 'shortListings',
    words: 'a listing that fails is taken for its end',
    makes: collectors,
    seed: 3,
    spoil: (inner) => new ShortListings(inner),
  },
];

export function mistakeNamed(name: string): Mistake {
  const found = mistakes.find((mistake) => mistake.name === name);
  if (found === undefined)
    throw new RangeError(`there is no mistake ${name}; there are: ${mistakes.map((mistake) => mistake.name).join(', ')}`);
  return found;
}

async function newestRoot(truth: Repository): Promise<Root> {
  const names = await collected(truth.storage.list(roots));
  const { name } = names.at(-1)!;
  return rootOf(truth, name, await truth.storage.get(name));
}

function numberBytes(number: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return bytes;
}
