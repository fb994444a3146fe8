import { Counter, Gauge, Registry } from 'prom-client';
import type { VolumeIdentity } from '../volumes/mod.ts';

/** What became of one backup of a volume. `partial`: some files could not be read. */
export type VolumeOutcome =
  | { readonly result: 'success' | 'partial'; readonly seconds: number; readonly bytes: number; readonly newBytes: number }
  | { readonly result: 'failure'; readonly seconds: number };

const labelNames = ['namespace', 'claim', 'workload', 'volume'] as const;
type Labels = Record<(typeof labelNames)[number], string>;

/** Figures of volumes for Prometheus: times in seconds since 1970, durations in seconds, sizes in bytes. */
export class VolumeMetrics {
  readonly #registry = new Registry();
  readonly #attempts = this.#counter('lagan_volume_backup_attempts_total', 'Backups of the volume, by how they ended.');
  readonly #lastSuccess = this.#gauge('lagan_volume_backup_last_success_timestamp_seconds', 'When the newest good backup was made.');
  readonly #duration = this.#gauge('lagan_volume_backup_duration_seconds', 'How long the last backup took.');
  readonly #size = this.#gauge('lagan_volume_backup_size_bytes', 'What the volume held at its last backup.');
  readonly #added = this.#gauge('lagan_volume_backup_new_bytes', 'What of that was new to the repository.');
  readonly #nextRun = this.#gauge(
    'lagan_volume_backup_next_timestamp_seconds',
    'When the next backup, or the next attempt after a failure, is due.',
  );

  /** A backup that was made before this process began. */
  known(identity: VolumeIdentity, timeMs: number): void {
    this.#lastSuccess.set(labelsOf(identity), timeMs / 1000);
  }

  ended(identity: VolumeIdentity, outcome: VolumeOutcome): void {
    const labels = labelsOf(identity);
    this.#attempts.inc({ ...labels, result: outcome.result });
    this.#duration.set(labels, outcome.seconds);
    if (outcome.result === 'failure') return;
    this.#size.set(labels, outcome.bytes);
    this.#added.set(labels, outcome.newBytes);
    // What could not be read is missing in it.
    if (outcome.result === 'success') this.#lastSuccess.set(labels, Date.now() / 1000);
  }

  dueAt(identity: VolumeIdentity, timeMs: number): void {
    this.#nextRun.set(labelsOf(identity), timeMs / 1000);
  }

  /** In the text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #gauge(name: string, help: string): Gauge<keyof Labels> {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }

  #counter(name: string, help: string): Counter<keyof Labels | 'result'> {
    return new Counter({ name, help, labelNames: [...labelNames, 'result'], registers: [this.#registry] });
  }
}

function labelsOf({ namespace, claim, workload, volume }: VolumeIdentity): Labels {
  return { namespace, claim: claim?.name ?? '', workload: workload ?? '', volume: volume ?? '' };
}
