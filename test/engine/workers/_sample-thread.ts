/** What the threads of the tests run. */
import { serveJobs } from '../../../engine/workers/mod.ts';
import { beginSample } from './_sample-worker.ts';

serveJobs(beginSample);
