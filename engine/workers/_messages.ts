import type { SerializedError } from './serialized-error.ts';

/** What a thread is started with. */
export interface WorkerStart<Setup> {
  readonly setup: Setup;
  /** One 32-bit word: 1 once the pool stops. */
  readonly stopFlag: SharedArrayBuffer;
}

/** Posted to a thread: it ends when its jobs are done. */
export const endMessage = 'end';

export interface JobMessage<Job> {
  readonly number: number;
  readonly job: Job;
}

export type JobReply<Result> =
  | { readonly number: number; readonly result: Result }
  | { readonly number: number; readonly error: SerializedError };
