/** What the processes of a kill run print, one JSON a line, each written before or after the deed as its name says. */
import fs from 'node:fs';
import { flushCompileCache } from 'node:module';
import { isLaganError } from '../../repo-format/mod.ts';

/** What a caretaker does, one after another. */
export const deeds = ['repair', 'copy', 'mirror', 'rewrite', 'rotate', 'password'] as const;
export type Deed = (typeof deeds)[number];

export type KillMessage =
  /** Its modules are loaded: now its deeds begin. */
  | { readonly type: 'started' }
  /** The backup of that version of the source was acknowledged. */
  | { readonly type: 'acknowledged'; readonly id: string; readonly version: number }
  /** These are about to be forgotten: from now on they may be there or not. `origins`: what those were made of. */
  | { readonly type: 'forgetting'; readonly ids: readonly string[]; readonly origins: readonly string[] }
  | { readonly type: 'collected'; readonly collections: number }
  /** An index table is about to be deleted: packs may be unlisted until the next whole repair. */
  | { readonly type: 'losing'; readonly table: string }
  /** Something was ended by the lack of an object: a fault unless it is such a table. */
  | { readonly type: 'missing'; readonly object: string; readonly words: string }
  | { readonly type: 'repaired'; readonly listedPacks: number }
  /** A snapshot is about to be rewritten without files of that name: from now on it is there, or the new one. */
  | { readonly type: 'rewriting'; readonly id: string; readonly without: string }
  /** Null: it is as it was. */
  | { readonly type: 'rewritten'; readonly of: string; readonly id: string | null }
  /** A snapshot is in the second repository. */
  | { readonly type: 'copied'; readonly of: string; readonly id: string }
  /** All these are in the mirror. */
  | { readonly type: 'mirrored'; readonly ids: readonly string[] }
  /** A password is about to be replaced by the next one: from now on either may open the repository. */
  | { readonly type: 'changing'; readonly password: number }
  /** Only this one does. */
  | { readonly type: 'changed'; readonly password: number }
  | { readonly type: 'retired'; readonly epochs: number }
  /** A deed of the caretaker has ended whole. */
  | { readonly type: 'done'; readonly deed: Deed }
  /** Something is wrong with these snapshots: a fault unless they are being forgotten. */
  | { readonly type: 'unwell'; readonly ids: readonly string[]; readonly words: string }
  /** Something that must not be. */
  | { readonly type: 'fault'; readonly words: string };

export type Say = (message: KillMessage) => void;

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
  readonly care?: CareTask;
}

/** Of a caretaker. */
export interface CareTask {
  /** Of another repository with other keys. */
  readonly second: string;
  readonly mirror: string;
  /** What it does, again and again. */
  readonly deeds: readonly Deed[];
  readonly seed: number;
  /** Snapshots that it may rewrite. */
  readonly rewritable: readonly string[];
  /** What the caretaker before it was about to. */
  readonly rewriting: readonly { readonly id: string; readonly without: string }[];
  /** Those that may open the repository, the newest last. */
  readonly passwords: readonly number[];
}

export function taskOf(argument: string | undefined): ProcessTask {
  return JSON.parse(argument!) as ProcessTask;
}

/** What a deed was ended by. */
export function sayError(deed: string, error: unknown, say: Say): void {
  const words = `${deed}: ${wordsOf(error)}`;
  const isMissing = isLaganError(error, 'not-found') || isLaganError(error, 'object-missing');
  say(isMissing && error.object !== undefined ? { type: 'missing', object: error.object, words } : { type: 'fault', words });
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
