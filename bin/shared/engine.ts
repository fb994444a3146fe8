/**
 * The part of the engine that the command line calls, and the types that go with it. The engine is loaded when a command first
 * needs it, so that help, errors of usage and `lagan --version` do without.
 */
import type { Configuration, Entry, LaganError, Snapshot, SnapshotId, Time } from '../../repo-format/mod.ts';

export type { Configuration, Content, DirectoryEntry, Entry, EntryType, FileEntry, Snapshot, SnapshotId, Time } from '../../repo-format/mod.ts';

export type Secret =
  | { readonly kind: 'password'; readonly password: string }
  | { readonly kind: 'key-file'; readonly secret: Uint8Array }
  | { readonly kind: 'identity'; readonly privateKey: Uint8Array };

export interface NewSlot {
  readonly secret: Secret | { readonly kind: 'recipient'; readonly publicKey: Uint8Array };
  readonly label: string;
  readonly grants?: 'full' | 'metadata';
}

export interface Storage {
  readonly location: string;
  close(): Promise<void>;
}

export interface Repository {
  readonly id: string;
  readonly storage: Storage;
  readonly configuration: Configuration;
  readonly slotId: string;
  readonly warnings: readonly LaganError[];
}

export interface KeySlotInfo {
  readonly id: string;
  readonly label: string;
  readonly kind: 'password' | 'key-file' | 'recipient';
  readonly grants: 'full' | 'metadata';
  readonly created: Time;
  readonly isCurrent: boolean;
  readonly damaged?: string;
}

export interface SnapshotInfo {
  readonly id: SnapshotId;
  readonly generation: number;
  readonly snapshot: Snapshot;
  readonly tags: readonly string[];
  readonly description: string;
  readonly deleted: boolean;
  readonly standing: 'valid' | 'pending';
}

export interface SnapshotFilter {
  readonly host?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly paths?: readonly Uint8Array[] | undefined;
}

export interface ExcludeRules {
  readonly patterns: readonly string[];
  readonly excludeIfPresent: readonly string[];
  readonly excludeCaches: boolean;
  readonly excludeLargerThanBytes?: number | undefined;
}

export interface EngineProgress {
  readonly phase: string;
  readonly filesDone: number;
  readonly filesTotal?: number | undefined;
  readonly bytesDone: number;
  readonly bytesTotal?: number | undefined;
  readonly currentPath?: Uint8Array | undefined;
  readonly newBytes?: number | undefined;
  readonly storedBytes?: number | undefined;
  readonly errors?: number | undefined;
}

export interface PathProblem {
  readonly path: Uint8Array;
  readonly code: string;
  readonly message: string;
}

export interface EngineWarning {
  readonly code: string;
  readonly message: string;
  readonly path?: Uint8Array | undefined;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: EngineProgress) => void) | undefined;
  readonly onWarning?: ((warning: EngineWarning) => void) | undefined;
}

export interface SnapshotLabels {
  readonly tags?: readonly string[];
  readonly description?: string;
  readonly host?: string | undefined;
  readonly parent?: string | undefined;
  readonly compression?: string | undefined;
  readonly time?: Time | undefined;
}

export interface BackupOptions extends RunOptions, SnapshotLabels {
  readonly paths: readonly Uint8Array[];
  readonly excludes: ExcludeRules;
  readonly oneFileSystem?: boolean;
  readonly ignoreCtime?: boolean;
  readonly ignoreInode?: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly skipIfUnchanged?: boolean;
  readonly workers?: number | undefined;
}

export interface BackupStatistics {
  readonly files: number;
  readonly directories: number;
  readonly others: number;
  readonly bytes: number;
  readonly newBytes: number;
  readonly storedBytes: number;
  readonly chunks: number;
  readonly newChunks: number;
  readonly errors: number;
}

export interface BackupResult {
  readonly snapshotId: string | null;
  readonly unchangedFromParent: boolean;
  readonly statistics: BackupStatistics;
  readonly errors: readonly PathProblem[];
  readonly parent: string | null;
}

export interface BackupStreamOptions extends RunOptions, SnapshotLabels {
  readonly name: Uint8Array;
  readonly stream: AsyncIterable<Uint8Array>;
  readonly dryRun?: boolean;
}

export interface RestoreOptions extends RunOptions {
  readonly target: Uint8Array;
  /** The folder of the snapshot that becomes the target; default: the top. */
  readonly path?: Uint8Array | undefined;
  /** Only these, with their place below the target; default: all. */
  readonly paths?: readonly Uint8Array[];
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly overwrite: 'always' | 'if-newer' | 'if-changed' | 'never';
  readonly delete?: boolean;
  readonly sparse?: boolean;
  readonly verify?: boolean;
  readonly dryRun?: boolean;
}

export interface RestoreStatistics {
  readonly files: number;
  readonly directories: number;
  readonly others: number;
  readonly bytes: number;
  readonly skipped: number;
  readonly deleted: number;
  readonly verified: number;
}

export interface RestoreResult {
  readonly statistics: RestoreStatistics;
  readonly errors: readonly PathProblem[];
  readonly notRestored: ReadonlyMap<string, { readonly count: number; readonly example: Uint8Array; readonly reason: string }>;
}

