/** Real servers for the tests, on loopback: each is found if it is there, and ends with the test. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Test } from 'tap';
import { freePort } from './line.ts';

const startTimeoutMs = 60_000;

export interface Azurite {
  readonly port: number;
  readonly account: string;
  readonly key: string;
}

/** Where azurite is installed, or why its tests are skipped. */
export function findAzurite(): { file: string } | { skip: string } {
  try {
    return { file: path.join(path.dirname(createRequire(import.meta.url).resolve('azurite/package.json')), 'dist/src/blob/main.js') };
  } catch {
    return { skip: 'azurite is not installed: npm ci' };
  }
}

export async function startAzurite(t: Test, file: string): Promise<Azurite> {
  const [port, account, key] = [await freePort(), 'lagantest', randomBytes(32).toString('base64')];
  const folder = scratchFolder(t);
  const options = [
    '--blobHost',
    '127.0.0.1',
    '--blobPort',
    String(port),
    '--location',
    folder,
    '--skipApiVersionCheck',
    '--disableTelemetry',
  ];
  const server = spawn(process.execPath, [file, '--silent', ...options], {
    stdio: 'ignore',
    env: { ...process.env, AZURITE_ACCOUNTS: `${account}:${key}` },
  });
  await untilListening(t, server, port);
  return { port, account, key };
}

/** Google's interface as github.com/fsouza/fake-gcs-server speaks it. */
export function findFakeGcs(): { file: string } | { skip: string } {
  const folders = ['.ci/tools/bin', path.join(process.env.GOPATH ?? path.join(os.userInfo().homedir, 'go'), 'bin')];
  const file = findProgram('fake-gcs-server', folders);
  return file === undefined
    ? { skip: 'fake-gcs-server is not there: GOBIN=$PWD/.ci/tools/bin go install github.com/fsouza/fake-gcs-server@v1.56.1' }
    : { file };
}

export async function startFakeGcs(t: Test, file: string): Promise<{ port: number }> {
  const port = await freePort();
  const options = ['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port), '-backend', 'memory', '-log-level', 'error'];
  const server = spawn(file, [...options, '-public-host', `127.0.0.1:${port}`], { stdio: 'ignore' });
  await untilListening(t, server, port);
  return { port };
}

export interface Sshd {
  readonly port: number;
  readonly user: string;
  /** A home with a key that the server lets in, and with the server's key in known_hosts. */
  readonly home: string;
  /** The line of known_hosts for the server, without its host. */
  readonly hostKey: string;
}

export function findSshd(): { file: string } | { skip: string } {
  const file = findProgram('sshd', ['/usr/sbin', '/usr/local/sbin']);
  return file === undefined ? { skip: 'sshd is not there: apt-get install openssh-server' } : { file };
}

/** `options` are further lines of sshd_config. */
export async function startSshd(t: Test, file: string, options: readonly string[] = []): Promise<Sshd> {
  const [port, folder, { username: user, uid }] = [await freePort(), scratchFolder(t), os.userInfo()];
  const home = path.join(folder, 'home');
  fs.mkdirSync(path.join(home, '.ssh'), { recursive: true, mode: 0o700 });
  // Debian's start script does so; without it sshd refuses to start for root.
  if (uid === 0) fs.mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  for (const key of [path.join(folder, 'host'), path.join(home, '.ssh/id_ed25519')]) makeSshKey(key);
  fs.copyFileSync(path.join(home, '.ssh/id_ed25519.pub'), path.join(folder, 'authorized'));
  const configuration = path.join(folder, 'sshd_config');
  fs.writeFileSync(
    configuration,
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${folder}/host`,
      `AuthorizedKeysFile ${folder}/authorized`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin prohibit-password',
      'MaxStartups 100',
      'Subsystem sftp internal-sftp',
      ...options,
    ].join('\n'),
  );
  const server = spawn(file, ['-D', '-e', '-f', configuration], { stdio: 'ignore' });
  await untilListening(t, server, port);
  const hostKey = fs.readFileSync(path.join(folder, 'host.pub'), 'utf8').split(' ').slice(0, 2).join(' ');
  fs.writeFileSync(path.join(home, '.ssh/known_hosts'), `[127.0.0.1]:${port} ${hostKey}\n`);
  return { port, user, home, hostKey };
}

export function makeSshKey(file: string): void {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
}

/** The port of a server that answers all requests alike. */
export async function serverThatAnswers(
  t: Test,
  { status, headers = {}, body = '' }: { status: number; headers?: Record<string, string>; body?: string },
): Promise<number> {
  const server = http.createServer((request, response) => {
    request.resume();
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as net.AddressInfo).port;
}

/** Short and outside of the sources, because sshd and tap do not agree on the rights of folders. */
export function scratchFolder(t: Test): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'lagan-server-'));
  t.teardown(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function findProgram(name: string, furtherFolders: readonly string[]): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':'), ...furtherFolders];
  return folders.map((folder) => path.join(folder, name)).find((file) => fs.existsSync(file));
}

async function untilListening(t: Test, server: ChildProcess, port: number): Promise<void> {
  t.teardown(async () => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    await ended;
  });
  for (const deadline = Date.now() + startTimeoutMs; !(await canConnect(port)); await setTimeout(50)) {
    if (server.exitCode !== null) throw new Error(`${server.spawnfile} ended with ${server.exitCode}`);
    if (Date.now() > deadline) throw new Error(`${server.spawnfile} does not listen`);
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
