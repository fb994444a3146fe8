/** The keys of an opened repository. They stay in memory, in one thread or in several, and are never written. */
import {
  deriveKey,
  type Grants,
  isLaganError,
  type Keyring,
  LaganError,
  namingKeysOf,
  type ObjectKind,
  usesDataKey,
} from '../../repo-format/mod.ts';

interface EpochKeys {
  readonly epoch: number;
  /** Null where only metadata is granted. */
  readonly dataKey: Uint8Array | null;
  readonly metadataKey: Uint8Array;
}

/** A key ring as plain values, which can be posted to another thread. */
export interface PlainKeyRing {
  readonly repositoryId: Uint8Array;
  readonly grants: Grants;
  readonly newestEpoch: number;
  readonly epochs: readonly EpochKeys[];
  readonly nameKey: Uint8Array | null;
  readonly cutKey: Uint8Array | null;
  readonly metadataNameKey: Uint8Array;
}

/**
 * Keys by epoch and purpose, each 32 bytes. Whoever asks for a key that the ring does not grant gets LaganError `no-key`.
 */
export class KeyRing {
  readonly #plain: PlainKeyRing;
  readonly #epochs: ReadonlyMap<number, EpochKeys>;

  private constructor(plain: PlainKeyRing) {
    this.#plain = plain;
    this.#epochs = new Map(plain.epochs.map((keys) => [keys.epoch, keys]));
  }

  /** From what the stored keyring holds. `nameEpoch` is the configuration's; code `malformed` if there is no such epoch. */
  static fromKeyring(keyring: Keyring, { repositoryId, nameEpoch }: { repositoryId: Uint8Array; nameEpoch: number }): KeyRing {
    const shared = { repositoryId, grants: keyring.grants, newestEpoch: keyring.newest, epochs: epochKeysOf(keyring, repositoryId) };
    if (keyring.grants === 'metadata')
      return new KeyRing({ ...shared, nameKey: null, cutKey: null, metadataNameKey: keyring.metadataNameKey });
    const naming = namingKeysOf(keyring, { repositoryId, nameEpoch });
    if (naming === undefined) {
      throw new LaganError('malformed', `the configuration names chunks by epoch ${nameEpoch}, which the keyring does not have`, {
        found: nameEpoch,
      });
    }
    return new KeyRing({ ...shared, nameKey: naming.name, cutKey: naming.cut, metadataNameKey: naming.metadataName });
  }

  static fromPlain(plain: PlainKeyRing): KeyRing {
    return new KeyRing(plain);
  }

  toPlain(): PlainKeyRing {
    return this.#plain;
  }

  /** 16 bytes. */
  get repositoryId(): Uint8Array {
    return this.#plain.repositoryId;
  }

  get grants(): Grants {
    return this.#plain.grants;
  }

  /** The epoch that new objects are sealed with. */
  get newestEpoch(): number {
    return this.#plain.newestEpoch;
  }

  /**
   * Whether an error of opening says that the object is sealed with an epoch that was taken out of the keyring. When it was, nothing was sealed with it (KEY-17): the object came later, by
   * somebody who did not know, and nobody was told that it stands (KEY-21).
   */
  isTooLate(error: unknown): boolean {
    if (!isLaganError(error, 'authentication-failed') || typeof error.found !== 'number') return false;
    return error.found < Math.min(...this.#epochs.keys());
  }

  /** What the keys of packs with file content derive from. */
  dataKey(epoch: number): Uint8Array {
    return granted(this.#keysOf(epoch).dataKey, 'the content of files');
  }

  /** What the keys of all other sealed objects derive from. */
  metadataKey(epoch: number): Uint8Array {
    return this.#keysOf(epoch).metadataKey;
  }

  /** The key that objects of `kind` derive theirs from. */
  classKey(kind: ObjectKind, epoch: number): Uint8Array {
    return usesDataKey(kind) ? this.dataKey(epoch) : this.metadataKey(epoch);
  }

  /** For the names of chunks of file content. */
  get nameKey(): Uint8Array {
    return granted(this.#plain.nameKey, 'the names of content');
  }

  /** For the names of chunks of trees. */
  get metadataNameKey(): Uint8Array {
    return this.#plain.metadataNameKey;
  }

  /** For the places where files are cut. */
  get cutKey(): Uint8Array {
    return granted(this.#plain.cutKey, 'cutting files');
  }

  #keysOf(epoch: number): EpochKeys {
    const keys = this.#epochs.get(epoch);
    if (keys !== undefined) return keys;
    const known = [...this.#epochs.keys()].join(', ');
    const message = `the header says key epoch ${epoch}, but the keyring has ${known}: the header is damaged, or the keyring is older than the object`;
    const hint = 'if the keys were rotated while this ran, run it again';
    throw new LaganError('authentication-failed', message, { expected: known, found: epoch, ...(epoch > this.newestEpoch && { hint }) });
  }
}

/** The metadata keys by epoch, before the configuration (and so the naming epoch) is known. */
export function metadataKeysOf(keyring: Keyring, repositoryId: Uint8Array): (epoch: number) => Uint8Array {
  const epochs = epochKeysOf(keyring, repositoryId);
  return (epoch) => {
    const keys = epochs.find((candidate) => candidate.epoch === epoch);
    if (keys !== undefined) return keys.metadataKey;
    throw new LaganError('authentication-failed', `the header says key epoch ${epoch}, which the keyring does not have`, { found: epoch });
  };
}

function epochKeysOf(keyring: Keyring, repositoryId: Uint8Array): EpochKeys[] {
  if (keyring.grants === 'metadata') return keyring.epochs.map(({ epoch, metadataKey }) => ({ epoch, dataKey: null, metadataKey }));
  return keyring.epochs.map(({ epoch, master }) => ({
    epoch,
    dataKey: deriveKey(master, repositoryId, 'data'),
    metadataKey: deriveKey(master, repositoryId, 'metadata'),
  }));
}

function granted(key: Uint8Array | null, purpose: string): Uint8Array {
  if (key !== null) return key;
  throw new LaganError('no-key', `the key that opened the repository does not grant ${purpose}`, { expected: 'full', found: 'metadata' });
}
