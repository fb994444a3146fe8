import { createHash, type Hash } from 'node:crypto';
import { equalBytes, isLaganError, LaganError } from '../../repo-format/mod.ts';
import { isDamage } from '../packs/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { mirrorLimits } from './_limits.ts';
import type { ListedObject } from './_listing.ts';
import { checkEnds, headSizeBytes, isSegmented, openSmall, openStored, tailSizeBytes } from './_object-checks.ts';

export interface ObjectCopierParts {
  readonly source: Storage;
  readonly target: Storage;
  readonly repositoryId: Uint8Array;
  readonly repository: Repository | undefined;
  readonly verify: boolean;
  readonly signal: AbortSignal | undefined;
}

/** An object that the source has, but not as it should be. */
export class DamagedSource extends Error {
  readonly damage: LaganError;

  constructor(damage: LaganError) {
    super(damage.message, { cause: damage });
    this.damage = damage;
  }
}

/** Copies objects as they are, and looks at them before and after. */
export class ObjectCopier {
  readonly #parts: ObjectCopierParts;

  constructor(parts: ObjectCopierParts) {
    this.#parts = parts;
  }

  /**
   * `vanished`: it was deleted since it was listed. `useless`: somebody stored it with a key that was forgotten before. `present`: it is there already. Throws {@link DamagedSource}. Codes: io (the target does not have what it was sent), and those of
   * both stores.
   */
  async copy(object: ListedObject): Promise<'copied' | 'present' | 'vanished' | 'useless'> {
    const { source, target, repository, signal } = this.#parts;
    const { name, sizeBytes } = object;
    const isSmall = sizeBytes <= mirrorLimits.pieceBytes;
    try {
      const first = await source.get(name, { offset: 0, length: Math.min(sizeBytes, mirrorLimits.pieceBytes) }, { signal });
      const last = isSmall ? first : await source.get(name, { last: tailSizeBytes }, { signal });
      this.#check(object, { first, last, isSmall });
      const hash = createHash('sha256');
      const outcome = isSmall ? await target.create(name, [hashed(hash, first)], { signal }) : await this.#copyLarge(object, first, hash);
      if (outcome === 'exists') return 'present';
      await this.#checkStored(object, last, hash.digest());
      return 'copied';
    } catch (error) {
      if (isLaganError(error, 'not-found') && error.object === name) return 'vanished';
      if (error instanceof DamagedSource && repository?.keys.isTooLate(error.damage)) return 'useless';
      throw error;
    }
  }

  #check(object: ListedObject, { first, last, isSmall }: { first: Uint8Array; last: Uint8Array; isSmall: boolean }): void {
    const { repositoryId, repository } = this.#parts;
    try {
      checkEnds(object, { repositoryId, first: first.subarray(0, headSizeBytes), last });
      if (isSmall && repository !== undefined) openSmall(object, first, repository);
    } catch (error) {
      throw isDamage(error) ? new DamagedSource(error) : error;
    }
  }

  async #copyLarge({ name, sizeBytes }: ListedObject, first: Uint8Array, hash: Hash): Promise<'created' | 'exists'> {
    const { source, target, signal } = this.#parts;
    const writer = await target.createWriter(name, { signal });
    try {
      await writer.append([hashed(hash, first)]);
      for (let offset = first.length; offset < sizeBytes; offset += mirrorLimits.pieceBytes) {
        const length = Math.min(mirrorLimits.pieceBytes, sizeBytes - offset);
        await writer.append([hashed(hash, await source.get(name, { offset, length }, { signal }))]);
      }
      return await writer.commit();
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  /** What the target has now is what was sent. If it is not, it is deleted again. */
  async #checkStored(object: ListedObject, last: Uint8Array, digest: Uint8Array): Promise<void> {
    const { target, repository, verify, signal } = this.#parts;
    const { name, sizeBytes } = object;
    try {
      const end = await target.getEnd(name, Math.min(tailSizeBytes, sizeBytes), { signal });
      if (end.objectSizeBytes !== sizeBytes || !equalBytes(end.bytes, last.subarray(-end.bytes.length)))
        throw notAsSent(name, sizeBytes, end.objectSizeBytes);
      if (verify && !equalBytes(await this.#hashOf(object), digest)) throw notAsSent(name, sizeBytes, sizeBytes);
      if (repository !== undefined && isSegmented(object.parsed)) await openStored(target, object, { repository, whole: verify, signal });
    } catch (error) {
      if (!isDamage(error) && !isLaganError(error, 'io')) throw error;
      await target.delete([name]);
      // What was sent has just the bytes of the source: then the source is damaged.
      if (isDamage(error)) throw new DamagedSource(error);
      throw error;
    }
  }

  async #hashOf({ name, sizeBytes }: ListedObject): Promise<Uint8Array> {
    const hash = createHash('sha256');
    for (let offset = 0; offset < sizeBytes; offset += mirrorLimits.pieceBytes) {
      const length = Math.min(mirrorLimits.pieceBytes, sizeBytes - offset);
      hash.update(await this.#parts.target.get(name, { offset, length }, { signal: this.#parts.signal }));
    }
    return hash.digest();
  }
}

function hashed(hash: Hash, bytes: Uint8Array): Uint8Array {
  hash.update(bytes);
  return bytes;
}

function notAsSent(name: string, expected: number, found: number): LaganError {
  return new LaganError('io', `${name} was copied, but the mirror does not have what it was sent`, {
    object: name,
    expected,
    found,
    hint: 'the store of the mirror, or the way to it, changes data; what was wrong was deleted there',
  });
}
