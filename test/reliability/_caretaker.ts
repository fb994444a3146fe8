/** What an owner does now and then, each deed as the engine does it for a person, and told so that a run can judge what must be there afterwards. */
import { rewriteSnapshot } from '../../engine/backup/mod.ts';
import { check, type Finding } from '../../engine/check/mod.ts';
import { type CopiedSnapshot, copySnapshots } from '../../engine/copy/mod.ts';
import { retireEpochs } from '../../engine/maintain/mod.ts';
import { mirrorRepository } from '../../engine/mirror/mod.ts';
import { openStorage, type Storage } from '../../engine/mod.ts';
import { repair } from '../../engine/repair/mod.ts';
import {
  addKey,
  listKeys,
  listSnapshots,
  originOf,
  type Repository,
  removeKey,
  rotateMasterKey,
  type SnapshotInfo,
} from '../../engine/repository/mod.ts';
import { isLaganError, parseObjectName } from '../../repo-format/mod.ts';
import { collect } from '../simulation/engine-calls.ts';
import type { Random } from '../simulation/random.ts';
import { passwordLabel, passwordSecret, passwordSlot, secondSecret } from './_caretaker-keys.ts';
import { forgetOld } from './_kill-forget.ts';
import { type CareTask, type Deed, type ProcessTask, type Say, wordsOf } from './_kill-messages.ts';
import { openPatiently } from './_kill-open.ts';

/** Small, so that a kill hits something. */
const copyLimits = { checkpointNewBytes: 200_000, windowChunks: 40, batchBytes: 50_000, pieceBytes: 25_000 };

export interface CaretakerOptions {
  readonly say: Say;
  readonly random: Random;
  /** It damages nothing, and leaves nothing out of a deed. */
  readonly isThorough?: boolean;
}

export class Caretaker {
  readonly #place: string;
  readonly #task: CareTask;
  readonly #options: CaretakerOptions;
  readonly #rewritable: string[];
  readonly #rewriting: { readonly id: string; readonly without: string }[];
  #passwords: readonly number[];

  constructor({ repository, care }: ProcessTask, options: CaretakerOptions) {
    this.#place = repository;
    this.#task = care!;
    this.#options = options;
    this.#rewritable = [...care!.rewritable];
    this.#rewriting = [...care!.rewriting];
    this.#passwords = care!.passwords;
  }

