/** Changes inputs, and keeps those that run new code, to change them further. */
import type { Coverage } from './_coverage.ts';
import { Chance, mutated } from './_mutate.ts';
import type { FuzzTarget } from './_targets.ts';

export interface Input {
  readonly target: FuzzTarget;
  readonly bytes: Uint8Array;
}

export interface Finding extends Input {
  readonly error: Error;
}

export interface FuzzerOptions {
  readonly targets: readonly FuzzTarget[];
  readonly coverage: Coverage;
  readonly seed: number;
  /** Told of each input that runs new code. */
  readonly onNew: (input: Input) => void;
  readonly onFinding: (finding: Finding) => void;
}

/** Looked at together: reading the coverage takes longer than many decoders. */
const batchLimits = { inputs: 2048, cpuMs: 100 } as const;
/** All memory of the process. Inputs have at most some KiB, and nothing that they claim may be taken before it is there. */
export const memoryLimitBytes = 1024 * 1024 * 1024;
const patienceCpuMs = 10_000;

export class Fuzzer {
  executions = 0;
  /** Inputs that ran something new, by the container of their target. */
  readonly #pools: readonly (readonly [container: string, inputs: Input[]])[];
  readonly #options: FuzzerOptions;
  readonly #chance: Chance;

  constructor(options: FuzzerOptions, kept: readonly Input[]) {
    this.#options = options;
    this.#chance = new Chance(options.seed);
    const seeds = options.targets.map((target) => ({ target, bytes: target.seed }));
    const pools = Map.groupBy([...seeds, ...kept], ({ target }) => target.name.split('/')[0]!);
    this.#pools = [...pools];
  }

  get inputs(): number {
    return this.#pools.reduce((sum, [, pool]) => sum + pool.length, 0);
  }

  /** Runs what is known, so that only what is new is told of. */
  begin(): void {
    for (const [container, pool] of this.#pools) {
      for (const input of pool) this.#run(input);
      this.#options.coverage.foundNew(container);
    }
  }

  /** One batch, of one container. */
  step(): void {
    const [container, pool] = this.#chance.of(this.#pools);
    const batch: Input[] = [];
    const end = cpuMs() + batchLimits.cpuMs;
    while (batch.length < batchLimits.inputs && cpuMs() < end) {
      const input = this.#change(pool);
      this.#run(input);
      batch.push(input);
    }
    if (this.#options.coverage.foundNew(container)) this.#keepNew(batch, container, pool);
    const { rss } = process.memoryUsage();
    if (rss > memoryLimitBytes) this.#options.onFinding({ ...batch.at(-1)!, error: new Error(`${rss} bytes of memory`) });
  }

  #change(pool: readonly Input[]): Input {
    // Half of the time one of the latest: what comes after the code that was just reached.
    const recent = pool.slice(-8);
    const { target, bytes } = this.#chance.of(this.#chance.below(2) === 0 ? recent : pool);
    return { target, bytes: mutated(bytes, this.#chance, this.#chance.of(pool).bytes) };
  }

  /** One after another, as if the batch had not been: each input that runs something new stays. */
  #keepNew(batch: readonly Input[], container: string, pool: Input[]): void {
    const met = this.#options.coverage.newAmong(
      container,
      batch.map((input) => () => this.#run(input)),
    );
    for (const index of met) {
      pool.push(batch[index]!);
      this.#options.onNew(batch[index]!);
    }
  }

  #run(input: Input): void {
    this.executions++;
    const began = cpuMs();
    try {
      input.target.run(input.bytes);
    } catch (error) {
      this.#options.onFinding({ ...input, error: error as Error });
    }
    const durationMs = cpuMs() - began;
    if (durationMs > patienceCpuMs) this.#options.onFinding({ ...input, error: new Error(`${Math.round(durationMs)} ms`) });
  }
}

/** Of this process: the machine may be busy. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
