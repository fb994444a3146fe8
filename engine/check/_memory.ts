import type { LaganError, PackId } from '../../repo-format/mod.ts';
import { isLaganError } from '../../repo-format/mod.ts';
import { type Repository, storeVerification } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { checkLimits } from './_limits.ts';

/**
 * Remembers in the repository which packs were verified, now and then and at the end: a check that is killed loses the last minutes only. Where the credentials or the disk do not allow
 * it, nothing is remembered.
 */
export class VerificationMemory {
  /** Packs that are remembered. */
  remembered = 0;
  /** Why some are not. */
  error: LaganError | undefined;
  readonly #repository: Repository;
  #packs: PackId[] = [];
  #storedAt = performance.now();
  #storing: Promise<void> = Promise.resolve();

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  add(pack: PackId): void {
    if (this.error !== undefined) return;
    this.#packs.push(pack);
    const { rememberedPacks, rememberIntervalMs } = checkLimits;
    if (this.#packs.length >= rememberedPacks || performance.now() - this.#storedAt >= rememberIntervalMs) void this.flush();
  }

  /** Stores what is not remembered yet. Never rejects: see {@link error}. */
  flush(options: CallOptions = {}): Promise<void> {
    const packs = this.#packs;
    this.#packs = [];
    this.#storedAt = performance.now();
    if (packs.length > 0) this.#storing = this.#storing.then(() => this.#store(packs, options));
    return this.#storing;
  }

  async #store(packs: readonly PackId[], options: CallOptions): Promise<void> {
    if (this.error !== undefined) return;
    try {
      await storeVerification(this.#repository, packs, options);
      this.remembered += packs.length;
    } catch (error) {
      if (!isLaganError(error)) throw error;
      this.error = error;
    }
  }
}
