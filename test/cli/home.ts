import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Outcome, type RunOptions, run, scratchFolder } from './cli.ts';
import { problems } from './schemas.ts';

/** A home folder with some data in `data`, in which commands run in this process. */
export class Home {
  readonly folder: string;
  readonly data: string;
  readonly env: Record<string, string>;

  constructor(t: Test) {
    this.folder = scratchFolder(t);
    this.data = join(this.folder, 'data');
    this.env = { HOME: this.folder };
    mkdirSync(this.data);
  }

  /** Where the first backup makes them. */
  get repository(): string {
    return join(this.folder, '.local/share/lagan/repository');
  }

  get keyFile(): string {
    return join(this.folder, '.config/lagan/repository.key');
  }

  write(path: string, content: string | Uint8Array): void {
    mkdirSync(join(this.data, path, '..'), { recursive: true });
    writeFileSync(join(this.data, path), content);
  }

  lagan(...argv: string[]): Promise<Outcome> {
    return this.laganWith({}, ...argv);
  }

  laganWith({ env, ...options }: RunOptions, ...argv: string[]): Promise<Outcome> {
    return run(argv, { cwd: this.folder, ...options, env: { ...this.env, ...env } });
  }

  /** With --json; every line must be as the schema says. */
  async json(t: Test, ...argv: string[]): Promise<Outcome> {
    const outcome = await this.lagan(...argv, '--json');
    for (const message of outcome.json) t.same(problems(argv[0]!, message), [], JSON.stringify(message));
    return outcome;
  }

  /** Names of the objects below a folder of the repository. */
  objects(below: string): string[] {
    return readdirSync(join(this.repository, below), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);
  }
}
