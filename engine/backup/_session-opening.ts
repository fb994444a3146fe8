import type { LaganError, PackId } from '../../repo-format/mod.ts';
import { listPresentPacks } from '../packs/mod.ts';
import type { Repository, Session } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { SessionTables } from './_session-tables.ts';

/** The packs that the index lists: those that may be relied on, and those that must not. */
export interface ListedPacks {
  readonly alive: Set<PackId>;
  readonly excluded: Set<PackId>;
}

export interface OpeningOptions extends CallOptions {
  readonly dryRun: boolean;
  /** Is told of damaged index tables, which are left out. Without it they are an error. */
  readonly onDamage?: ((error: LaganError) => void) | undefined;
}

/** What a session begins with, on its way: the index tables that it asks, and the packs that are in the store. */
export class SessionOpening {
  readonly tables: SessionTables;
  readonly #session: Session;
  readonly #options: OpeningOptions;
  /** Packs that the tables list, and those that are there. Undefined if that waits until the session has begun. */
  #packs: Promise<readonly [Set<PackId>, ReadonlySet<PackId>]> | undefined;
  readonly #listPresent: () => Promise<ReadonlySet<PackId>>;

  /** `repository` is the one that tables are read from. The session may turn out to be one that does not begin: nothing is written. */
  constructor(repository: Repository, session: Session, options: OpeningOptions) {
    const { dryRun, signal } = options;
    this.tables = new SessionTables(repository, session);
    this.#session = session;
    this.#options = options;
    this.#listPresent = () => listPresentPacks(repository.storage, { signal });
    if (session.pendingTables.length > 0 && !dryRun) return;
    this.#packs = this.#open();
    this.#packs.catch(() => undefined); // Whoever waits for it is told.
  }

  /** After the session has begun. */
  async finish(): Promise<ListedPacks> {
    this.#packs ??= this.#open();
    const [listed, present] = await this.#packs;
    const alive = new Set<PackId>();
    const excluded = new Set(this.#session.excludedPacks);
    for (const id of listed) {
      if (excluded.has(id)) continue;
      // A pack that the index lists and the store has lost is not relied on: its chunks are stored again (kopia 3492).
      if (present.has(id)) alive.add(id);
      else excluded.add(id);
    }
    return { alive, excluded };
  }

  /** If the session does not begin. */
  async abandon(): Promise<void> {
    await this.#packs?.catch(() => undefined);
    this.tables.close();
  }

  /** The packs are listed after the tables: all that they name was there first. */
  async #open(): Promise<readonly [Set<PackId>, ReadonlySet<PackId>]> {
    const { indexTables, pendingTables, root } = this.#session;
    const hasTables = indexTables.length > 0 || pendingTables.length > 0 || root.baseIndex !== null;
    return Promise.all([this.tables.openEarlier(this.#options), hasTables ? this.#listPresent() : new Set<PackId>()]);
  }
}
