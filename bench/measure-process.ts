/**
 * Starts one command, waits for it and prints what it used, as JSON. A process of its own, so that the memory of the benchmark itself
 * does not count and the exit status is not taken by Node's own handling of children.
 *
 * usage: node measure-process.ts < job.json      (the job: see MeasureJob; the result: see MeasuredProcess)
 *
 * Time and CPU are those of wait4(2): the command and every descendant that it waited for. Peak memory is that of the largest single
 * process. The kernel carries the peak of the parent over into a child that is spawned, so wait4 cannot tell less than this process has
 * itself; below that the high-water mark of the command is taken from /proc, looked at every few milliseconds.
 */
import { readFileSync } from 'node:fs';
import koffi from 'koffi';

export interface MeasureJob {
  /** The file, with its folder, and the arguments. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Takes stdout and stderr. */
  readonly logFile: string;
}

export interface MeasuredProcess {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakMemoryBytes: number;
  /** 0 to 255, or 128 and the number of the signal that ended it, as in a shell. */
  readonly exitCode: number;
}

const sampleIntervalMs = 5;

/** Sizes of opaque C structures, generously: glibc has 80, 336 and 128 bytes, musl no more. */
const [fileActionsBytes, attributesBytes, signalSetBytes] = [512, 1024, 256];
/** struct rusage of 64-bit Linux: two timevals of two 64-bit words each, then ru_maxrss in KiB. */
const usageBytes = 144;

const spawnSetSignalMask = 0x08;
const spawnSetSignalDefaults = 0x04;
const [openWriteOnly, openReadOnly] = [1, 0];

const library = koffi.load(null);
const libc = {
  fileActionsInit: library.func('int posix_spawn_file_actions_init(void *actions)'),
  fileActionsAddOpen: library.func(
    'int posix_spawn_file_actions_addopen(void *actions, int descriptor, const char *path, int flags, uint mode)',
  ),
  fileActionsAddDup2: library.func('int posix_spawn_file_actions_adddup2(void *actions, int from, int to)'),
  attributesInit: library.func('int posix_spawnattr_init(void *attributes)'),
  attributesSetFlags: library.func('int posix_spawnattr_setflags(void *attributes, short flags)'),
  attributesSetDefaults: library.func('int posix_spawnattr_setsigdefault(void *attributes, void *signals)'),
  attributesSetMask: library.func('int posix_spawnattr_setsigmask(void *attributes, void *signals)'),
  signalsEmpty: library.func('int sigemptyset(void *signals)'),
  signalsFill: library.func('int sigfillset(void *signals)'),
  spawn: library.func('int posix_spawn(_Out_ int *pid, const char *path, void *actions, void *attributes, char **argv, char **envp)'),
  wait4: library.func('int wait4(int pid, _Out_ int *status, int options, void *usage)'),
};

if (import.meta.main) process.stdout.write(JSON.stringify(await measureCommand(JSON.parse(readFileSync(0, 'utf8')))));

async function measureCommand(job: MeasureJob): Promise<MeasuredProcess> {
  const [actions, attributes] = [fileActions(job.logFile), spawnAttributes()];
  const environment = Object.entries(job.environment).map(([name, value]) => `${name}=${value}`);
  const ownPeakBytes = highWaterMark('self');
  const pid: [number] = [0];

  const start = process.hrtime.bigint();
  const error = libc.spawn(pid, job.command[0], actions, attributes, [...job.command, null], [...environment, null]) as number;
  if (error !== 0) throw new Error(`cannot start ${job.command[0]}: error ${error} of posix_spawn`);
  let sampledPeakBytes = 0;
  const sampler = setInterval(() => {
    sampledPeakBytes = Math.max(sampledPeakBytes, highWaterMark(pid[0]));
  }, sampleIntervalMs);
  const { status, usage } = await waitFor(pid[0]);
  const end = process.hrtime.bigint();
  clearInterval(sampler);

  const largestBytes = Number(usage.readBigInt64LE(32)) * 1024;
  return {
    wallSeconds: Number(end - start) / 1e9,
    cpuSeconds: timeAt(usage, 0) + timeAt(usage, 16),
    peakMemoryBytes: largestBytes > ownPeakBytes ? largestBytes : sampledPeakBytes,
    exitCode: exitCodeOf(status),
  };
}

/** wait4 on another thread: this one goes on sampling. */
function waitFor(pid: number): Promise<{ status: number; usage: Buffer }> {
  const status: [number] = [0];
  const usage = Buffer.alloc(usageBytes);
  return new Promise((resolve, reject) => {
    libc.wait4.async(pid, status, 0, usage, (error: Error | null, result: number) => {
      if (error) reject(error);
      else if (result !== pid) reject(new Error(`wait4 for process ${pid} gave ${result}`));
      else resolve({ status: status[0], usage });
    });
  });
}

function fileActions(logFile: string): Buffer {
  const actions = Buffer.alloc(fileActionsBytes);
  libc.fileActionsInit(actions);
  libc.fileActionsAddOpen(actions, 0, '/dev/null', openReadOnly, 0);
  libc.fileActionsAddOpen(actions, 1, logFile, openWriteOnly, 0);
  libc.fileActionsAddDup2(actions, 1, 2);
  return actions;
}

/** Signals as a shell leaves them: Node ignores SIGPIPE, and a child would inherit that. */
function spawnAttributes(): Buffer {
  const [attributes, signals] = [Buffer.alloc(attributesBytes), Buffer.alloc(signalSetBytes)];
  libc.attributesInit(attributes);
  libc.signalsEmpty(signals);
  libc.attributesSetMask(attributes, signals);
  libc.signalsFill(signals);
  libc.attributesSetDefaults(attributes, signals);
  libc.attributesSetFlags(attributes, spawnSetSignalDefaults | spawnSetSignalMask);
  return attributes;
}

/** Peak resident bytes of a process that runs; 0 if it has ended. */
function highWaterMark(pid: number | 'self'): number {
  try {
    return Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function timeAt(usage: Buffer, offset: number): number {
  return Number(usage.readBigInt64LE(offset)) + Number(usage.readBigInt64LE(offset + 8)) / 1e6;
}

function exitCodeOf(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}