  async do(deed: Deed): Promise<void> {
    await this[deed](await openPatiently(this.#place));
    this.#options.say({ type: 'done', deed });
  }

  #chance(probability: number, what: 'spoils' | 'completes' = 'completes'): boolean {
    const { random, isThorough = false } = this.#options;
    return isThorough ? what === 'completes' : random.chance(probability);
  }

  /** After an index table is lost: packs are listed again, and nothing else is to be done. */
  async repair(repository: Repository): Promise<void> {
    if (this.#chance(0.8, 'spoils')) await this.#loseTable(repository);
    await check(repository, { record: true, readData: this.#chance(0.5), workers: 1 });
    const { listedPacks, salvaged, snapshots } = await repair(repository, { workers: 1 });
    for (const { pack } of salvaged) this.#options.say({ type: 'fault', words: `repair: pack ${pack} is damaged` });
    for (const { original } of snapshots) this.#options.say({ type: 'unwell', ids: [original.id], words: 'repair: it is damaged' });
    const { errors } = await check(repository, { record: true, workers: 1 });
    this.#sayFound(errors);
    this.#options.say({ type: 'repaired', listedPacks });
  }

  #sayFound(errors: readonly Finding[]): void {
    for (const { code, message, snapshots } of errors) {
      const words = `check: ${code}: ${message}`;
      this.#options.say(snapshots.length > 0 ? { type: 'unwell', ids: snapshots, words } : { type: 'fault', words });
    }
  }

  /** One that an acknowledged snapshot has: what a backup that runs has made may be relied on before the repair, and be missing after it. */
  async #loseTable(repository: Repository): Promise<void> {
    const ids = new Set<string>((await listSnapshots(repository)).map(({ id }) => id));
    const tables: string[] = [];
    for await (const { name } of repository.storage.list('writer/index/')) {
      const parsed = parseObjectName(name);
      if (parsed?.type === 'session-index' && ids.has(parsed.session)) tables.push(name);
    }
    if (tables.length === 0) return;
    const table = this.#options.random.pick(tables);
    this.#options.say({ type: 'losing', table });
    await repository.storage.delete([table]);
  }

  /** All snapshots into the second repository; there, too, old ones are forgotten and space is freed. */
  async copy(source: Repository): Promise<void> {
    const target = await openPatiently(this.#task.second, secondSecret);
    const onSnapshot = async ({ source: { id }, snapshotId, error }: CopiedSnapshot) => {
      if (snapshotId === null) this.#options.say({ type: 'unwell', ids: [id], words: `copy: ${error?.message}` });
      else this.#options.say({ type: 'copied', of: id, id: snapshotId });
    };
    await copySnapshots(source, target, { snapshots: await listSnapshots(source), onSnapshot, limits: copyLimits, workers: 1 });
    await forgetOld(target, this.#options.say);
    await collect(target);
  }

  async mirror(repository: Repository): Promise<void> {
    const ids = standing(await listSnapshots(repository));
    const target: Storage = openStorage(this.#task.mirror);
    const onProblem = ({ object, error }: { object: string; error: Error }) =>
      this.#options.say({ type: 'fault', words: `mirror: ${object}: ${error.message}` });
    const deleteSuperfluous = this.#chance(0.6);
    const verify = this.#chance(0.3);
    await mirrorRepository(repository.storage, target, { repository, deleteSuperfluous, verify, onProblem });
    this.#options.say({ type: 'mirrored', ids });
  }

  /** One that the caretaker before this one was about to rewrite comes first. */
  async rewrite(repository: Repository): Promise<void> {
    const others = await listSnapshots(repository);
    const { id, without } = this.#rewriting.shift() ?? this.#newRewriting(others) ?? {};
    if (id === undefined || without === undefined) return;
    const info = others.find((candidate) => candidate.id === id);
    const made = others.find(({ snapshot }) => originOf(snapshot) === id);
    if (info === undefined) return this.#options.say({ type: 'rewritten', of: id, id: made?.id ?? null });
    try {
      const { snapshotId } = await rewriteSnapshot(repository, info, { patterns: [without], others });
      this.#options.say({ type: 'rewritten', of: id, id: snapshotId });
    } catch (error) {
      // It may be forgotten, and collected, meanwhile.
      this.#options.say({ type: 'unwell', ids: [id], words: `rewrite: ${wordsOf(error)}` });
    }
  }

  #newRewriting(snapshots: readonly SnapshotInfo[]): { id: string; without: string } | undefined {
    const ids = standing(snapshots).filter((id) => this.#rewritable.includes(id));
    if (ids.length === 0) return undefined;
    const rewriting = { id: this.#options.random.pick(ids), without: `file-${this.#options.random.integer(0, 23)}` };
    this.#options.say({ type: 'rewriting', ...rewriting });
    return rewriting;
  }

  /** A new master key, and now and then the end of the old ones. */
  async rotate(repository: Repository): Promise<void> {
    const { repository: rotated } = this.#chance(0.7) ? await rotateMasterKey(repository) : { repository };
    if (!this.#chance(0.7)) return;
    try {
      const { epochs } = await retireEpochs(rotated);
      this.#options.say({ type: 'retired', epochs: epochs.length });
    } catch (error) {
      // What an interrupted backup has stored keeps them.
      if (!isLaganError(error, 'usage')) throw error;
    }
  }

  /** The next password in place of the one that opens; what the caretaker before this one may have left of older ones goes. */
  async password(): Promise<void> {
    const repository = await openPatiently(this.#place, this.#passwords.map(passwordSecret));
    const keys = (await listKeys(repository)).map(({ label }) => label);
    const known = this.#passwords.filter((number) => keys.includes(passwordLabel(number)));
    const next = Math.max(...this.#passwords) + 1;
    this.#options.say({ type: 'changing', password: next });
    await addKey(repository, passwordSlot(next));
    for (const number of known) await removeKey(repository, passwordLabel(number));
    this.#options.say({ type: 'changed', password: next });
    this.#passwords = [next];
  }
}

function standing(snapshots: readonly SnapshotInfo[]): string[] {
  return snapshots.filter(({ standing }) => standing === 'valid').map(({ id }) => id);
}
