import type { LaganError } from '../../repo-format/mod.ts';
import type { MetadataLoss } from '../system/mod.ts';
import type { JobResult, LinkedOutcome, PartFault, PartLoss } from './_messages.ts';
import type { LossKind } from './options.ts';

/** Which entry something is said of: its name, and the number of its part in the job. */
export interface Subject {
  readonly part: number;
  readonly name: Uint8Array;
}

/** Gathers what a job did, until {@link take}. */
export class JobReport {
  files = 0;
  others = 0;
  skipped = 0;
  verified = 0;
  bytes = 0;
  filesDone = 0;
  bytesDone = 0;
  #faults: PartFault[] = [];
  #losses = new Map<LossKind, PartLoss & { count: number }>();
  #linked: LinkedOutcome[] = [];

  fault({ part, name }: Subject, error: LaganError): void {
    const { code, message, object, errno } = error;
    this.#faults.push({
      part,
      name: ownBytes(name),
      code,
      message,
      object: errno === undefined ? object : undefined,
      errno,
      isNote: false,
    });
  }

  /** The backup could not read all of a file. */
  incomplete({ part, name }: Subject, { code, message }: { code: string; message: string }): void {
    const isNote = code === 'longer';
    this.#faults.push({ part, name: ownBytes(name), code: 'incomplete', message: `it is incomplete in the snapshot: ${message}`, isNote });
  }

  loss({ part, name }: Subject, kind: LossKind, reason: string): void {
    const known = this.#losses.get(kind);
    if (known === undefined) this.#losses.set(kind, { kind, count: 1, reason, part, name: ownBytes(name) });
    else known.count++;
  }

  /** Each kind counts once for an entry. */
  metadataLosses(subject: Subject, losses: readonly MetadataLoss[]): void {
    for (const [index, { kind, errno }] of losses.entries()) {
      if (losses.findIndex((loss) => loss.kind === kind) === index) this.loss(subject, kind, errno);
    }
  }

  linked(outcome: LinkedOutcome): void {
    this.#linked.push(outcome);
  }

  take(): JobResult {
    const { files, others, skipped, verified, bytes, filesDone, bytesDone } = this;
    const result = {
      files,
      others,
      skipped,
      verified,
      bytes,
      filesDone,
      bytesDone,
      faults: this.#faults,
      losses: [...this.#losses.values()],
      linked: this.#linked,
    };
    this.files = this.others = this.skipped = this.verified = this.bytes = this.filesDone = this.bytesDone = 0;
    this.#faults = [];
    this.#losses = new Map();
    this.#linked = [];
    return result;
  }
}

/** Names are views into whole nodes, which messages need not carry along. */
function ownBytes(name: Uint8Array): Uint8Array {
  return name.slice();
}
