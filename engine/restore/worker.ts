/** What a thread of a restore runs. */
import { serveJobs } from '../workers/mod.ts';
import { beginRestoreWorker } from './_restore-worker.ts';

serveJobs(beginRestoreWorker);
