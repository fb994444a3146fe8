/**
 * Backup programs whose repositories can be imported. Each is used by its own command line alone: it knows its format, its stores and its secrets. These it takes from its
 * own environment variables; Lagan never sees them.
 */
import type { BackupFacts } from '../shared/imports.ts';

export type PeerName = 'borg' | 'kopia' | 'restic';

/** A backup in the repository of a peer. Its paths are absolute. */
export interface PeerSnapshot extends BackupFacts {
  /** What the peer's command line calls it. */
  readonly id: string;
  /** A further name of it, for people. */
  readonly name?: string;
  /** Why the peer keeps it from being removed; empty if it does not. */
  readonly pins: readonly string[];
  /** What its files have; undefined if that must be asked for. */
  readonly sizeBytes: number | undefined;
}

export interface PeerRepository {
  readonly id: string;
  readonly snapshots: readonly PeerSnapshot[];
}

/** A call of a peer's program. */
export interface Command {
  readonly parameters: readonly string[];
  /** Default: that of Lagan. */
  readonly cwd?: string;
  /** Of an exit code that is not 0, and the last lines of standard error: whether it did its work but for some files. */
  readonly isPartial?: (exitCode: number, lines: readonly string[]) => boolean;
}

/** Runs the peer's program. */
export interface PeerCommands {
  /** What it prints on standard output. Code: io, if it fails; unsupported, if it is not there. */
  read(command: Command): Promise<string>;
  /** Runs it to its end; returns its warnings. The same codes. */
  run(command: Command): Promise<readonly string[]>;
}

export interface Peer {
  readonly name: PeerName;
  /** The environment variable that says where its repository is; `--from` sets it. */
  readonly placeVariable: string;
  /** Variables that its secrets come from, for the hint when it fails. */
  readonly secretVariables: readonly string[];
  /** Whether it stores the folders above what was backed up. */
  readonly keepsFoldersAbove: boolean;
  repository(commands: PeerCommands): Promise<PeerRepository>;
  /** The size of a snapshot that does not say it. */
  sizeOf(commands: PeerCommands, snapshot: PeerSnapshot): Promise<number | undefined>;
  /** Restores a snapshot below an empty folder, each file at its own path. Returns warnings: not all of it could be restored. */
  restore(commands: PeerCommands, snapshot: PeerSnapshot, folder: string): Promise<readonly string[]>;
}
