/** `lagan serve` in a process of its own, which is killed and started again at the same port. */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { type Role, TokenFile } from '../../engine/serve/mod.ts';
import { type KillPlace, localPlace } from './_kill-places.ts';
import { programEnvironment } from './_kill-process.ts';

const program = path.join(import.meta.dirname, '../../bin/main.ts');

/** A repository behind a server: writers have the rights of writers, all others all rights. The other repository and the mirror are folders. */
export async function servedPlace(folder: string): Promise<KillPlace> {
  const local = localPlace(folder);
  fs.mkdirSync(local.repository);
  const server = new KilledServer(local.repository, path.join(folder, 'state'));
  await server.start();
  return {
    ...local,
    repository: server.urlOf('owner', ['owner', 'collector', 'writer']),
    writerRepository: server.urlOf('writer', ['writer']),
    server,
    end: () => server.kill(),
  };
}

class KilledServer {
  readonly #place: string;
  readonly #state: string;
  #child: ChildProcess | undefined;
  #address = '127.0.0.1:0';
  #fingerprint = '';

  constructor(place: string, state: string) {
    this.#place = place;
    this.#state = state;
    fs.mkdirSync(state);
  }

  /** The URL for somebody new. */
  urlOf(name: string, roles: readonly Role[]): string {
    const token = new TokenFile(path.join(this.#state, 'tokens.json')).add({ name, roles, repository: [], quota: {} });
    const file = path.join(this.#state, `${name}.token`);
    fs.writeFileSync(file, token);
    return `https://${this.#address}/?fingerprint=${this.#fingerprint}&token-file=${file}`;
  }

  async killAndStart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async kill(): Promise<void> {
    const child = this.#child!;
    const ended = new Promise((resolve) => child.once('close', resolve));
    if (child.kill('SIGKILL')) await ended;
  }

  /** Resolves when it serves. */
  async start(): Promise<void> {
    const argv = ['serve', '-r', this.#place, '--state', this.#state, '--listen', this.#address, '--json'];
    const child = spawn(process.execPath, [program, ...argv], { stdio: ['ignore', 'pipe', 'pipe'], env: programEnvironment() });
    this.#child = child;
    let words = '';
    child.stderr.on('data', (piece) => {
      words += piece;
    });
    await new Promise<void>((resolve, reject) => {
      // Later lines tell of requests: they are read, so that the server can go on, and passed over.
      createInterface({ input: child.stdout }).on('line', (line) => {
        const { type, address, fingerprint } = JSON.parse(line) as Record<string, string>;
        if (type !== 'serving') return;
        [this.#address, this.#fingerprint] = [address!, fingerprint!];
        resolve();
      });
      child.once('close', () => reject(new Error(`the server ended: ${words}`)));
    });
  }
}
