/** A process of a kill run, and what it says. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { KillMessage, ProcessTask, Say } from './_kill-messages.ts';

export interface KillProcess {
  readonly started: Promise<void>;
  /** Its first deed is done. */
  readonly done: Promise<void>;
  readonly ended: Promise<void>;
  /** False: it had ended. */
  kill(): boolean;
}

/** Modules are compiled once for all processes, not anew for each. */
const compileCache = process.env.NODE_COMPILE_CACHE ?? path.join(import.meta.dirname, '../../node_modules/.cache/compile');

export function programEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, NODE_OPTIONS: '', NODE_COMPILE_CACHE: compileCache };
}

/** What it prints as an error is a fault. */
export function startProcess(role: 'writer' | 'collector' | 'caretaker', task: ProcessTask, hear: Say): KillProcess {
  const program = path.join(import.meta.dirname, `_kill-${role}.ts`);
  const child = spawn(process.execPath, [program, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: programEnvironment(),
  });
  const [ended, started, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  child.once('close', () => ended.resolve());
  createInterface({ input: child.stdout }).on('line', (line) => {
    const message = JSON.parse(line) as KillMessage;
    hear(message);
    if (message.type === 'started') started.resolve();
    else if (['acknowledged', 'collected', 'done'].includes(message.type)) done.resolve();
  });
  createInterface({ input: child.stderr }).on('line', (line) => hear({ type: 'fault', words: `${role}: ${line}` }));
  return { started: started.promise, done: done.promise, ended: ended.promise, kill: () => child.kill('SIGKILL') };
}
