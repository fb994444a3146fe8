/**
 * What a copy costs: backs a folder up, then copies the snapshot to a repository that was made alike (blocks are sealed again), to one of its own (files are cut and compressed anew), and
 * mirrors the first one. Everything is on one file system, by default in memory, so that computing is what is measured. Each copy is in a process of its own.
 *
 * `node bench/copy.ts --data /usr/lib` (`--folder`: where the repositories are; about three times what the backup stores)
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { backup, copySnapshots, createRepository, listSnapshots, mirrorRepository, openRepository } from '../engine/mod.ts';
import { LocalFolder } from '../engine/storage/mod.ts';

const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(7) } as const;
const slots = [{ secret, label: 'bench' }];
const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    folder: { type: 'string', default: '/dev/shm' },
    step: { type: 'string' },
    place: { type: 'string' },
  },
});
const steps = ['backup', 'alike', 'of its own', 'mirror'] as const;
type Step = (typeof steps)[number];

if (values.step === undefined) compare();
else await measure(values.step as Step, values.place!);

function compare(): void {
  if (values.data === undefined) throw new RangeError('--data: name a folder to back up');
  const folder = mkdtempSync(join(values.folder, 'lagan-bench-copy-'));
  try {
    for (const step of steps) {
      const args = [fileURLToPath(import.meta.url), '--data', values.data, '--step', step, '--place', folder];
      const { status, stderr, stdout } = spawnSync(process.execPath, ['--expose-gc', ...args], { encoding: 'utf8' });
      if (status !== 0) throw new Error(stderr);
      process.stdout.write(stdout);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(step: Step, place: string): Promise<void> {
  const first = join(place, 'first');
  if (step === 'backup') {
    const repository = await createRepository(new LocalFolder(first), { slots, patienceMs: 0 });
    return timed(step, first, async () => (await backup(repository, { paths: [values.data!] })).statistics.bytes);
  }
  const source = await openRepository(new LocalFolder(first), { secret, mode: 'read' });
  const snapshots = await listSnapshots(source);
  const bytes = snapshots[0]!.snapshot.statistics.bytes;
  const target = join(place, step);
  if (step === 'mirror') {
    return timed(step, target, async () => {
      await mirrorRepository(source.storage, new LocalFolder(target), { repository: source });
      return bytes;
    });
  }
  mkdirSync(target);
  const repository = await createRepository(new LocalFolder(target), { slots, patienceMs: 0, like: step === 'alike' ? source : undefined });
  await timed(step, target, async () => {
    await copySnapshots(source, repository, { snapshots });
    return bytes;
  });
  await timed(`${step}, once more`, target, async () => {
    await copySnapshots(source, repository, { snapshots });
    return bytes;
  });
}

async function timed(what: string, folder: string, run: () => Promise<number>): Promise<void> {
  const [begin, cpu] = [performance.now(), process.cpuUsage()];
  const bytes = await run();
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const mib = (count: number) => (count / 2 ** 20).toFixed(0);
  const rate = mib(bytes / seconds);
  console.log(
    `${what}: ${mib(bytes)} MiB in ${seconds.toFixed(2)} s (${rate} MiB/s), ${((user + system) / 1e6).toFixed(2)} s of processor, ${mib(sizeOf(folder))} MiB stored`,
  );
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
