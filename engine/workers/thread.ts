/**
 * Threads of this process, and its end while they are at work.
 *
 * No thread that calls native add-ons is ended from outside. `Worker.terminate`, and `process.exit` in the main thread, which does the same to all, aborts the whole process
 * (SIGABRT, "Error::ThrowAsJavaScriptException napi_throw") if the thread is inside a call of a native add-on just then; node-addon-api documents it.
 */
import { Worker } from 'node:worker_threads';
import { exitAtOnce } from '../system/mod.ts';

const living = new Set<Worker>();

/** Starts a thread. It ends by itself, or calls {@link endThread} once it is asked to. `youngGenerationMiB`: memory for young objects; large buffers are not among them. */
export function startThread(module: URL, workerData: unknown, options: { readonly youngGenerationMiB?: number } = {}): Worker {
  const { youngGenerationMiB } = options;
  const resourceLimits = youngGenerationMiB === undefined ? {} : { maxYoungGenerationSizeMb: youngGenerationMiB };
  const thread = new Worker(module, { workerData, resourceLimits });
  living.add(thread);
  thread.on('exit', () => living.delete(thread));
  return thread;
}

/** In a thread: ends it, whatever it waits for. To be called when no call of the system is under way, as in the handler of a message. */
export function endThread(): never {
  process.exit();
}

/**
 * Ends the process. If threads are at work, or something was broken off (`isBrokenOff`), it ends without waiting: a thread, of ours or of Node's own that read and write files, may hang in a
 * call of the system.
 */
export function endProcess(exitCode: number, { isBrokenOff = false }: { readonly isBrokenOff?: boolean } = {}): never {
  if (living.size > 0 || isBrokenOff) exitAtOnce(exitCode);
  process.exit(exitCode);
}
