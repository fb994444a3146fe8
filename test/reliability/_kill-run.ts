/**
 * Processes on one repository: two writers, a collector, a caretaker that repairs, copies, mirrors, rewrites and changes keys, and where there is one the server; each killed (SIGKILL) at
 * random moments and started again. Now and then, and in the end, nothing that was acknowledged and not forgotten may be missing, there, in the second repository and in the mirror; and
 * after one more deed of each that ends whole no litter stays.
 */
import { setTimeout } from 'node:timers/promises';
import { createRepository, openRepository } from '../../engine/repository/mod.ts';
import { openStorage } from '../../engine/storage/mod.ts';
import { collect } from '../simulation/engine-calls.ts';
import { Random } from '../simulation/random.ts';
import { Caretaker } from './_caretaker.ts';
import { passwordSlot, secondSecret } from './_caretaker-keys.ts';
import { secret } from './_crash-points.ts';
import { type Judgement, judgeObjects, judgePasswords, judgeSnapshots } from './_kill-judge.ts';
import { Knowledge } from './_kill-knowledge.ts';
import { type CareTask, type Deed, deeds, type KillMessage, type ProcessTask } from './_kill-messages.ts';
import { openPatiently } from './_kill-open.ts';
import type { KillPlace } from './_kill-places.ts';
import { type KillProcess, startProcess } from './_kill-process.ts';

/** A server is killed where the place has one. */
export const killRoles = ['writer', 'collector', 'caretaker', 'server'] as const;
export type KillRole = (typeof killRoles)[number];

export function isKillRole(text: string): text is KillRole {
  return killRoles.includes(text as KillRole);
}

export interface KillOptions {
  readonly kills: number;
  /** Scratch for sources and restored files. */
  readonly folder: string;
  /** Where the repositories are made: places that are empty. */
  readonly place: KillPlace;
  readonly seed?: number;
  /** Which processes there are. Default: all. */
  readonly roles?: readonly KillRole[];
}

export interface KillResult {
  readonly kills: number;
  readonly killsOf: ReadonlyMap<KillRole, number>;
  readonly acknowledged: number;
  readonly copied: number;
  readonly forgotten: number;
  readonly collections: number;
  /** How often each deed of the caretaker ended whole. */
  readonly deeds: ReadonlyMap<Deed, number>;
  readonly restored: number;
  readonly faults: readonly string[];
}

/** How long a process lives at most once its modules are loaded, as a multiple of the time that its first deed takes. */
const life = 2.5;
/** So often, all are killed and what there is is restored. */
const killsPerRound = 40;
const sizes = { blockSizeBytes: 64 * 1024, packSizeBytes: 256 * 1024, patienceMs: 0 } as const;
/** So that what was interrupted is ended, and then is in all places. */
const lastDeeds: readonly Deed[] = ['password', 'rewrite', 'repair', 'rotate', 'copy', 'mirror'];
const otherCutting = { kind: 'local-maximum-1', horizonBytes: 4096, gridBytes: 16_384 } as const;

export function runKills(options: KillOptions): Promise<KillResult> {
  return new KillRun(options).run();
}

class KillRun {
  readonly #options: KillOptions;
  readonly #place: KillPlace;
  readonly #roles: readonly KillRole[];
  readonly #random: Random;
  readonly #knowledge = new Knowledge();
  readonly #judgement: Judgement = { restored: 0, faults: [] };
  readonly #versions = [0, 0];
  /** How long the first deed of each kind of process takes. */
  readonly #deedMs = new Map<string, number>();
  readonly #killsOf = new Map<KillRole, number>();
  #kills = 0;

  constructor(options: KillOptions) {
    this.#options = options;
    this.#place = options.place;
    this.#roles = options.roles ?? killRoles;
    this.#random = new Random(options.seed ?? 1, 'kills');
  }

