import { libc } from './_libc.ts';

/** Ends the process without asking anybody: no `exit` handler runs, no thread is waited for, and what pipes have not taken yet is lost. */
export function exitAtOnce(exitCode: number): never {
  libc._exit(exitCode);
  throw new Error('_exit(2) has returned');
}
