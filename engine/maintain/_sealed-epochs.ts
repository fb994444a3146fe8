/** With which epoch each object is sealed: its header says so, in clear. Objects never change, so each is looked at once. */
import pLimit from 'p-limit';
import {
  isLaganError,
  type ObjectName,
  objectNames,
  type PackId,
  parseObjectName,
  parseSealedHeader,
  sealedLayout,
} from '../../repo-format/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { maintainLimits } from './_limits.ts';

/** Objects that are not sealed with an epoch. */
const unsealed: ReadonlySet<ObjectName['type']> = new Set(['format', 'key-slot', 'keyring']);

/** What is sealed with an old epoch, or cannot be told because its header is damaged. */
export interface OldObject {
  readonly name: string;
  readonly type: ObjectName['type'];
  /** Null: the header is damaged. */
  readonly epoch: number | null;
}

export class SealedEpochs {
  readonly #repository: Repository;
  readonly #limit = pLimit(maintainLimits.concurrentReads);
  /** Null where the header is damaged. */
  readonly #epochs = new Map<string, number | null>();

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  /** The packs that are sealed with an older epoch than the newest. What is gone or damaged is not among them. */
  async oldPacks(packs: Iterable<PackId>, options: CallOptions): Promise<ReadonlySet<PackId>> {
    const found = await this.#limit.map([...packs], async (pack) => {
      const epoch = await this.#epochOf(objectNames.pack(pack), options);
      return typeof epoch === 'number' && epoch < this.#repository.keys.newestEpoch ? [pack] : [];
    });
    return new Set(found.flat());
  }

  /** Everything in the store that is sealed with an older epoch than the newest. Codes: those of the storage. */
  async oldObjects(options: CallOptions): Promise<OldObject[]> {
    const sealed: { name: string; type: ObjectName['type'] }[] = [];
    for await (const { name } of this.#repository.storage.list('', options)) {
      const type = parseObjectName(name)?.type;
      if (type !== undefined && !unsealed.has(type)) sealed.push({ name, type });
    }
    const found = await this.#limit.map(sealed, async ({ name, type }): Promise<OldObject[]> => {
      const epoch = await this.#epochOf(name, options);
      const isNew = epoch === undefined || (epoch !== null && epoch >= this.#repository.keys.newestEpoch);
      return isNew ? [] : [{ name, type, epoch }];
    });
    return found.flat();
  }

  /** Undefined: it is gone. */
  async #epochOf(name: string, { signal }: CallOptions): Promise<number | null | undefined> {
    const known = this.#epochs.get(name);
    if (known !== undefined) return known;
    try {
      const header = await this.#repository.storage.get(name, { offset: 0, length: sealedLayout.headerSizeBytes }, { signal });
      const { epoch } = parseSealedHeader(header, {}, name);
      this.#epochs.set(name, epoch);
      return epoch;
    } catch (error) {
      if (isLaganError(error, 'not-found')) return undefined;
      if (!isLaganError(error, 'malformed') && !isLaganError(error, 'repository-too-new')) throw error;
      this.#epochs.set(name, null);
      return null;
    }
  }
}