  async run(): Promise<KillResult> {
    await this.#create();
    while (this.#kills < this.#options.kills && this.#faults.length === 0) {
      const until = Math.min(this.#options.kills, this.#kills + killsPerRound);
      await Promise.all([
        ...(this.#roles.includes('writer') ? [this.#keepRunning('writer', until, 0), this.#keepRunning('writer', until, 1)] : []),
        ...(this.#roles.includes('collector') ? [this.#keepRunning('collector', until)] : []),
        ...(this.#roles.includes('caretaker') ? [this.#keepRunning('caretaker', until)] : []),
        ...(this.#roles.includes('server') ? [this.#keepKillingServer(until)] : []),
      ]);
      await this.#judge({ isEnd: false });
    }
    if (this.#faults.length === 0) await this.#endWhole();
    const { acknowledged, copied, forgotten, collections, deeds } = this.#knowledge;
    const { restored } = this.#judgement;
    const [kills, killsOf, faults] = [this.#kills, this.#killsOf, this.#faults];
    return { kills, killsOf, acknowledged, copied, forgotten, collections, deeds, restored, faults };
  }

  get #faults(): string[] {
    return [...this.#knowledge.faults, ...this.#judgement.faults];
  }

  get #hasCaretaker(): boolean {
    return this.#roles.includes('caretaker');
  }

  async #create(): Promise<void> {
    const repository = await createRepository(openStorage(this.#place.repository), {
      slots: [{ secret, label: 'key' }, passwordSlot(0)],
      ...sizes,
    });
    if (!this.#hasCaretaker) return;
    const cutting = this.#random.chance(0.5) ? { like: repository } : { ...sizes, chunker: otherCutting };
    await createRepository(openStorage(this.#place.second), {
      slots: [{ secret: secondSecret, label: 'key' }],
      patienceMs: 0,
      ...cutting,
    });
  }

  #count(role: KillRole): void {
    this.#kills++;
    this.#killsOf.set(role, (this.#killsOf.get(role) ?? 0) + 1);
  }

  /** Starts a process, kills it, starts it again, until all have been killed so often together. */
  async #keepRunning(role: 'writer' | 'collector' | 'caretaker', until: number, writer = 0): Promise<void> {
    while (this.#kills < until && this.#knowledge.isFaultless) {
      const { kind, process } = this.#start(role, writer);
      const deedMs = this.#deedMs.get(kind);
      await Promise.race([process.started, process.ended]);
      const startedAt = performance.now();
      let tookMs: number | undefined;
      const deed = process.done.then(() => {
        tookMs = performance.now() - startedAt;
      });
      await Promise.race([process.ended, deedMs === undefined ? deed : setTimeout(deedMs * life * this.#random.next())]);
      // Deeds take longer as the repository grows: whoever does not come to the end of one gets more time.
      this.#deedMs.set(kind, tookMs ?? (deedMs ?? 0) * 1.1);
      if (process.kill()) this.#count(role);
      await process.ended;
    }
  }

  /** The server lives for about as long as a deed of its clients takes, and long enough for them to come to it. */
  async #keepKillingServer(until: number): Promise<void> {
    const { server } = this.#place;
    for (let startMs = 1000; server !== undefined && this.#kills < until && this.#knowledge.isFaultless; ) {
      await setTimeout(Math.max(2 * startMs, ...this.#deedMs.values()) * life * this.#random.next());
      this.#count('server');
      const startedAt = performance.now();
      await server.killAndStart();
      startMs = performance.now() - startedAt;
    }
  }

  #start(role: 'writer' | 'collector' | 'caretaker', writer: number): { kind: string; process: KillProcess } {
    const task = this.#taskOf(role, writer);
    const process = startProcess(role, task, (message) => {
      this.#knowledge.hear(message, writer);
      if (message.type === 'acknowledged') this.#versions[writer] = message.version + 1;
    });
    return { kind: task.care?.deeds[0] ?? `${role} ${writer}`, process };
  }

  #taskOf(role: 'writer' | 'collector' | 'caretaker', writer: number): ProcessTask {
    const { repository, writerRepository = repository } = this.#place;
    if (role === 'collector') return { repository };
    if (role === 'caretaker') return { repository, care: this.#careTask() };
    const source = `${this.#options.folder}/source-${writer}`;
    return { repository: writerRepository, source, writer, firstVersion: this.#versions[writer]! };
  }

  #careTask(): CareTask {
    const { second, mirror } = this.#place;
    const { rewritable, rewriting, passwords } = this.#knowledge;
    const order = deeds.map((deed) => ({ deed, at: this.#random.next() })).sort((a, b) => a.at - b.at);
    const seed = this.#random.integer(0, 2 ** 32 - 1);
    return { second, mirror, deeds: order.map(({ deed }) => deed), seed, rewritable, rewriting, passwords };
  }

  /** One more deed of each, whole; then nothing may be left of those that were not. */
  async #endWhole(): Promise<void> {
    const repository = await openPatiently(this.#place.repository);
    for (let collections = 0; collections < 2; collections++) await collect(repository);
    if (this.#hasCaretaker) await this.#careOnce();
    await this.#judge({ isEnd: true });
    this.#judgement.faults.push(...this.#place.litter().map((file) => `litter: ${file}`));
  }

  async #careOnce(): Promise<void> {
    const care = this.#careTask();
    const say = (message: KillMessage) => this.#knowledge.hear(message, 0);
    const options = { say, random: new Random(care.seed), isThorough: true };
    const caretaker = new Caretaker({ repository: this.#place.repository, care }, options);
    for (const deed of lastDeeds) await caretaker.do(deed);
  }

  async #judge({ isEnd }: { isEnd: boolean }): Promise<void> {
    const [judgement, { folder }] = [this.#judgement, this.#options];
    const { isTableLost, isTableLostInMirror, passwords } = this.#knowledge;
    const { repository: place, second, mirror } = this.#place;
    const repository = await openPatiently(place);
    await judgeSnapshots(repository, this.#knowledge.inRepository(), { folder, judgement });
    await judgeObjects(repository, { judgement, isEnd, mayBe: isTableLost ? ['object-missing'] : [] });
    if (!this.#hasCaretaker) return;
    await judgePasswords(openStorage(place), passwords, judgement);
    const copies = await openPatiently(second, secondSecret);
    await judgeSnapshots(copies, this.#knowledge.inSecond(), { folder, judgement });
    await judgeObjects(copies, { judgement, isEnd });
    const expected = this.#knowledge.inMirror();
    if (expected === undefined) return;
    const mirrored = await openRepository(openStorage(mirror), { secret, mode: 'read' });
    await judgeSnapshots(mirrored, expected, { folder, judgement });
    const lost = isTableLostInMirror ? (['object-missing'] as const) : [];
    // Between the newest root and the one before it, who writes is told so.
    await judgeObjects(mirrored, { judgement, isEnd, mayBe: isEnd ? [] : ['rolled-back', ...lost] });
  }
}
