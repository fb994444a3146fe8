/**
 * How much a backup has before it, so that a terminal can show a share and the time left. A thread counts beside the backup; excludes are not
 * looked at, so that the estimate may be too high.
 */
import { threadModule } from '../../engine/program/mod.ts';
import { startThread } from '../../engine/workers/mod.ts';

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
  const worker = startThread(threadModule('bin/shared/estimate-worker'), request);
  worker.unref();
  worker.on('message', onEstimate);
  worker.on('error', () => {});
  // It calls no native add-on, so that it may be ended from outside.
  return () => void worker.terminate();
}
