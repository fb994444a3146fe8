/** Threads, and workers that do jobs one after another: the pool of the main thread, and what a worker's module calls. */
export { deserializeError, type SerializedError, serializeError } from './serialized-error.ts';
export { endProcess, endThread, startThread } from './thread.ts';
export { type BeginWorker, serveJobs, type WorkerContext } from './worker.ts';
export { WorkerPool, type WorkerPoolOptions } from './worker-pool.ts';