export interface Finding {
  readonly code: string;
  readonly message: string;
  readonly object?: string | undefined;
  readonly snapshots?: readonly string[] | undefined;
  readonly paths?: readonly Uint8Array[] | undefined;
}

export interface CheckResult {
  readonly errors: readonly Finding[];
  readonly snapshots: number;
  readonly packs: number;
  readonly packsRead: number;
  readonly chunks: number;
  readonly bytesRead: number;
}

export interface RepositoryStatistics {
  readonly snapshots: number;
  readonly files: number;
  readonly bytes: number;
  readonly chunks: number;
  readonly packs: number;
  readonly rawBytes: number;
  readonly storedBytes: number;
}

export interface Difference {
  readonly change: 'added' | 'removed' | 'modified' | 'metadata' | 'type';
  readonly path: Uint8Array;
  readonly before?: Entry | undefined;
  readonly after?: Entry | undefined;
}

export interface WalkedEntry {
  readonly path: Uint8Array;
  readonly entry: Entry;
}

export interface OpenedFile {
  stream(): AsyncIterable<Uint8Array>;
}

export interface CacheStatus {
  readonly folder: string;
  readonly limitBytes: number;
  readonly repositories: readonly { readonly repository: string; readonly sizeBytes: number; readonly lastUsed: Time }[];
}

type Call = { readonly signal?: AbortSignal | undefined };

export interface Engine {
  openStorage(place: string): Storage;
  inspectPlace(storage: Storage): Promise<{ readonly state: 'absent' | 'empty' | 'foreign' | 'unfinished' | 'damaged' | 'repository' }>;
  createRepository(storage: Storage, options: { slots: readonly NewSlot[] } & Call): Promise<Repository>;
  openRepository(storage: Storage, options: { secret: Secret | Secret[]; mode: 'read' | 'write' | 'metadata' } & Call): Promise<Repository>;
  abandonAll(): void;

  readKeyFile(path: string): Promise<{ readonly secret: Secret; readonly warnings: readonly string[] }>;
  parseKeyText(text: string): Secret;
  newKeyFileSecret(): Secret;
  keyFileText(secret: Secret, options?: { comment?: string }): string;
  writeKeyFile(path: string, secret: Secret): Promise<void>;
  parseRecipient(text: string): Uint8Array;

  listSnapshots(repository: Repository, options: { filter?: SnapshotFilter; onDamage?: (error: LaganError) => void } & Call): Promise<SnapshotInfo[]>;
  resolveSnapshot(repository: Repository, text: string, options?: { filter?: SnapshotFilter } & Call): Promise<SnapshotInfo>;
  annotateSnapshot(
    repository: Repository,
    id: string,
    change: { addTags?: string[]; removeTags?: string[]; setTags?: string[]; description?: string; time: Time } & Call,
  ): Promise<{ readonly tags: readonly string[]; readonly description: string }>;

  backup(repository: Repository, options: BackupOptions): Promise<BackupResult>;
  backupStream(repository: Repository, options: BackupStreamOptions): Promise<BackupResult>;
  walkSnapshot(repository: Repository, snapshot: SnapshotInfo, options: { path?: Uint8Array; recursive: boolean } & Call): AsyncIterable<WalkedEntry>;
  lookup(repository: Repository, snapshot: SnapshotInfo, path: Uint8Array, options?: Call): Promise<{ readonly entry: Entry }>;
  openFile(repository: Repository, entry: Entry, options?: Call): OpenedFile;
  diffSnapshots(repository: Repository, before: SnapshotInfo, after: SnapshotInfo, options?: { path?: Uint8Array } & Call): AsyncIterable<Difference>;
  restore(repository: Repository, snapshot: SnapshotInfo, options: RestoreOptions): Promise<RestoreResult>;
  check(
    repository: Repository,
    options: { readData: boolean | { percent: number } | { part: readonly [number, number] } } & RunOptions,
  ): Promise<CheckResult>;
  statistics(repository: Repository, options?: RunOptions): Promise<RepositoryStatistics>;

  listKeys(repository: Repository, options?: Call): Promise<KeySlotInfo[]>;
  addKey(repository: Repository, slot: NewSlot & { time: Time } & Call): Promise<KeySlotInfo>;
  removeKey(repository: Repository, id: string, options?: Call): Promise<KeySlotInfo>;
  changeKey(repository: Repository, change: { id?: string; slot: NewSlot; time: Time } & Call): Promise<KeySlotInfo>;

  cacheStatus(options: { folder: string }): Promise<CacheStatus>;
  cacheClear(options: { folder: string; repository?: string; dryRun?: boolean }): Promise<{ readonly removedBytes: number; readonly repositories: readonly string[] }>;
  cacheLimit(options: { folder: string; limitBytes: number }): Promise<{ readonly removedBytes: number }>;
}

/** Loads the engine. */
export async function loadEngine(): Promise<Engine> {
  // @ts-ignore the engine's door is being written
  return (await import('../../engine/mod.ts')) as unknown as Engine;
}
