/**
 * Counts requests and bytes of lagan, kopia and restic with a repository in a bucket, far away: an S3 server on this machine (versitygw) behind a proxy that adds a latency to each
 * request and has the bandwidth of a line. For each step: the requests, how many of them one after another, bytes sent and received, and time.
 *
 *   node bench/requests.ts                        100,000 tiny files: first backup, unchanged backup, list, restore
 *   node bench/requests.ts --link                 a first backup of 2 GiB, and how much of it the line was busy, beside the S3 client library alone
 *   node bench/requests.ts --link --mebibytes 512 --megabits 200 --latency 250
 *                                                 the same at a fifth of the speed, for a machine that is busy with other things
 *   node bench/requests.ts --files 5000 --tools lagan,restic --latency 20 --megabits 200
 *
 * --verbose tells of each step which requests there were. Tools are found on PATH; lagan is a package made from this checkout, or what --lagan names. The server is found as the tests do (test/engine/storage/s3-server.ts).
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LatencyProxy } from '../test/engine/storage/latency-proxy.ts';
import { findVersitygw, noServer, type S3Server, startVersitygw } from '../test/engine/storage/s3-server.ts';
import type { DataSet } from './data-sets/data-set.ts';
import { randomSet } from './data-sets/random.ts';
import { tinySet } from './data-sets/tiny.ts';
import * as format from './format.ts';
import { makeLaganPackage } from './lagan-package.ts';
import { describeMachine } from './machine.ts';
import { chooseMeter, type Meter } from './measure.ts';
import { findProgram } from './programs.ts';
import { baseEnvironment } from './scenarios.ts';
import { BenchError } from './scratch.ts';
import { type S3ToolCommands, type S3ToolName, s3Tools } from './tools-on-s3.ts';

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '100000' },
    tools: { type: 'string', default: 'lagan,kopia,restic' },
    latency: { type: 'string', default: '50' },
    megabits: { type: 'string', default: '1000' },
    link: { type: 'boolean', default: false },
    runs: { type: 'string', default: '3' },
    mebibytes: { type: 'string', default: '2048' },
    verbose: { type: 'boolean', default: false },
    folder: { type: 'string', default: '/dev/shm' },
    lagan: { type: 'string' },
  },
});

interface Step {
  readonly name: string;
  readonly arguments: readonly string[];
  readonly withoutCache?: boolean;
}

interface Figures {
  readonly requests: number;
  readonly chain: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
}

let madeProgram: string | undefined;
const folder = mkdtempSync(join(values.folder, 'lagan-requests-'));
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
try {
  await main();
} catch (error) {
  if (!(error instanceof BenchError)) throw error;
  process.stderr.write(`error: ${error.message}\n`);
  process.exitCode = 2;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const program = findVersitygw();
  if (program === undefined) throw new BenchError(noServer);
  const server = await startVersitygw(program, join(folder, 'server'));
  const bitsPerSecond = Number(values.megabits) * 1e6;
  const proxy = await new LatencyProxy(server.port, { latencyMs: Number(values.latency), bitsPerSecond }).start();
  try {
    for (const name of ['home', 'temporary', 'source']) mkdirSync(join(folder, name));
    const { meter } = await chooseMeter({ folder, signal: stop.signal });
    const dataSet = values.link
      ? randomSet({ sizeBytes: Number(values.mebibytes) * 2 ** 20 })
      : tinySet({ fileCount: Number(values.files) });
    const measuring = { server, proxy, meter, dataSet };
    await makeData(dataSet);
    tellConditions();
    if (values.link) await measureLink(measuring, bitsPerSecond);
    else await compareTools(measuring);
  } finally {
    await proxy.stop();
    await server.stop();
  }
}

interface Measuring {
  readonly server: S3Server;
  readonly proxy: LatencyProxy;
  readonly meter: Meter;
  readonly dataSet: DataSet;
}

async function makeData(dataSet: DataSet): Promise<void> {
  const { description, files, bytes } = await dataSet.make(join(folder, 'source'));
  say(`${description}; ${format.count(files)} files, ${format.megabytes(bytes)} MB`);
}

function tellConditions(): void {
  const { processor, cores, loadAtStart, commit } = describeMachine({ folder, fileSystem: '', meter: '' });
  say(`${processor}, ${cores} cores, load ${loadAtStart.toFixed(1)}; commit ${commit}; ${values.latency} ms, ${values.megabits} Mbit/s\n`);
}

/** A table for docs/performance.md. */
async function compareTools(measuring: Measuring): Promise<void> {
  const names = values.tools.split(',') as S3ToolName[];
  say('|  | tool | requests | one after another | MB sent | MB received | s |\n| --- | --- | --- | --- | --- | --- | --- |');
  const rows: { step: string; line: string }[] = [];
  for (const name of names) {
    if (!(name in s3Tools)) throw new BenchError(`--tools: '${name}' is none of ${Object.keys(s3Tools).join(', ')}`);
    const { commands, run } = prepare(name, measuring);
    for (const line of commands.init) await run(line);
    const steps: Step[] = [
      { name: 'first backup', arguments: commands.backup },
      { name: 'unchanged, backed up again', arguments: commands.backup },
      { name: 'the same without a cache', arguments: commands.backup, withoutCache: true },
      { name: 'snapshots listed', arguments: commands.list },
      { name: 'restored without a cache', arguments: commands.restore(join(folder, 'target')), withoutCache: true },
    ];
    for (const step of steps) {
      if (step.withoutCache) await clearCache(commands, run);
      const { requests, chain, sentBytes, receivedBytes, wallSeconds } = await run(step.arguments);
      const cells = [requests, chain, format.megabytes(sentBytes), format.megabytes(receivedBytes), format.seconds(wallSeconds)];
      rows.push({ step: step.name, line: `| ${step.name} | ${name} | ${cells.join(' | ')} |` });
      process.stderr.write(`${rows.at(-1)!.line}\n`);
    }
    rmSync(join(folder, 'target'), { recursive: true, force: true });
  }
  for (const step of new Set(rows.map((row) => row.step))) for (const row of rows) if (row.step === step) say(row.line);
}

