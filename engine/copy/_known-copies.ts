import { compareTimes, type ObjectId } from '../../repo-format/mod.ts';
import { copiedFrom, type Repository, type SnapshotInfo, type SnapshotPlace } from '../repository/mod.ts';

/** A snapshot of the source and its copy in the target. */
export interface KnownCopy {
  readonly source: SnapshotInfo;
  readonly target: SnapshotInfo;
}

/** Which snapshots of the source are in the target: as copies, copies of the same, or as what they were copied of. */
export class KnownCopies {
  readonly #sourceId: ObjectId;
  readonly #targetId: ObjectId;
  readonly #targets = new Map<string, SnapshotInfo>();
  readonly #copies: KnownCopy[] = [];

  constructor(parts: {
    source: Repository;
    target: Repository;
    sourceSnapshots: readonly SnapshotInfo[];
    targetSnapshots: readonly SnapshotInfo[];
  }) {
    this.#sourceId = parts.source.id;
    this.#targetId = parts.target.id;
    for (const info of parts.targetSnapshots) this.#addTarget(info);
    for (const source of parts.sourceSnapshots) {
      const target = this.find(source);
      if (target !== undefined) this.#copies.push({ source, target });
    }
  }

  find(source: SnapshotInfo): SnapshotInfo | undefined {
    for (const place of placesOf(this.#sourceId, source)) {
      const found = this.#targets.get(keyOf(place));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  add(source: SnapshotInfo, target: SnapshotInfo): void {
    this.#addTarget(target);
    this.#copies.push({ source, target });
  }

  /** What a copy may say that it is a copy of: all that the snapshot is one of, and itself. */
  placesOf(source: SnapshotInfo): SnapshotPlace[] {
    return placesOf(this.#sourceId, source);
  }

  /** The copy that has most in common with a snapshot, probably: of the same source, the last one before it, or else the first one after. */
  nearest({ snapshot }: SnapshotInfo): KnownCopy | undefined {
    const alike = this.#copies
      .filter(({ source }) => source.snapshot.source === snapshot.source)
      .sort((a, b) => compareStarted(a.source, b.source));
    const after = alike.findIndex(({ source }) => compareStarted(source, { snapshot }) > 0);
    return after < 0 ? alike.at(-1) : alike[Math.max(0, after - 1)];
  }

  #addTarget(info: SnapshotInfo): void {
    for (const place of placesOf(this.#targetId, info)) this.#targets.set(keyOf(place), info);
  }
}

function placesOf(repository: ObjectId, { id, snapshot }: SnapshotInfo): SnapshotPlace[] {
  return [...copiedFrom(snapshot), { repository, snapshot: id }];
}

function keyOf({ repository, snapshot }: SnapshotPlace): string {
  return `${repository}/${snapshot}`;
}

function compareStarted({ snapshot: a }: Pick<SnapshotInfo, 'snapshot'>, { snapshot: b }: Pick<SnapshotInfo, 'snapshot'>): number {
  return compareTimes(a.started, b.started);
}
