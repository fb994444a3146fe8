/** What the figures were taken on. */
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { dirname } from 'node:path';
import type { Machine } from './results.ts';

export function describeMachine(about: Pick<Machine, 'folder' | 'fileSystem' | 'meter'>): Machine {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    loadAtStart: loadavg()[0] ?? 0,
    commit: commitOfCheckout(),
    ...about,
  };
}

function commitOfCheckout(): string {
  const git = (...words: string[]) => spawnSync('git', ['-C', dirname(import.meta.dirname), ...words], { encoding: 'utf8' });
  const head = git('rev-parse', '--short=12', 'HEAD');
  if (head.status !== 0) return 'unknown';
  return head.stdout.trim() + (git('status', '--porcelain').stdout.trim() === '' ? '' : '+');
}
