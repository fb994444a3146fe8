/** A backup in a process of its own: of another user, or one that is killed. Takes a JSON {@link ChildTask} as its argument, prints a JSON {@link ChildAnswer}. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import type { BackupLimits } from '../../../engine/backup/_limits.ts';
import { backupWithin } from '../../../engine/backup/backup.ts';
import { backupStreamWithin } from '../../../engine/backup/backup-stream.ts';
import type { BackupOptions } from '../../../engine/backup/mod.ts';
import { openRepository } from '../../../engine/repository/mod.ts';
import { type CreateOutcome, LocalFolder } from '../../../engine/storage/mod.ts';

export interface ChildTask {
  readonly repository: string;
  readonly source: string;
  readonly options?: Partial<BackupOptions>;
  readonly limits?: Partial<BackupLimits>;
  /** Kills itself when an object of such a name has been stored so often. */
  readonly killAfter?: { readonly name: string; readonly count: number };
  /** Instead of the source: so many bytes of a stream. */
  readonly streamBytes?: number;
}

export interface ChildAnswer {
  readonly errors: { path: string; code: string }[];
  readonly statistics: { files: number; unchangedFiles: number; newBytes: number };
  readonly peakMiB: number;
}

const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(9) } as const;

export function runChild(task: ChildTask, { uid }: { uid?: number } = {}): SpawnSyncReturns<string> & { answer?: ChildAnswer } {
  const env = { PATH: process.env.PATH!, HOME: '/' };
  const identity = uid === undefined ? {} : { uid, gid: uid };
  // Without the notes that the test runner has each Node write: another user may not, and they take memory.
  const words = ['-c', 'unset NODE_OPTIONS; exec "$@"', 'sh', process.execPath, '--expose-gc', import.meta.filename, JSON.stringify(task)];
  const child = spawnSync('/bin/sh', words, { encoding: 'utf8', env, cwd: '/', ...identity });
  return child.status === 0 ? { ...child, answer: JSON.parse(child.stdout) as ChildAnswer } : child;
}

/** Whether a child can be of this user: only root may make it so, and the user must be let to the program. */
export function canRunAs(uid: number): boolean {
  if (process.getuid!() !== 0) return false;
  return (
    spawnSync('/bin/sh', ['-c', 'test -r "$0" && test -x "$1"', import.meta.filename, process.execPath], { uid, gid: uid }).status === 0
  );
}

class KillingFolder extends LocalFolder {
  readonly #name: RegExp;
  #left: number;

  constructor(folder: string, { name, count }: { name: string; count: number }) {
    super(folder);
    this.#name = new RegExp(name);
    this.#left = count;
  }

  override async create(name: string, parts: readonly Uint8Array[]): Promise<CreateOutcome> {
    const outcome = await super.create(name, parts);
    if (this.#name.test(name) && --this.#left === 0) process.kill(process.pid, 'SIGKILL');
    return outcome;
  }
}

async function run({ repository: folder, source, options, limits = {}, killAfter, streamBytes }: ChildTask): Promise<ChildAnswer> {
  const storage = killAfter === undefined ? new LocalFolder(folder) : new KillingFolder(folder, killAfter);
  const repository = await openRepository(storage, { secret, mode: 'write' });
  const { errors, statistics } =
    streamBytes === undefined
      ? await backupWithin(repository, { paths: [source], workers: 2, ...options }, limits)
      : await backupStreamWithin(repository, { name: 'stream', stream: countedBytes(streamBytes) }, limits);
  return {
    errors: errors.map(({ path, code }) => ({ path: Buffer.from(path).toString(), code })),
    statistics,
    peakMiB: Math.round(process.resourceUsage().maxRSS / 1024),
  };
}

/** Bytes in which no two stretches are alike. */
export async function* countedBytes(size: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < size; offset += 65_536) {
    const piece = new Uint32Array(Math.ceil(Math.min(65_536, size - offset) / 4));
    for (let index = 0; index < piece.length; index++)
      piece[index] = Math.imul(offset + index + 1, 0x9e3779b1) ^ (Math.imul(offset ^ index, 0x85ebca6b) >>> 7);
    yield new Uint8Array(piece.buffer, 0, Math.min(65_536, size - offset));
  }
}

if (process.argv[1] === import.meta.filename) process.stdout.write(JSON.stringify(await run(JSON.parse(process.argv[2]!))));
