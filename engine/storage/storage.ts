/**
 * Where the objects of a repository are kept. The comments here are the contract; `test/conformance/storage.ts` holds every implementation to it.
 *
 * An object is a name and bytes that never change: it appears at once and whole, or not at all, and can only be deleted afterwards. There is
 * no overwriting. What one call has acknowledged, every later call of every client sees (get, size, create, list).
 *
 * Names are those of `repo-format/object-names.ts`: lower-case ASCII, parts divided by `/`. A name that no object can have is a TypeError.
 * What the world does is a {@link LaganError}; its `object` is the name of the object. Codes of every call, beside those that a call names:
 * `no-repository` (the folder or bucket is not there), `forbidden`, `read-only`, `unavailable`, `io`, and `interrupted` when `signal` was aborted.
 *
 * Calls may run at the same time, in one thread or in several (each with its own Storage made from {@link Storage.describe}).
 */

/** `offset` and `length` in bytes; or the last bytes of the object. */
export type ByteRange = { readonly offset: number; readonly length: number } | { readonly last: number };

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface GetOptions extends CallOptions {
  /** More bytes than this are refused with `limit-exceeded` before they are allocated. Default: `storageLimits.getSizeBytes`. */
  readonly limitBytes?: number | undefined;
  /** Where to put the bytes: the result is a view of its beginning. If too small: `limit-exceeded`. */
  readonly into?: Uint8Array | undefined;
}

export interface ListOptions extends CallOptions {
  /** Only names that come after this text. */
  readonly after?: string | undefined;
}

export interface ListedObject {
  readonly name: string;
  readonly sizeBytes: number;
}

/** The end of an object. */
export interface ObjectEnd {
  readonly bytes: Uint8Array;
  /** Size of the whole object in bytes. */
  readonly objectSizeBytes: number;
}

/** `exists`: an object of that name was there already and was not touched. */
export type CreateOutcome = 'created' | 'exists';

/** `absent`: no folder or bucket; `empty`: nothing in it; `occupied`: something, not necessarily a repository. */
export type PlaceState = 'absent' | 'empty' | 'occupied';

/** A state that a name has or had, as its store tells it. */
export interface ObjectVersion {
  readonly name: string;
  /** The store's word for it; another one for each state of a name. */
  readonly id: string;
  /** `deletion`: from then on the name was gone. */
  readonly kind: 'object' | 'deletion';
  readonly sizeBytes: number;
  /** When it came to be, by the store's clock, in milliseconds since 1970; whole seconds in most stores. */
  readonly sinceMs: number;
  /** What all other calls see. */
  readonly isCurrent: boolean;
  /** Two objects with the same tag have the same bytes. Empty: unknown. */
  readonly tag: string;
}

/** What a store tells of the past of its names. Code of every call: `unsupported`, if this one tells nothing. */
export interface StorageHistory {
  /** Whether the store keeps what is overwritten or deleted from now on. If not, the listing has what is there now, and since when. */
  keepsVersions(options?: CallOptions): Promise<boolean>;

  /** All states of all names that begin with `prefix`: names in ascending order, the newest state of each first. Otherwise as {@link Storage.list}. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectVersion>;

  /** As {@link Storage.get} and {@link Storage.getEnd}, of a state with kind `object`. */
  get(version: ObjectVersion, range?: ByteRange, options?: GetOptions): Promise<Uint8Array>;
  getEnd(version: ObjectVersion, last: number, options?: GetOptions): Promise<ObjectEnd>;

  /** Makes the name what it was in that state (kind `object`), by a copy that is newer than all others: nothing is taken away. */
  bringBack(version: ObjectVersion, options?: CallOptions): Promise<void>;

  /** Deletes states for good. Returns those that the store refused to delete, because they are locked or the credentials do not allow it. */
  purge(versions: readonly ObjectVersion[], options?: CallOptions): Promise<ObjectVersion[]>;
}

export type LockMode = 'governance' | 'compliance';

/** How long objects are locked from when they are made. */
export interface LockRule {
  readonly mode: LockMode;
  readonly periodSeconds: number;
}

export interface LockPolicy {
  /** Whether the store can lock objects at this place. */
  readonly isEnabled: boolean;
  /** Null: objects are not locked when they are made. */
  readonly rule: LockRule | null;
  /** The store's time, in milliseconds since 1970. */
  readonly nowMs: number;
}

/** Locks: until then nobody can delete that state of an object for good. */
export interface StorageLocks {
  policy(options?: CallOptions): Promise<LockPolicy>;

  /** Locks an object until then, at least. `longer`: it was locked for longer already. Codes: `not-found`, `forbidden`, `unsupported`. */
  extend(version: ObjectVersion, lock: { mode: LockMode; untilMs: number }, options?: CallOptions): Promise<'extended' | 'longer'>;
}

