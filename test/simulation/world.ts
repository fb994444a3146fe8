/**
 * A world in which time passes only when nobody has anything to do: events are done one after another, in the order of their times, and after each
 * everyone computes until all of them wait. So a seed determines what happens.
 *
 * What the engine asks the machine for (the time, random bytes, timers, inode numbers) it gets from the world as long as it runs in an actor's name: an
 * AsyncLocalStorage says whose name that is. Everything else in the process has the machine's own.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';
import { LaganError } from '../../repo-format/mod.ts';
import { Random } from './random.ts';
import { simulateFiles } from './simulated-files.ts';

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;
/** When a simulation begins: 2026-01-01. */
const beginMs = Date.UTC(2026, 0, 1);

/** Turns of the event loop that a program may take before it asks for something again: long ones let others get on in between. */
const longestComputation = 100;

interface Event {
  readonly at: number;
  readonly happen: () => void;
}

export class World {
  readonly seed: number;
  readonly random: Random;
  /** Milliseconds since the world began. */
  now = 0;
  /** Events that have happened. */
  count = 0;
  readonly #events: Event[] = [];

  constructor(seed: number) {
    this.seed = seed;
    this.random = new Random(seed, 'world');
  }

  after(delayMs: number, happen: () => void): void {
    const event = { at: this.now + delayMs, happen };
    let index = this.#events.length;
    // The last is the next to happen; of two at the same time the one that was arranged first.
    while (index > 0 && this.#events[index - 1]!.at <= event.at) index--;
    this.#events.splice(index, 0, event);
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  /** Lets everything happen; resolves when all is over. More than `limit` events are a mistake: someone runs in circles. */
  async run(limit: number): Promise<void> {
    for (let idleTurns = 0; idleTurns < longestComputation; ) {
      await timersOfTheMachine.setImmediate();
      const event = this.#events.pop();
      if (event === undefined) {
        idleTurns++;
        continue;
      }
      idleTurns = 0;
      if (++this.count > limit) throw new Error(`seed ${this.seed}: more than ${limit} events`);
      this.now = event.at;
      event.happen();
    }
  }
}

/** Someone on a machine of its own: with a clock that is wrong by an amount, who may sleep, or die and come again. */
export class Actor {
  readonly name: string;
  readonly world: World;
  readonly random: Random;
  readonly clockErrorMs: number;
  #awakeAt = 0;
  #isDead = false;

  constructor(world: World, name: string, { clockErrorMs = 0 }: { clockErrorMs?: number } = {}) {
    this.world = world;
    this.name = name;
    this.clockErrorMs = clockErrorMs;
    this.random = new Random(world.seed, name);
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get isAsleep(): boolean {
    return this.#awakeAt > this.world.now;
  }

  /** Nothing reaches it for that time, as a laptop whose lid was closed. */
  suspend(durationMs: number): void {
    this.#awakeAt = Math.max(this.#awakeAt, this.world.now + durationMs);
  }

  /** From now on everything that it tries fails without effect, so that its program ends; nobody hears of how. */
  die(): void {
    this.#isDead = true;
  }

  /** Tells it something, when it is awake. */
  deliver(tell: () => void): void {
    if (this.isAsleep) this.world.after(this.#awakeAt - this.world.now, () => this.deliver(tell));
    else tell();
  }

  /** Runs a program in its name. */
  perform<Result>(program: () => Promise<Result>): Promise<Result> {
    return actors.run(this, program);
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.world.after(delayMs, () => this.deliver(resolve)));
  }

  /** What its clock says, in milliseconds since 1970. */
  get clockMs(): number {
    return Math.floor(beginMs + this.world.now + this.clockErrorMs);
  }
}

/** What an actor's program ends with when the actor has died. */
export function deathOf(actor: Actor): LaganError {
  return new LaganError('interrupted', `${actor.name} has died`);
}

const actors = new AsyncLocalStorage<Actor>();
const dateOfTheMachine = Date;
const randomBytesOfTheMachine = crypto.randomBytes;
const timersOfTheMachine = { setImmediate: timers.setImmediate, setTimeout: timers.setTimeout };

class ActorDate extends dateOfTheMachine {
  constructor(...given: unknown[]) {
    if (given.length === 0) super(ActorDate.now());
    else super(...(given as [number]));
  }

  static override now(): number {
    return actors.getStore()?.clockMs ?? dateOfTheMachine.now();
  }
}

/** Runs `simulate` while actors get time, timers and random bytes from their world. */
export async function inSimulatedMachine<Result>(simulate: () => Promise<Result>): Promise<Result> {
  const nowOfTheMachine = performance.now.bind(performance);
  globalThis.Date = ActorDate as DateConstructor;
  performance.now = () => actors.getStore()?.world.now ?? nowOfTheMachine();
  crypto.randomBytes = ((size: number) => {
    const actor = actors.getStore();
    return actor === undefined ? randomBytesOfTheMachine(size) : Buffer.from(actor.random.bytes(size));
  }) as typeof crypto.randomBytes;
  timers.setTimeout = ((delayMs: number, value: unknown, options?: { ref?: boolean }) => {
    const actor = actors.getStore();
    return actor === undefined ? timersOfTheMachine.setTimeout(delayMs, value, options) : actor.sleep(delayMs).then(() => value);
  }) as typeof timers.setTimeout;
  syncBuiltinESMExports();
  const endFiles = simulateFiles(() => actors.getStore() !== undefined);
  try {
    return await simulate();
  } finally {
    endFiles();
    globalThis.Date = dateOfTheMachine;
    Reflect.deleteProperty(performance, 'now');
    crypto.randomBytes = randomBytesOfTheMachine;
    timers.setTimeout = timersOfTheMachine.setTimeout;
    syncBuiltinESMExports();
  }
}
