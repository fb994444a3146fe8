/** Who restores into an empty volume: one at a time, though several may see it at once. Whoever is at it says so again and again; whoever says nothing for long has died. */
import { setTimeout } from 'node:timers/promises';
import { LaganError } from '../../engine/mod.ts';
import { type Mark, makeMark, readMark, removeMark, replaceMark } from './_mark.ts';
import { isFilled } from './filled.ts';
import type { VolumePlace } from './volume.ts';

export interface ClaimTimes {
  /** How often whoever restores says so. */
  readonly beatMs: number;
  /** Who has said nothing for so long has died. */
  readonly staleMs: number;
  /** How long it is waited before it is looked whether somebody else has claimed it at the same time. */
  readonly settleMs: number;
}

export const claimTimes: ClaimTimes = { beatMs: 10_000, staleMs: 60_000, settleMs: 1_000 };

export interface ClaimOptions {
  readonly snapshot: string;
  /** The same for who was killed and begins again, and for nobody else: the name of the pod. */
  readonly owner: string;
  readonly times?: ClaimTimes | undefined;
  /** Told if somebody else is at it, or was. */
  readonly onWait?: ((owner: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** `filled`: there is data that nobody is restoring. */
export async function claimVolume(place: VolumePlace, options: ClaimOptions): Promise<VolumeClaim | 'filled'> {
  const { snapshot, owner, times = claimTimes, signal } = options;
  for (;;) {
    signal?.throwIfAborted();
    const before = await readMark(place);
    if (before === null && (await isFilled(place, signal))) return 'filled';
    if (before !== null && before.owner !== owner && !(await isStale(place, before, options))) continue;
    const mark = { snapshot, owner, beat: (before?.beat ?? 0) + 1 };
    if (before !== null) await replaceMark(place, mark);
    else if (!(await makeMark(place, mark))) continue;
    if (before === null && place.kind === 'folder') return new VolumeClaim(place, { mark, before, times });
    await setTimeout(times.settleMs, undefined, { signal });
    if ((await readMark(place))?.owner === owner) return new VolumeClaim(place, { mark, before, times });
  }
}

/** False as soon as anything about the mark changes. By what is seen here: the clocks of two machines differ. */
async function isStale(place: VolumePlace, mark: Mark, { times = claimTimes, onWait, signal }: ClaimOptions): Promise<boolean> {
  onWait?.(mark.owner);
  const endMs = performance.now() + times.staleMs;
  while (performance.now() < endMs) {
    await setTimeout(Math.min(times.beatMs / 4, times.staleMs), undefined, { signal });
    const now = await readMark(place);
    if (now?.owner !== mark.owner || now.beat !== mark.beat) return false;
  }
  return true;
}

/** A volume that this process restores into. */
export class VolumeClaim {
  /** What was restored here before and has not come to its end. */
  readonly before: Mark | null;
  readonly #place: VolumePlace;
  readonly #lost = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #mark: Mark;
  #beating: Promise<void> = Promise.resolve();

  constructor(place: VolumePlace, { mark, before, times }: { mark: Mark; before: Mark | null; times: ClaimTimes }) {
    this.#place = place;
    this.#mark = mark;
    this.before = before;
    this.#timer = setInterval(() => {
      this.#beating = this.#beating.then(() => this.#beat()).catch(() => this.#lost.abort());
    }, times.beatMs).unref();
  }

  /** Aborted when somebody else has taken over, or nobody can know. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** All is there: the mark goes. `complete` writes what it stood in the place of. Code: half-restored, if somebody else has taken over. */
  async finish(complete: () => Promise<void> = async () => {}): Promise<void> {
    await this.leave();
    if (!(await this.#isOurs())) throw this.takenOver();
    await complete();
    if (this.#place.kind === 'folder') await removeMark(this.#place as VolumePlace & { kind: 'folder' });
  }

  /** The mark stays. */
  async leave(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
  }

  takenOver(): LaganError {
    return new LaganError('half-restored', `${this.#place.path}: somebody else has begun to restore into it`, { object: this.#place.path });
  }

  async #beat(): Promise<void> {
    if (!(await this.#isOurs())) return this.#lost.abort();
    this.#mark = { ...this.#mark, beat: this.#mark.beat + 1 };
    await replaceMark(this.#place, this.#mark);
  }

  async #isOurs(): Promise<boolean> {
    const found = await readMark(this.#place);
    return found?.owner === this.#mark.owner && found.beat === this.#mark.beat;
  }
}