/**
 * How busy a first backup keeps the line, from the start of the process to its end: beside the S3 client library alone, which computes nothing, in turns, and the other tools once.
 * The middle one of the runs counts.
 */
async function measureLink(measuring: Measuring, bitsPerSecond: number): Promise<void> {
  const others = values.tools.split(',').filter((name) => name !== 'lagan') as S3ToolName[];
  const rows: { name: string; figures: LinkFigures }[] = [];
  for (let round = 0; round < Number(values.runs); round++) {
    for (const name of ['client alone', 'lagan', ...(round === 0 ? others : [])] as const) {
      const figures = await uploadOnce(name as S3ToolName | 'client alone', { measuring, round, bitsPerSecond });
      rows.push({ name, figures });
      process.stderr.write(`${linkRow(name, figures)}\n`);
    }
  }
  say('|  | MB sent | s | of the line | of it while packs were sent | CPU s: tool, server, proxy |\n| --- | --- | --- | --- | --- | --- |');
  const middles = new Map<string, LinkFigures>();
  for (const name of new Set(rows.map((row) => row.name))) {
    const sorted = rows.filter((row) => row.name === name).sort((left, right) => left.figures.busy - right.figures.busy);
    middles.set(name, sorted[Math.floor(sorted.length / 2)]!.figures);
    say(linkRow(name, middles.get(name)!));
  }
  const [lagan, limit] = ['lagan', 'client alone'].map((name) => middles.get(name)!);
  say(
    `\nlagan: ${percent(lagan!.busy / limit!.busy)} of what the client alone reaches, ${percent(lagan!.busyWhileSending / limit!.busyWhileSending)} while packs are sent`,
  );
}

interface LinkFigures extends Figures {
  /** Shares of the line: of all the time, and from the first byte of an object's body to the last answer to one. */
  readonly busy: number;
  readonly busyWhileSending: number;
  readonly otherCpuSeconds: readonly [server: number, proxy: number];
}

function linkRow(name: string, { sentBytes, wallSeconds, busy, busyWhileSending, cpuSeconds, otherCpuSeconds }: LinkFigures): string {
  const cpu = [cpuSeconds, ...otherCpuSeconds].map((seconds) => format.seconds(seconds)).join(', ');
  return `| ${[name, format.megabytes(sentBytes), format.seconds(wallSeconds), percent(busy), percent(busyWhileSending), cpu].join(' | ')} |`;
}

