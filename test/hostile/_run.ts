/** Makes hostile repositories, gives them to a process of the engine's, and judges what it did. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { closeDescriptor, openRoot, removeTree } from '../../engine/system/mod.ts';
import { Forge, secret } from '../spec/_forge.ts';
import type { HostileCase } from './_case.ts';
import type { HostileOutcome, HostileTask } from './_engine.ts';

export interface Judgement {
  readonly name: string;
  /** What is wrong; undefined: all is as it should be. */
  readonly fault: string | undefined;
  readonly outcome: HostileOutcome | undefined;
  readonly durationMs: number;
}

export const hostileLimits = {
  /** JavaScript objects. */
  heapMiB: 768,
  /** All memory of the process at its peak: engine, kernels, the greatest block and node, and what is garbage. */
  peakMiB: 1024,
  /** System calls that read; the code of the engine is read by the first case. */
  reads: 60_000,
  /** Until a case counts as one that never ends. */
  patienceMs: 120_000,
} as const;

const absolute = '/lagan-hostile-absolute';

export class HostileRun {
  readonly #scratch: string;
  readonly #forge: Forge;
  #engine: ChildProcess | undefined;
  #number = 0;

  private constructor(scratch: string, forge: Forge) {
    this.#scratch = scratch;
    this.#forge = forge;
  }

  /** Everything is made in `scratch`, and removed case by case. */
  static async begin(scratch: string): Promise<HostileRun> {
    return new HostileRun(scratch, await Forge.create());
  }

  async judge(hostile: HostileCase): Promise<Judgement> {
    const folder = path.join(this.#scratch, `case-${this.#number++}`);
    await this.#make(hostile, folder);
    const began = performance.now();
    const answer = await this.#try({
      place: path.join(folder, 'repository'),
      target: path.join(folder, 'target'),
      secret: hostile.secret ?? secret,
      unfolds: hostile.expect === 'unfolds',
    });
    const durationMs = performance.now() - began;
    const fault = typeof answer === 'string' ? answer : (faultOf(hostile, answer) ?? escaped(folder));
    removeFolder(folder);
    return { name: hostile.name, fault, outcome: typeof answer === 'string' ? undefined : answer, durationMs };
  }

  async end(): Promise<void> {
    this.#engine?.kill();
  }

  async #make({ build }: HostileCase, folder: string): Promise<void> {
    const forge = await this.#forge.fork();
    await build(forge);
    for await (const { name } of forge.storage.list('')) {
      const file = path.join(folder, 'repository', name);
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, await forge.storage.get(name));
    }
    fs.mkdirSync(path.join(folder, 'target'));
    fs.mkdirSync(path.join(folder, 'beside'));
    fs.writeFileSync(path.join(folder, 'beside', 'canary'), canary);
  }

  /** The outcome, or what became of the process. */
  async #try(task: HostileTask): Promise<HostileOutcome | string> {
    const execArgv = ['--expose-gc', `--max-old-space-size=${hostileLimits.heapMiB}`];
    this.#engine ??= fork(path.join(import.meta.dirname, '_engine.ts'), {
      execArgv,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const engine = this.#engine;
    const patience = new AbortController();
    engine.send(task);
    const answer = await Promise.race([
      once(engine, 'message', { signal: patience.signal }).then(([outcome]) => outcome as HostileOutcome),
      once(engine, 'exit', { signal: patience.signal }).then(([code, signal]) => `the process ended: ${code ?? signal}`),
      setTimeout(hostileLimits.patienceMs, 'it never ended', { signal: patience.signal }),
    ]);
    patience.abort();
    if (typeof answer === 'string') {
      engine.kill('SIGKILL');
      this.#engine = undefined;
    }
    return answer;
  }
}

const canary = 'nobody writes here';

function faultOf({ expect }: HostileCase, { codes, strange, peakMiB, reads }: HostileOutcome): string | undefined {
  if (strange.length > 0) return `errors that are not ours: ${strange.join('\n')}`;
  if (peakMiB > hostileLimits.peakMiB) return `${peakMiB} MiB of memory`;
  if (reads > hostileLimits.reads) return `${reads} reads`;
  if (expect === 'harmless' || expect === 'unfolds') return undefined;
  const wanted: readonly string[] = typeof expect === 'string' ? [expect] : expect;
  if (codes.some(([, code]) => wanted.includes(code))) return undefined;
  return `expected ${wanted.join(' or ')}, got ${codes.map(([operation, code]) => `${operation}: ${code}`).join(', ') || 'no error'}`;
}

/** What was written beside the target. */
function escaped(folder: string): string | undefined {
  if (fs.existsSync(absolute)) return `${absolute} was made`;
  const names = fs.readdirSync(folder).sort().join();
  if (names !== 'beside,repository,target') return `beside the target is ${names}`;
  const beside = fs.readdirSync(path.join(folder, 'beside')).join();
  const content = fs.readFileSync(path.join(folder, 'beside', 'canary'), 'latin1');
  return beside === 'canary' && content === canary ? undefined : `the folder beside the target has ${beside}`;
}

/** Also what is deeper than a path can be long, or protected. */
function removeFolder(folder: string): void {
  const parent = openRoot(path.dirname(folder));
  removeTree(parent, Buffer.from(path.basename(folder)));
  closeDescriptor(parent);
}
