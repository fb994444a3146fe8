/**
 * Packs that damage reports or the root call lost: what the store itself says of them. A request that fails says nothing, and neither does a listing: a pack is gone if the listing
 * does not show it and a request says that it is not there; it is damaged if it was read and did not open. Source: spec/root.md, ROOT-24 to ROOT-28; docs/decisions/021-lost-chunks.md.
 */
import pLimit from 'p-limit';
import {
  isLaganError,
  type LaganError,
  objectNames,
  type PackId,
  type PackKind,
  parseSealedHeader,
  type Root,
  sealedLayout,
} from '../../repo-format/mod.ts';
import { isDamage, VerifiedBlocks } from '../packs/mod.ts';
import { type LostPacks, listDamageReports, type Repository, readLostPacks, type StoredReport } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { maintainLimits } from './_limits.ts';

export interface Losses {
  /** What the root calls lost. */
  readonly before: LostPacks;
  readonly reports: readonly StoredReport[];
  /** Packs that are gone or damaged, with the names of the chunks in damaged blocks; null: nothing can be read of it. */
  readonly lost: ReadonlyMap<PackId, readonly Uint8Array[] | null>;
  /** Of which nothing could be learned now. */
  readonly unknown: ReadonlySet<PackId>;
  /** There, and good. */
  readonly sound: ReadonlySet<PackId>;
  /** Left for the next collection, because so many are reported or lost: as long as there are some, nothing may be doomed. Some of them may be in `lost`, too. */
  readonly unasked: ReadonlySet<PackId>;
}

export const noLosses: Losses = {
  before: new Map(),
  reports: [],
  lost: new Map(),
  unknown: new Set(),
  sound: new Set(),
  unasked: new Set(),
};

/** Packs that may not be relied on. */
export function doubted({ lost, unknown }: Pick<Losses, 'lost' | 'unknown'>): Set<PackId> {
  return new Set([...lost.keys(), ...unknown]);
}

/** Whether a root is to call other packs lost than before. */
export function hasNews({ before, lost, sound }: Losses): boolean {
  return [...lost.keys()].some((pack) => !before.has(pack)) || [...before.keys()].some((pack) => sound.has(pack));
}

/** Of it what the root calls lost already, and lacks chunks of: some may be back. Undefined if there is nothing to look for. */
export function lackingBefore(losses: Losses): Losses | undefined {
  const lost = new Map([...losses.lost].filter(([pack]) => (losses.before.get(pack)?.length ?? 0) > 0));
  return lost.size === 0 ? undefined : { ...noLosses, before: losses.before, lost };
}

export interface LossOptions extends CallOptions {
  /** Lists the packs in the store; is called if one is to be asked for. */
  readonly listPresent: () => Promise<ReadonlyMap<PackId, number>>;
  /** Is told of reports that are damaged: they report nothing. */
  readonly onDamage: (error: LaganError) => void;
}

/** Codes: object-missing and not-found (another collector was faster), interrupted, and those of listings. */
export async function askForLosses(repository: Repository, root: Root, { listPresent, onDamage, signal }: LossOptions): Promise<Losses> {
  const [reports, before] = await Promise.all([
    listDamageReports(repository, { onDamage, signal }),
    readLostPacks(repository, root, { signal }),
  ]);
  // What is called lost already comes last: its report has gone.
  const asked = [...new Set([...reports.flatMap(packsOf).filter((pack) => !before.has(pack)), ...before.keys()])];
  if (asked.length === 0) return { ...noLosses, reports };
  const present = await listPresent();
  const unasked = new Set(asked.filter((pack) => present.has(pack)).slice(maintainLimits.askedPacks));
  const store = new AskedStore(repository, signal);
  const lost = new Map<PackId, readonly Uint8Array[] | null>();
  const [unknown, sound] = [new Set<PackId>(), new Set<PackId>()];
  const ask = async (pack: PackId): Promise<void> => {
    const answer = await store.ask(pack, { isListed: present.has(pack), missing: before.get(pack) });
    if (answer === 'sound') sound.add(pack);
    else if (answer === 'unknown') unknown.add(pack);
    else lost.set(pack, answer);
  };
  await pLimit(maintainLimits.concurrentReads).map(
    asked.filter((pack) => !present.has(pack)),
    ask,
  );
  // One after another: each is read whole.
  for (const pack of asked) if (present.has(pack) && !unasked.has(pack)) await ask(pack);
  for (const pack of [...lost.keys(), ...unknown].filter((one) => !before.has(one)).slice(maintainLimits.newlyLostPacks)) unasked.add(pack);
  return { before, reports, lost, unknown, sound, unasked };
}

/** The packs that a report names. */
export function packsOf({ value }: StoredReport): PackId[] {
  return value.findings.flatMap(({ pack }) => pack ?? []);
}

type Answer = 'sound' | 'unknown' | readonly Uint8Array[] | null;

class AskedStore {
  readonly #repository: Repository;
  readonly #signal: AbortSignal | undefined;
  #blocks: VerifiedBlocks | undefined;

  constructor(repository: Repository, signal: AbortSignal | undefined) {
    this.#repository = repository;
    this.#signal = signal;
  }

  /** `missing`: if the root calls the pack lost, those of its chunks that are not back. Where all are, it need not be read again to stay on the list. */
  async ask(pack: PackId, { isListed, missing }: { isListed: boolean; missing: readonly Uint8Array[] | undefined }): Promise<Answer> {
    try {
      const kind = await this.#kindOf(pack);
      if (!isListed) return 'unknown';
      return missing?.length === 0 ? [] : await this.#verify(pack, kind);
    } catch (error) {
      if (!isLaganError(error) || error.code === 'interrupted') throw error;
      if (error.code === 'not-found') return isListed ? 'unknown' : null;
      return isDamage(error) && error.code !== 'pack-missing' ? null : 'unknown';
    }
  }

  async #kindOf(pack: PackId): Promise<PackKind> {
    const name = objectNames.pack(pack);
    const header = await this.#repository.storage.get(name, { offset: 0, length: sealedLayout.headerSizeBytes }, { signal: this.#signal });
    return parseSealedHeader(header, {}, name).kind as PackKind;
  }

  /** Reads every block, and computes the names of its chunks anew. */
  async #verify(pack: PackId, kind: PackKind): Promise<Answer> {
    this.#blocks ??= new VerifiedBlocks({ ...this.#repository, openPacks: maintainLimits.openPacks });
    const open = await this.#blocks.open(pack, kind);
    const damaged: Uint8Array[] = [];
    for (const [number, { names }] of open.blocks.entries()) {
      if (!(await this.#isGood(this.#blocks, { open, number })))
        for (let at = 0; at < names.length; at += 32) damaged.push(names.slice(at, at + 32));
    }
    return damaged.length === 0 ? 'sound' : damaged;
  }

  async #isGood(
    blocks: VerifiedBlocks,
    { open, number }: { open: Awaited<ReturnType<VerifiedBlocks['open']>>; number: number },
  ): Promise<boolean> {
    try {
      for await (const _ of blocks.read(open, [number])) return true;
      return false;
    } catch (error) {
      if (isDamage(error) && error.code !== 'pack-missing') return false;
      throw error;
    }
  }
}
