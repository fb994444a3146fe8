/** What one seed does: a repository, writers, collectors, forgetters and readers, and the judgement at the end. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { check } from '../../engine/check/mod.ts';
import { newKeyFileSecret } from '../../engine/keys/mod.ts';
import { createRepository, listSnapshots, openRepository, type Repository } from '../../engine/repository/mod.ts';
import { restore } from '../../engine/restore/mod.ts';
import type { Storage } from '../../engine/storage/mod.ts';
import { isLaganError, type SnapshotId } from '../../repo-format/mod.ts';
import { faultsOfLosses, isOfLoss, loseSome } from './_losses.ts';
import { backUp, collect, forget, readSnapshot } from './engine-calls.ts';
import type { Mistake } from './mistakes.ts';
import { Random } from './random.ts';
import { SimulatedStore, type Troubles } from './simulated-store.ts';
import { type Contents, contentsBelow, differenceOf, SourceTree } from './source-tree.ts';
import { Actor, dayMs, hourMs, inSimulatedMachine, World } from './world.ts';

const tenYearsMs = 3652 * dayMs;
const eventLimit = 200_000;
/** So small that a few files make several chunks, blocks and packs. */
const smallSizes = {
  chunker: { kind: 'local-maximum-1', horizonBytes: 512, gridBytes: 1024 },
  blockSizeBytes: 1024,
  packSizeBytes: 2048,
} as const;

export interface ScenarioOptions {
  readonly seed: number;
  readonly mistake?: Mistake | undefined;
  /** In three of ten seeds the store loses packs. */
  readonly losses?: boolean | undefined;
}

export interface ScenarioResult {
  readonly seed: number;
  /** What went wrong, in words. */
  readonly faults: readonly string[];
  readonly requests: number;
  readonly acknowledged: number;
  readonly forgotten: number;
  readonly restored: number;
  /** Commits that were sent and not acknowledged: the collector had passed them, or the answer was lost. */
  readonly unacknowledged: number;
  readonly collections: number;
  /** The most that happened while a backup was suspended. */
  readonly collectionsDuringSleep: number;
  readonly deaths: number;
  readonly deletedPacks: number;
  /** Packs that the store lost, and files of snapshots that lack something of them in the end. */
  readonly losses: number;
  readonly hurt: number;
  readonly days: number;
  /** The same for every run of the seed. */
  readonly digest: string;
}

interface KnownSnapshot {
  readonly id: SnapshotId;
  readonly folder: string;
  readonly contents: Contents;
  /** Someone has begun to forget it: it may be there or not. */
  forgotten: boolean;
}

/** Runs one seed from the beginning to the end. */
export function runScenario(options: ScenarioOptions): Promise<ScenarioResult> {
  const folder = makeFolder(options.seed);
  return inSimulatedMachine(async () => {
    try {
      return await new Scenario({ ...options, folder }).run();
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });
}

/** Always the same for a seed, since what is stored has its name in it; unless the seed runs in another process just now. */
function makeFolder(seed: number): string {
  const base = path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), `lagan-seed-${String(seed).padStart(8, '0')}`);
  try {
    fs.mkdirSync(base);
    return base;
  } catch {
    return fs.mkdtempSync(`${base}-`);
  }
}

class Scenario {
  readonly world: World;
  readonly #options: ScenarioOptions & { readonly folder: string };
  readonly #plan: Random;
  readonly #store: SimulatedStore;
  readonly #secret = newKeyFileSecret();
  readonly #faults: string[] = [];
  readonly #snapshots: KnownSnapshot[] = [];
  /** The repository as it is, without a network between. */
  #truth: Repository | undefined;
  /** What decides of losses has numbers of its own, so that seeds without them are what they were. */
  readonly #decay: Random;
  readonly #hasLosses: boolean;
  #writersAtWork = 0;
  #counts = { collections: 0, collectionsDuringSleep: 0, deaths: 0, restored: 0, losses: 0, hurt: 0 };

