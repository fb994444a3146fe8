/** Starts versitygw, an S3 server, on the loopback interface: from LAGAN_TEST_VERSITYGW, from .ci/tools/bin, where .ci/run installs it, or from PATH. */
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('../../..', import.meta.url));
export const noServer = 'no versitygw: go install github.com/versity/versitygw/cmd/versitygw@latest with GOBIN=.ci/tools/bin';
const startTimeoutMs = 20_000;

export interface S3Server {
  readonly pid: number;
  readonly port: number;
  readonly endpoint: string;
  /** Of the AWS_ variables. */
  readonly environment: Readonly<Record<string, string>>;
  makeBucket(name: string): void;
  stop(): Promise<void>;
}

/** The program; undefined if there is none. */
export function findVersitygw(): string | undefined {
  const named = process.env.LAGAN_TEST_VERSITYGW;
  const folders = [path.join(project, '.ci/tools/bin'), ...(process.env.PATH ?? '').split(':').filter(path.isAbsolute)];
  const candidates = [...(named ? [named] : []), ...folders.map((folder) => path.join(folder, 'versitygw'))];
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Starts the server with its buckets in `folder`, which must be on a file system with extended attributes. `versions`: buckets can keep them; `accounts`: there can be others than the root. */
export async function startVersitygw(
  program: string,
  folder: string,
  { versions = false, accounts = false }: { readonly versions?: boolean; readonly accounts?: boolean } = {},
): Promise<S3Server> {
  const port = await freePort();
  const environment = { AWS_ACCESS_KEY_ID: 'tester', AWS_SECRET_ACCESS_KEY: 'secret of the tests', AWS_REGION: 'us-east-1' };
  const root = { ROOT_ACCESS_KEY: environment.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: environment.AWS_SECRET_ACCESS_KEY };
  const data = path.join(folder, 'buckets');
  mkdirSync(data, { recursive: true });
  const old = path.join(folder, 'versions');
  mkdirSync(old, { recursive: true });
  const versioning = versions ? ['--versioning-dir', old] : [];
  const iam = path.join(folder, 'iam');
  mkdirSync(iam, { recursive: true });
  const users = accounts ? ['--iam-dir', iam] : [];
  const server = spawn(program, ['--port', `127.0.0.1:${port}`, '--quiet', ...users, 'posix', ...versioning, data], {
    env: { PATH: process.env.PATH, HOME: folder, ...root },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let words = '';
  server.stderr.on('data', (chunk) => {
    words = (words + chunk).slice(-4000);
  });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const stop = async () => {
    server.kill('SIGKILL');
    await ended;
  };
  for (const end = Date.now() + startTimeoutMs; !(await listens(port)); ) {
    if (Date.now() > end || server.exitCode !== null) {
      await stop();
      throw new Error(`versitygw did not start: ${words}`);
    }
    await sleep(50);
  }
  return {
    pid: server.pid!,
    port,
    endpoint: `http://127.0.0.1:${port}`,
    environment,
    makeBucket: (name) => mkdirSync(path.join(data, name)),
    stop,
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.setTimeout(1000, () => socket.destroy());
    socket.once('connect', () => socket.end());
  });
}
