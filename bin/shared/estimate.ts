/**
 * How much a backup has before it, so that a terminal can show a share and the time left. A thread counts beside the backup; excludes are not
 * looked at, so that the estimate may be too high.
 */
import { Worker } from 'node:worker_threads';
import { threadModule } from '../../engine/program/mod.ts';

export interface EstimateRequest {
  readonly paths: readonly Uint8Array[];
  readonly oneFileSystem: boolean;
}

export interface Estimate {
  files: number;
  bytes: number;
}

/** Counts in the background. Returns what ends the counting. */
export function startEstimate(request: EstimateRequest, onEstimate: (estimate: Estimate) => void): () => void {
  const worker = new Worker(threadModule('bin/shared/estimate-worker'), { workerData: request });
  worker.unref();
  worker.on('message', onEstimate);
  worker.on('error', () => {});
  return () => void worker.terminate();
}