/** How fast a store may be talked to. Undefined: as fast as it goes. */
export interface TransferRates {
  readonly uploadBytesPerSecond?: number | undefined;
  readonly downloadBytesPerSecond?: number | undefined;
  readonly requestsPerSecond?: number | undefined;
}

/** Rates that the threads of a process keep together, for another thread; null if nothing is limited. */
export type TransferLimitsDescription = { readonly rates: TransferRates; readonly shared: SharedArrayBuffer } | null;

/** What {@link openStorage} needs to open the same place again, in this thread or in another one. Holds no secrets. */
export type StorageDescription =
  | { readonly kind: 'local-folder'; readonly path: string }
  /**
   * A store that is reached by the network. Whoever opens it finds credentials by itself. `limits` are shared by the threads of the process. `hasAnswered`: the
   * address is right, so a store that does not answer is away for a while, and is waited for.
   */
  | { readonly kind: 'url'; readonly url: string; readonly limits: TransferLimitsDescription; readonly hasAnswered: boolean }
  /** Only in the thread that made it. */
  | { readonly kind: 'in-memory'; readonly id: string }
  /** Another one as it was at a time, in milliseconds since 1970. */
  | { readonly kind: 'past'; readonly of: StorageDescription; readonly timeMs: number };

export interface Storage {
  /** The place as a person writes it: a path or a URL. */
  readonly location: string;

  /** Undefined: the store tells nothing of its past. */
  readonly history?: StorageHistory | undefined;

  /** Undefined: the store has no locks. */
  readonly locks?: StorageLocks | undefined;

  /** Whether the place is there, and whether there is anything in it. */
  state(options?: CallOptions): Promise<PlaceState>;

  /** Makes the place (a folder and those above it) if it is absent. The only call that does: a disk that is not mounted is an error of every other call. */
  prepare(options?: CallOptions): Promise<void>;

  /** Deletes what writers that have died left unfinished, never what belongs to one that may still live. Returns how many files or uploads. */
  removeLitter(options?: CallOptions): Promise<number>;

  /**
   * The bytes of an object, or of a range of it. They belong to the caller.
   *
   * `{offset, length}` gives exactly these bytes; `malformed` (with `expected` and `found` sizes) if the object ends before. `{last}` gives the last bytes, and the whole of
   * an object that has fewer: look at the length. Other codes: `not-found`, `limit-exceeded`.
   */
  get(name: string, range?: ByteRange, options?: GetOptions): Promise<Uint8Array>;

  /**
   * What `get` gives for `{last}`, and the size of the object: by one request, if the store has a way to tell both at once. Codes as of {@link get}.
   */
  getEnd(name: string, last: number, options?: GetOptions): Promise<ObjectEnd>;

  /** The size of an object in bytes. Other codes: `not-found`. */
  size(name: string, options?: CallOptions): Promise<number>;

  /**
   * Creates an object from the concatenation of `parts`, unless one of that name is there. If many do so at once, exactly one gets `created`; a store that is reached
   * by the network tells them apart by their bytes, which have a nonce, and cannot do so where the probe of the repository found that its conditions are not atomic.
   *
   * When it resolves, the object is durable: it survives the loss of power. When it rejects, the object is not there, or is there whole: whoever needs to
   * know reads it back. Other codes: `no-space`, `limit-exceeded`, `unsupported` (the store cannot create safely).
   */
  create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome>;

  /** The same for an object that is written bit by bit. */
  createWriter(name: string, options?: CallOptions): Promise<ObjectWriter>;

  /**
   * All objects whose names begin with `prefix` (any text that names can begin with; all of them for ''), in ascending order of their names.
   *
   * Complete or an error, never silently short. An object that is created or deleted while the listing runs may be in it or not; each other one is in it exactly once.
   */
  list(prefix: string, options?: ListOptions): AsyncIterable<ListedObject>;

  /**
   * Deletes objects; one that is not there counts as deleted. All are tried, then the first error is thrown. When it resolves, nobody finds
   * them any more; the loss of power may bring them back.
   */
  delete(names: readonly string[], options?: CallOptions): Promise<void>;

  /** Aborts the writers that are unfinished and ends connections. No other call may follow. */
  close(): Promise<void>;

  describe(): StorageDescription;
}

/**
 * An object that is being written. One call at a time. Nobody sees the object before {@link commit} resolves, and never a part of it.
 * After a rejected call everything is cleaned up as by {@link abort}.
 */
export interface ObjectWriter {
  /** Bytes appended so far. */
  readonly sizeBytes: number;
  /** The parts may be changed by the caller as soon as it resolves. Codes as for {@link Storage.create}. */
  append(parts: readonly Uint8Array[]): Promise<void>;
  /** As {@link Storage.create}. No call but {@link abort} may follow. */
  commit(): Promise<CreateOutcome>;
  /** Leaves nothing behind. Never rejects; does nothing after a commit and the second time. */
  abort(): Promise<void>;
}
