/** Threads that do jobs one after another: the pool of the main thread, and what a worker answers with. */
export { deserializeError, type SerializedError, serializeError } from './serialized-error.ts';
export { serveJobs, type WorkerContext } from './serve-jobs.ts';
export { WorkerPool, type WorkerPoolOptions } from './worker-pool.ts';
