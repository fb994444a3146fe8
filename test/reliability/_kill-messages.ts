/** What the processes of a kill run print, one JSON a line, each written before or after the deed as its name says. */
import fs from 'node:fs';
import { flushCompileCache } from 'node:module';

export type KillMessage =
  /** Its modules are loaded: now its deeds begin. */
  | { readonly type: 'started' }
  /** The backup of that version of the source was acknowledged. */
  | { readonly type: 'acknowledged'; readonly id: string; readonly version: number }
  /** These are about to be forgotten: from now on they may be there or not. */
  | { readonly type: 'forgetting'; readonly ids: readonly string[] }
  | { readonly type: 'collected'; readonly collections: number }
  /** Something that must not be. */
  | { readonly type: 'fault'; readonly words: string };

/** By one call of the system, so that a kill leaves whole lines only. */
export function say(message: KillMessage): void {
  fs.writeSync(1, `${JSON.stringify(message)}\n`);
}

/** Says so, after the repository was opened once. What was compiled is stored first: who is killed stores nothing at its end, and the next one would compile it again. */
export function sayStarted(): void {
  flushCompileCache();
  say({ type: 'started' });
}

export interface ProcessTask {
  readonly repository: string;
  /** Of a writer: what it backs up. */
  readonly source?: string;
  readonly writer?: number;
  readonly firstVersion?: number;
}

export function taskOf(argument: string | undefined): ProcessTask {
  return JSON.parse(argument!) as ProcessTask;
}
