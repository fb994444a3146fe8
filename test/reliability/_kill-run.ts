/**
 * Two writers and a collector as processes on one repository, each killed (SIGKILL) at random moments and started again. Now and then, and in the end, nothing that was
 * acknowledged and not forgotten may be missing, and after one more collection no litter stays.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { check } from '../../engine/check/mod.ts';
import { createRepository, listSnapshots, type Repository } from '../../engine/repository/mod.ts';
import { restore } from '../../engine/restore/mod.ts';
import { openStorage } from '../../engine/storage/mod.ts';
import { collect } from '../simulation/engine-calls.ts';
import { Random } from '../simulation/random.ts';
import { contentsBelow, differenceOf } from '../simulation/source-tree.ts';
import { open, secret } from './_crash-points.ts';
import type { KillMessage, ProcessTask } from './_kill-messages.ts';
import type { KillPlace } from './_kill-places.ts';
import { contentsOfVersion } from './_kill-source.ts';

export interface KillOptions {
  readonly kills: number;
  /** Scratch for sources and restored files. */
  readonly folder: string;
  /** Where the repository is made: a place that is empty. */
  readonly place: KillPlace;
  readonly seed?: number;
}

export interface KillResult {
  readonly kills: number;
  readonly acknowledged: number;
  readonly forgotten: number;
  readonly collections: number;
  readonly restored: number;
  readonly faults: readonly string[];
}

interface Known {
  readonly writer: number;
  readonly version: number;
}

/** How long a process lives at most once its modules are loaded, as a multiple of the time that its first deed takes. */
const life = 2.5;
/** So often, all are killed and what there is is restored. */
const killsPerRound = 40;
/** Modules are compiled once for all processes, not anew for each. */
const compileCache = process.env.NODE_COMPILE_CACHE ?? path.join(import.meta.dirname, '../../node_modules/.cache/compile');

export function runKills(options: KillOptions): Promise<KillResult> {
  return new KillRun(options).run();
}

class KillRun {
  readonly #options: KillOptions;
  readonly #place: string;
  readonly #random: Random;
  readonly #faults: string[] = [];
  readonly #acknowledged = new Map<string, Known>();
  readonly #forgotten = new Set<string>();
  readonly #versions = [0, 0];
  /** How long the first deed of each process takes: two writers, then the collector. */
  readonly #deedMs: number[] = [];
  #kills = 0;
  #collections = 0;
  #restored = 0;

  constructor(options: KillOptions) {
    this.#options = options;
    this.#place = options.place.repository;
    this.#random = new Random(options.seed ?? 1, 'kills');
  }

  async run(): Promise<KillResult> {
    await createRepository(openStorage(this.#place), {
      slots: [{ secret, label: 'key' }],
      blockSizeBytes: 64 * 1024,
      packSizeBytes: 256 * 1024,
      patienceMs: 0,
    });
    while (this.#kills < this.#options.kills && this.#faults.length === 0) {
      const until = Math.min(this.#options.kills, this.#kills + killsPerRound);
      await Promise.all([
        this.#keepRunning('writer', 0, until),
        this.#keepRunning('writer', 1, until),
        this.#keepRunning('collector', 2, until),
      ]);
      await this.#restoreAll(await open(openStorage(this.#place)));
    }
    await this.#judge();
    return {
      kills: this.#kills,
      acknowledged: this.#acknowledged.size,
      forgotten: this.#forgotten.size,
      collections: this.#collections,
      restored: this.#restored,
      faults: this.#faults,
    };
  }

  /** Starts a process, kills it, starts it again, until all have been killed so often together. */
  async #keepRunning(role: 'writer' | 'collector', process: number, until: number): Promise<void> {
    while (this.#kills < until && this.#faults.length === 0) {
      const deedMs = this.#deedMs[process];
      const { child, ended, started, done } = this.#start(role, process);
      await Promise.race([started, ended]);
      const startedAt = performance.now();
      let tookMs: number | undefined;
      const deed = done.then(() => {
        tookMs = performance.now() - startedAt;
      });
      await Promise.race([ended, deedMs === undefined ? deed : setTimeout(deedMs * life * this.#random.next())]);
      // Deeds take longer as the repository grows: whoever does not come to the end of one gets more time.
      this.#deedMs[process] = tookMs ?? (deedMs ?? 0) * 1.1;
      if (child.kill('SIGKILL')) this.#kills++;
      await ended;
    }
  }

  /** `done`: its first deed is. */
  #start(role: 'writer' | 'collector', writer: number) {
    const source = path.join(this.#options.folder, `source-${writer}`);
    const writing = { source, writer, firstVersion: this.#versions[writer]! };
    const task: ProcessTask = { repository: this.#place, ...(role === 'writer' ? writing : {}) };
    const program = path.join(import.meta.dirname, `_kill-${role}.ts`);
    const child = spawn(process.execPath, [program, JSON.stringify(task)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '', NODE_COMPILE_CACHE: compileCache },
    });
    const [ended, started, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    child.once('close', () => ended.resolve());
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = JSON.parse(line) as KillMessage;
      this.#hear(message, writer);
      if (message.type === 'started') started.resolve();
      else if (message.type === 'acknowledged' || message.type === 'collected') done.resolve();
    });
    createInterface({ input: child.stderr }).on('line', (line) => this.#faults.push(`${role}: ${line}`));
    return { child, ended: ended.promise, started: started.promise, done: done.promise };
  }

  #hear(message: KillMessage, writer: number): void {
    if (message.type === 'acknowledged') {
      this.#acknowledged.set(message.id, { writer, version: message.version });
      this.#versions[writer] = message.version + 1;
    } else if (message.type === 'forgetting') for (const id of message.ids) this.#forgotten.add(id);
    else if (message.type === 'collected') this.#collections += message.collections;
    else if (message.type === 'fault') this.#faults.push(message.words);
  }

  /** What was acknowledged and not forgotten is there, as it was. */
  async #restoreAll(repository: Repository): Promise<void> {
    const listed = new Map((await listSnapshots(repository)).map((info) => [info.id as string, info]));
    for (const [id, { writer, version }] of this.#acknowledged) {
      if (this.#forgotten.has(id)) continue;
      const info = listed.get(id);
      const target = path.join(this.#options.folder, 'target');
      const from = path.join(this.#options.folder, `source-${writer}`);
      fs.rmSync(target, { recursive: true, force: true });
      const errors = info === undefined ? [] : (await restore(repository, info, { target, from, workers: 1 })).errors;
      const difference =
        info === undefined ? 'it is gone' : (errors[0]?.message ?? differenceOf(contentsBelow(target), contentsOfVersion(writer, version)));
      if (difference === undefined) this.#restored++;
      else this.#faults.push(`${id}: ${difference}`);
    }
  }

  async #judge(): Promise<void> {
    const repository = await open(openStorage(this.#place));
    for (let collections = 0; collections < 2; collections++) await collect(repository);
    await this.#restoreAll(repository);
    const { errors, notes, complete } = await check(repository, { readData: true, workers: 2 });
    for (const { code, message } of [...errors, ...notes]) this.#faults.push(`${code}: ${message}`);
    if (!complete) this.#faults.push('the check is not complete');
    this.#faults.push(...this.#options.place.litter().map((file) => `litter: ${file}`));
  }
}
