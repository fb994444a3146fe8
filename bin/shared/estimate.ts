/**
 * How much a backup has before it, so that a terminal can show a share and the time left. A thread counts beside the backup; excludes are not
 * looked at, so that the estimate may be too high.
 */
import { Worker } from 'node:worker_threads';

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
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./estimate-worker.${extension}`, import.meta.url), { workerData: request });
  worker.unref();
  worker.on('message', onEstimate);
  worker.on('error', () => {});
  return () => void worker.terminate();
}
