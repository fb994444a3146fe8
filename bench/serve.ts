/**
 * `node bench/serve.ts [FOLDER]`: how fast a backup goes through `lagan serve` on loopback, beside the same into the folder itself. Data and repositories are in
 * FOLDER (default: /dev/shm, so that no disk is measured; 3 GiB are needed). Runs what is built: `npm run build` first.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MiB = 1024 * 1024;
const dataBytes = 1024 * MiB;
const fileBytes = 16 * MiB;
const runs = 3;

const lagan = fileURLToPath(new URL('../bin/lagan', import.meta.url));
const folder = mkdtempSync(join(process.argv[2] ?? '/dev/shm', 'lagan-serve-'));
const env = { ...process.env, HOME: folder };
const ways = ['folder', 'https', 'http', 'stdio'] as const;
type Way = (typeof ways)[number];

try {
  makeData();
  const seconds = new Map<Way, number[]>(ways.map((way) => [way, []]));
  // In turn, so that what changes on the machine meets them all.
  for (let run = 0; run < runs; run++) for (const way of ways) seconds.get(way)!.push(await measure(way));
  for (const way of ways) report(way, seconds.get(way)!);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function makeData(): void {
  mkdirSync(join(folder, 'data'));
  for (let index = 0; index < dataBytes / fileBytes; index++) writeFileSync(join(folder, 'data', `${index}`), randomBytes(fileBytes));
}

/** Seconds of one backup into a new repository. */
async function measure(way: Way): Promise<number> {
  const [repository, key] = [join(folder, 'repository'), join(folder, 'key')];
  rmSync(repository, { recursive: true, force: true });
  rmSync(key, { force: true });
  run('init', '-r', repository, '--key-file', key);
  const { url, server } = await startServer(way, repository);
  const begun = performance.now();
  run('backup', join(folder, 'data'), '-r', url, '--key-file', key, '--no-cache', '-q');
  const seconds = (performance.now() - begun) / 1000;
  if (server !== undefined) await new Promise((resolve) => server.once('exit', resolve).kill('SIGTERM'));
  return seconds;
}

async function startServer(way: Way, repository: string): Promise<{ url: string; server?: ChildProcess }> {
  if (way === 'folder') return { url: repository };
  if (way === 'stdio') return { url: `exec:${lagan} serve --stdio --append-only --writer bench -r ${repository}` };
  const token = join(folder, 'token');
  spawnSync(lagan, ['serve', 'token', 'remove', 'bench'], { env });
  writeFileSync(token, run('serve', 'token', 'add', 'bench'));
  const plain = way === 'http' ? ['--plain-http'] : [];
  const server = spawn(lagan, ['serve', '-r', repository, '--append-only', '--json', '--listen', '127.0.0.1:0', ...plain], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>((resolve) => server.stdout.once('data', (bytes) => resolve(String(bytes).split('\n')[0]!)));
  server.stdout.resume();
  const { address, fingerprint } = JSON.parse(line) as { address: string; fingerprint: string | null };
  const pin = fingerprint === null ? '' : `&fingerprint=${fingerprint}`;
  return { url: `${way}://${address}/?token-file=${token}${pin}`, server };
}

function run(...argv: string[]): string {
  const { status, stdout, stderr } = spawnSync(lagan, argv, { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`lagan ${argv[0]}: ${stderr}`);
  return stdout;
}

function report(way: Way, seconds: readonly number[]): void {
  const best = Math.min(...seconds);
  const all = seconds.map((value) => value.toFixed(1)).join(', ');
  console.log(`${way.padEnd(8)} ${Math.round(dataBytes / MiB / best)} MiB/s at best (${all} s)`);
}
