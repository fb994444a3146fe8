/**
 * Which process of which machine made a temporary file, and whether it may still live.
 *
 * A process id alone tells little: it is used again after a while, after a reboot, and in other containers and machines that share the
 * folder. So a name carries machine, boot, pid namespace, pid and the start time of the process.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { errnoOf } from './_file-calls.ts';

/** All fields are lower-case letters and digits; '0' stands for what the system does not tell. */
export interface ProcessIdentity {
  /** Host name and machine id, hashed. */
  readonly machine: string;
  readonly boot: string;
  readonly namespace: string;
  readonly pid: string;
  /** Clock ticks between boot and start of the process. */
  readonly started: string;
}

/** `unknown`: another machine or container, or one that does not tell. */
export type Fate = 'alive' | 'dead' | 'dead-since-reboot' | 'unknown';

const identityPattern = /^([0-9a-f]{8})-([0-9a-f]+)-([0-9]+)-([0-9]+)-([0-9]+)-[0-9a-f]{16}$/;
let own: ProcessIdentity | undefined;

/** The identity of this process; the same in all its threads. */
export function ownIdentity(): ProcessIdentity {
  own ??= {
    machine: shortHash(`${hostname()}\n${readText('/etc/machine-id')}`),
    boot: readText('/proc/sys/kernel/random/boot_id').replaceAll('-', '').slice(0, 12) || '0',
    namespace: readLink('/proc/self/ns/pid').replace(/\D/g, '') || '0',
    pid: String(process.pid),
    started: startOf('self') ?? '0',
  };
  return own;
}

/** What the names of all temporary files of this process begin with. */
export function ownNamePrefix(): string {
  const { machine, boot, namespace, pid, started } = ownIdentity();
  return `${machine}-${boot}-${namespace}-${pid}-${started}-`;
}

export function newTemporaryName(): string {
  return ownNamePrefix() + randomBytes(8).toString('hex');
}

/** What became of the process that made a file of that name, judged by a process `observer` (this one). */
export function fateOfMaker(name: string, observer: ProcessIdentity = ownIdentity()): Fate {
  const [, machine, boot, namespace, pid, started] = identityPattern.exec(name) ?? [];
  if (pid === undefined || started === undefined) return 'unknown';
  if (machine === observer.machine && boot !== observer.boot && boot !== '0' && observer.boot !== '0') return 'dead-since-reboot';
  if (boot !== observer.boot || boot === '0' || namespace !== observer.namespace || namespace === '0') return 'unknown';
  return isRunning(pid, started) ? 'alive' : 'dead';
}

function isRunning(pid: string, started: string): boolean {
  const startedNow = startOf(pid);
  if (startedNow !== undefined && started !== '0') return startedNow === started;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}

/** Field 22 of /proc/<pid>/stat; the second field, the program's name in parentheses, may hold anything. */
function startOf(pid: string): string | undefined {
  const text = readText(`/proc/${pid}/stat`);
  const started = text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  return started !== undefined && /^[0-9]+$/.test(started) ? started : undefined;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
