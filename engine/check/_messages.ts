/** What the main thread and the workers of a check say to each other. */
import type { PackId, PackKind } from '../../repo-format/mod.ts';
import type { RepositoryDescription } from '../repository/mod.ts';
import type { PackReport } from './_pack-verifier.ts';

export interface WorkerSetup {
  readonly repository: RepositoryDescription;
  readonly kernelModule: WebAssembly.Module;
}

/** A pack to be verified. */
export interface WorkerJob {
  readonly pack: PackId;
  readonly kind: PackKind;
}

export type WorkerReply =
  | { readonly type: 'done'; readonly report: PackReport }
  /** Not damage: the check cannot go on. */
  | { readonly type: 'failed'; readonly code: string | undefined; readonly message: string; readonly object: string | undefined };
