/** A worker of a check: verifies packs, one after another, in the order in which they were posted. */
import { attachRepository } from '../repository/mod.ts';
import { serveJobs } from '../workers/mod.ts';
import type { PackToRead, WorkerSetup } from './_data-reader.ts';
import { createVerifier, type PackReport } from './_pack-verifier.ts';

serveJobs<WorkerSetup, PackToRead, PackReport>(({ setup, isStopping }) => {
  const verifier = createVerifier(attachRepository(setup.repository), setup.kernelModule);
  return ({ id, kind }) => verifier.verify(id, kind, { isStopping });
});
