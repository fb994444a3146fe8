/** A worker of a check: verifies packs, one after another, in the order in which they were posted. */
import { parentPort, workerData } from 'node:worker_threads';
import { LaganError } from '../../repo-format/mod.ts';
import { attachRepository } from '../repository/mod.ts';
import type { WorkerJob, WorkerReply, WorkerSetup } from './_messages.ts';
import { createVerifier } from './_pack-verifier.ts';

const port = parentPort!;
const setup = workerData as WorkerSetup;
const verifier = createVerifier(attachRepository(setup.repository), setup.kernelModule);

let working: Promise<void> = Promise.resolve();
port.on('message', (job: WorkerJob) => {
  working = working.then(() => run(job));
});

async function run({ pack, kind }: WorkerJob): Promise<void> {
  try {
    reply({ type: 'done', report: await verifier.verify(pack, kind) });
  } catch (error) {
    const { code, object } = error instanceof LaganError ? error : { code: undefined, object: undefined };
    reply({ type: 'failed', code, message: error instanceof Error ? error.message : String(error), object });
  }
}

function reply(message: WorkerReply): void {
  port.postMessage(message);
}