  /** `folder`: where sources and restored files go. */
  constructor(options: ScenarioOptions & { readonly folder: string }) {
    this.#options = options;
    this.world = new World(options.seed);
    this.#decay = new Random(options.seed, 'decay');
    this.#hasLosses = options.losses === true && this.#decay.chance(0.3);
    this.#plan = new Random(options.seed, 'plan');
    this.#store = new SimulatedStore(this.world, {
      ...troublesOf(this.#plan),
      ...(options.mistake && { slow: 0.3 }),
      ...options.mistake?.troubles,
    });
  }

  async run(): Promise<ScenarioResult> {
    const maker = new Actor(this.world, 'maker');
    const slots = [{ secret: this.#secret, label: 'key' }];
    this.#truth = await maker.perform(() => createRepository(this.#store.objects, { slots, ...smallSizes, patienceMs: 0 }));
    const programs = [
      ...this.#some(1, 3, 'writer', (name) => this.#write(name)),
      ...this.#some(1, 2, 'collector', (name) => this.#collect(name)),
      ...this.#some(1, 1, 'forgetter', (name) => this.#forget(name)),
      ...this.#some(0, 1, 'reader', (name) => this.#read(name)),
      ...(this.#hasLosses ? [this.#rot(), this.#check('checker-0')] : []),
    ];
    await this.#untilOver(Promise.all(programs));
    await this.#judge();
    return this.#result();
  }

  #some(lowest: number, highest: number, role: string, program: (name: string) => Promise<void>): Promise<void>[] {
    return Array.from({ length: this.#plan.integer(lowest, highest) }, (_, index) => program(`${role}-${index}`));
  }

  async #untilOver(programs: Promise<unknown>): Promise<void> {
    let isOver = false;
    const ending = programs.then(() => (isOver = true));
    ending.catch(() => undefined);
    await this.world.run(eventLimit);
    if (!isOver) {
      await Promise.race([ending, Promise.resolve()]);
      throw new Error(`seed ${this.#options.seed}: someone waits for ever`);
    }
  }

  async #write(name: string): Promise<void> {
    this.#writersAtWork++;
    const folder = path.join(this.#options.folder, name);
    const machine = new Machine(this, name);
    const tree = new SourceTree(folder, new Random(this.#options.seed, `${name} tree`));
    for (let round = this.#plan.integer(2, 5); round > 0; round--) {
      await machine.pause(2 * hourMs, 2 * dayMs);
      const contents = tree.contents;
      const id = await machine.perform(async (repository, actor) => {
        const limits = actor.random.chance(0.5) ? { checkpointNewBytes: 1500, batchFiles: 1, waitingTokens: 2 } : {};
        return backUp(repository, { folder, host: name, limits, random: actor.random });
      });
      if (id !== undefined) this.#snapshots.push({ id, folder, contents, forgotten: false });
      tree.change();
    }
    this.#writersAtWork--;
  }

  async #collect(name: string): Promise<void> {
    const machine = new Machine(this, name);
    while (this.#writersAtWork > 0) {
      await machine.pause(6 * hourMs, 20 * hourMs);
      const result = await machine.perform(collect);
      this.#counts.collections += result?.collections ?? 0;
    }
  }

  async #forget(name: string): Promise<void> {
    const machine = new Machine(this, name);
    while (this.#writersAtWork > 0) {
      await machine.pause(6 * hourMs, 30 * hourMs);
      const victims = this.#snapshots.filter((snapshot) => !snapshot.forgotten && this.#plan.chance(this.#isOld(snapshot) ? 0.7 : 0.05));
      for (const victim of victims) victim.forgotten = true;
      if (victims.length === 0) continue;
      await machine.perform((repository) =>
        forget(
          repository,
          victims.map(({ id }) => id),
        ),
      );
    }
  }

  /** Two that are newer are kept of the same source. */
  #isOld({ folder, id }: KnownSnapshot): boolean {
    const kept = this.#snapshots.filter((snapshot) => snapshot.folder === folder && !snapshot.forgotten);
    return kept.findIndex((snapshot) => snapshot.id === id) < kept.length - 2;
  }

  async #read(name: string): Promise<void> {
    const machine = new Machine(this, name);
    while (this.#writersAtWork > 0) {
      await machine.pause(hourMs, 3 * dayMs);
      const known = this.#snapshots.filter(({ forgotten }) => !forgotten);
      if (known.length === 0) continue;
      const { id, folder, contents } = this.#plan.pick(known);
      const isForgotten = () => this.#snapshots.some((snapshot) => snapshot.id === id && snapshot.forgotten);
      await machine.perform(
        async (repository) => {
          const found = await readSnapshot(repository, { id, folder });
          const difference = differenceOf(found, contents);
          if (difference !== undefined && !isForgotten()) this.#faults.push(`${name} read ${id}: ${difference}`);
        },
        { excuse: isForgotten },
      );
    }
  }

  /** The store loses packs of data, now and then. */
  async #rot(): Promise<void> {
    const actor = new Actor(this.world, 'decay');
    for (let losses = this.#decay.integer(1, 2); losses > 0; losses--) {
      await actor.sleep(this.#decay.integer(12 * hourMs, 4 * dayMs));
      this.#counts.losses += await actor.perform(() => loseSome(this.#truth!, this.#decay));
    }
  }

  async #check(name: string): Promise<void> {
    const machine = new Machine(this, name);
    while (this.#writersAtWork > 0) {
      await machine.pause(12 * hourMs, 2 * dayMs);
      await machine.perform((repository) => check(repository, { readData: true, workers: 1, record: true }));
    }
  }

  /** A client of the store for an actor, with the mistake of this run, if its role makes it. */
  clientOf(actor: Actor): Storage {
    const client = this.#store.client(actor);
    client.onRequest = () => this.#mayStrike(actor);
    const { mistake } = this.#options;
    return mistake?.makes.test(actor.name) ? mistake.spoil(client, { truth: this.#truth! }) : client;
  }

  /** Now and then a machine sleeps for a week, or dies, in the middle of what it does. */
  #mayStrike(actor: Actor): void {
    if (this.#store.troubles.lost === 0) return;
    if (actor.random.chance(1 / 400)) {
      actor.die();
      this.#counts.deaths++;
    } else if (actor.random.chance(1 / 250)) {
      const before = this.#counts.collections;
      actor.suspend(7 * dayMs);
      if (!actor.name.startsWith('writer')) return;
      this.world.after(7 * dayMs, () => {
        this.#counts.collectionsDuringSleep = Math.max(this.#counts.collectionsDuringSleep, this.#counts.collections - before);
      });
    }
  }

  open(storage: Storage): Promise<Repository> {
    return openRepository(storage, { secret: this.#secret, mode: 'write' });
  }

  /** What may happen to an honest program on a bad network; anything else is a fault of the engine. */
  excuse(name: string, error: unknown): void {
    if (isLaganError(error, 'unavailable') || isLaganError(error, 'interrupted') || isLaganError(error, 'superseded')) return;
    if (this.#hasLosses && isOfLoss(error)) return;
    this.#faults.push(`${name}: ${wordsOf(error)}`);
  }

  /** When all is over and every late request has arrived: two collections, and then all that was acknowledged must be there. */
  async #judge(): Promise<void> {
    this.#store.troubles = { lost: 0, answerLost: 0, late: 0, repeated: 0, slow: 0 };
    const judge = new Machine(this, 'judge');
    await this.#untilOver(
      (async () => {
        if (this.#hasLosses) await judge.perform((repository) => check(repository, { readData: true, workers: 1, record: true }));
        for (let collections = 0; collections < 2; collections++) await judge.perform(collect);
      })(),
    );
    try {
      const repository = await this.open(this.#store.objects);
      if (this.#hasLosses) {
        const standing = this.#snapshots.filter(({ forgotten }) => !forgotten);
        const { faults, hurt } = await faultsOfLosses(repository, standing);
        this.#faults.push(...faults);
        this.#counts.hurt = hurt;
        return;
      }
      await this.#restoreAll(repository);
      const { errors, notes, complete } = await check(repository, { readData: true, workers: 1 });
      const litter = notes.filter((note) => note.code === 'litter');
      for (const { code, message } of [...errors, ...litter]) this.#faults.push(`check: ${code}: ${message}`);
      if (!complete) this.#faults.push('check: not complete');
    } catch (error) {
      this.#faults.push(`judge: ${wordsOf(error)}`);
    }
  }

  /** All are read and compared, and one is restored as a user restores it. */
  async #restoreAll(repository: Repository): Promise<void> {
    const standing = this.#snapshots.filter(({ forgotten }) => !forgotten);
    for (const snapshot of standing) {
      const found = await readSnapshot(repository, snapshot).catch(wordsOf);
      const difference = typeof found === 'string' ? found : differenceOf(found, snapshot.contents);
      if (difference === undefined) this.#counts.restored++;
      else this.#faults.push(`snapshot ${snapshot.id}: ${difference}`);
    }
    if (standing.length === 0 || this.#faults.length > 0) return;
    const { id, folder, contents } = this.#plan.pick(standing);
    const info = (await listSnapshots(repository)).find((candidate) => candidate.id === id);
    const target = path.join(this.#options.folder, 'restored');
    const { errors } = await restore(repository, info!, { target, from: folder, workers: 1 });
    const difference = errors[0]?.message ?? differenceOf(contentsBelow(target), contents);
    if (difference !== undefined) this.#faults.push(`restored ${id}: ${difference}`);
  }

  #result(): ScenarioResult {
    const { trace } = this.#store;
    const commits = trace.filter(({ operation, name }) => operation === 'create' && name.startsWith('writer/snapshots/'));
    const digest = createHash('sha256');
    for (const { at, actor, operation, name, fate } of trace) digest.update(`${at} ${actor} ${operation} ${name} ${fate}\n`);
    return {
      seed: this.#options.seed,
      faults: this.#faults,
      requests: trace.length,
      acknowledged: this.#snapshots.length,
      forgotten: this.#snapshots.filter(({ forgotten }) => forgotten).length,
      unacknowledged: commits.length - this.#snapshots.length,
      ...this.#counts,
      deletedPacks: new Set(
        trace.flatMap(({ operation, name }) => (operation === 'delete' ? name.split(' ') : [])).filter((name) => name.includes('/packs/')),
      ).size,
      days: Math.round(this.world.now / dayMs),
      digest: digest.digest('hex').slice(0, 16),
    };
  }
}

/** A machine that runs programs one after another. When it has died it comes again, without its memory, as another actor. */
class Machine {
  readonly #scenario: Scenario;
  readonly #name: string;
  readonly #clockErrorMs: number;
  readonly #opensOnce: boolean;
  #lives = 0;
  #actor: Actor;
  #repository: Repository | undefined;

  constructor(scenario: Scenario, name: string) {
    this.#scenario = scenario;
    this.#name = name;
    const random = new Random(scenario.world.seed, `${name} machine`);
    this.#clockErrorMs = random.pick([0, 0, tenYearsMs, -tenYearsMs, random.integer(-2, 2) * dayMs]);
    this.#opensOnce = random.chance(0.5);
    this.#actor = this.#comeAgain();
  }

  pause(lowestMs: number, highestMs: number): Promise<void> {
    return this.#actor.sleep(this.#actor.random.integer(lowestMs, highestMs));
  }

  /** What the program gives; undefined if it fails in a way that is nobody's fault. */
  async perform<Result>(
    program: (repository: Repository, actor: Actor) => Promise<Result>,
    { excuse = () => false }: { excuse?: () => boolean } = {},
  ): Promise<Result | undefined> {
    const actor = this.#actor;
    try {
      return await actor.perform(async () => {
        if (!this.#opensOnce) this.#repository = undefined;
        this.#repository ??= await this.#scenario.open(this.#scenario.clientOf(actor));
        return program(this.#repository, actor);
      });
    } catch (error) {
      if (!excuse()) this.#scenario.excuse(actor.name, error);
      return undefined;
    } finally {
      if (actor.isDead) this.#actor = this.#comeAgain();
    }
  }

  #comeAgain(): Actor {
    this.#repository = undefined;
    return new Actor(this.#scenario.world, `${this.#name}.${this.#lives++}`, { clockErrorMs: this.#clockErrorMs });
  }
}

/** A fourth of the worlds has a network without troubles. Where much is slow, backups and collections take days and meet each other. */
function troublesOf(plan: Random): Troubles {
  const level = plan.pick([0, 1, 1, 3]) / 1000;
  return { lost: level, answerLost: level, late: level, repeated: level, slow: plan.pick([0, 0.02, 0.1, 0.3]) };
}

function wordsOf(error: unknown): string {
  if (isLaganError(error)) return `${error.code}: ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