async function uploadOnce(
  name: S3ToolName | 'client alone',
  { measuring, round, bitsPerSecond }: { measuring: Measuring; round: number; bitsPerSecond: number },
): Promise<LinkFigures> {
  const { proxy, server } = measuring;
  const bucket = `${name.replace(' ', '-')}-${round}`;
  const { commands, run } = name === 'client alone' ? preparePlain(measuring, bucket) : prepare(name, measuring, bucket);
  for (const line of commands.init) await run(line);
  const before = { proxy: process.cpuUsage(), server: cpuSecondsOf(server.pid) };
  const figures = await run(commands.backup);
  const { user, system } = process.cpuUsage(before.proxy);
  const uploads = proxy.log.requests.filter(({ what, sentBytes }) => what.startsWith('P') && sentBytes > 2 ** 20);
  const end = uploads.reduce((latest, { ended }) => Math.max(latest, ended ?? 0), 0);
  const busySeconds = (figures.sentBytes * 8) / bitsPerSecond;
  rmSync(join(folder, 'server', 'buckets', bucket), { recursive: true, force: true });
  return {
    ...figures,
    busy: busySeconds / figures.wallSeconds,
    busyWhileSending: busySeconds / ((end - Math.min(...uploads.map(({ begun }) => begun))) / 1000),
    otherCpuSeconds: [cpuSecondsOf(server.pid) - before.server, (user + system) / 1e6],
  };
}

/** The S3 client library alone: plain-upload.ts. */
function preparePlain(measuring: Measuring, bucket: string) {
  const program = fileURLToPath(new URL('plain-upload.ts', import.meta.url));
  measuring.server.makeBucket(bucket);
  const backup = [program, measuring.proxy.endpoint, bucket, String(Number(values.mebibytes) * 2 ** 20)];
  const run = runner({ name: 'client alone', program: process.execPath, environment: {}, place: folder }, measuring);
  return { commands: { init: [] as string[][], backup }, run };
}

function prepare(name: S3ToolName, measuring: Measuring, bucket: string = name) {
  const { server, proxy } = measuring;
  const place = join(folder, bucket);
  mkdirSync(place);
  server.makeBucket(bucket);
  const { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey } = server.environment as Record<string, string>;
  const source = join(folder, 'source');
  const commands = s3Tools[name]({
    endpoint: proxy.endpoint,
    bucket,
    accessKey: accessKey!,
    secretKey: secretKey!,
    folder: place,
    source,
  });
  const program = name === 'lagan' ? locateLagan() : findProgram(name);
  if (program === undefined) throw new BenchError(`no ${name} on PATH`);
  return { commands, run: runner({ name, program, environment: commands.environment, place }, measuring) };
}

interface Program {
  readonly name: string;
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Its working folder. */
  readonly place: string;
}

/** What runs a program, and counts what it sends meanwhile. */
function runner({ name, program, environment, place }: Program, { server, proxy, meter }: Measuring) {
  const whole = { ...baseEnvironment(folder), ...server.environment, ...environment };
  return async (line: readonly string[]): Promise<Figures> => {
    proxy.log.clear();
    const { exitCode, lastWords, wallSeconds, cpuSeconds } = await meter({ program, arguments: line, environment: whole, folder: place });
    if (exitCode !== 0) throw new BenchError(`${name} ${line.join(' ')} ended with ${exitCode}: ${lastWords}`);
    const { requests, longestChain, sentBytes, receivedBytes } = proxy.log;
    if (values.verbose) process.stderr.write(`${name} ${line.join(' ')}: ${proxy.log.summary}\n`);
    return { requests: requests.length, chain: longestChain.length, sentBytes, receivedBytes, wallSeconds, cpuSeconds };
  };
}

async function clearCache({ cacheFolder, clearCache }: S3ToolCommands, run: (line: readonly string[]) => Promise<Figures>): Promise<void> {
  if (cacheFolder !== undefined) rmSync(cacheFolder, { recursive: true, force: true });
  if (clearCache !== undefined) await run(clearCache);
}

function locateLagan(): string {
  if (values.lagan !== undefined) return resolve(values.lagan);
  if (madeProgram !== undefined) return madeProgram;
  const made = makeLaganPackage(join(folder, 'lagan-package'));
  if ('problem' in made) throw new BenchError(made.problem);
  madeProgram = made.program;
  return madeProgram;
}

/** By the kernel's account, in hundredths of a second. */
function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
