/** What the benchmark needs to know of a backup tool. Each tool has a file of its own; its command lines are there and nowhere else. */

export type ToolName = 'lagan' | 'kopia' | 'kopia-s2' | 'kopia-zstd' | 'restic' | 'borg' | 'vykar';

export interface Tool {
  readonly name: ToolName;
  /** For reports: with what sets this configuration apart. */
  readonly label: string;
  /** Its name on PATH. */
  readonly program: string;
  /** The arguments that print its version. */
  readonly versionArguments: readonly string[];
  commandsIn(place: Place): ToolCommands;
}

/** Where a tool works. Nothing is there at first; all of it is deleted afterwards. */
export interface Place {
  readonly folder: string;
  /** The folder that is backed up: an absolute path without symbolic links. */
  readonly source: string;
}

export interface ToolCommands {
  readonly environment: Readonly<Record<string, string>>;
  /** The folder whose files count as stored. */
  readonly repository: string;
  /** Files to write before anything is started: path and text. */
  readonly files?: Readonly<Record<string, string>>;
  /** Makes the repository. Not measured. */
  readonly init: readonly CommandLine[];
  /** Backs up the source, for the first or second time. */
  backup(number: 1 | 2): CommandLine;
  /** Runs before whatever reads the repository, so that it is the repository that is read. Not measured. */
  readonly beforeReading?: readonly CommandLine[];
  /** Brings back what that backup holds: the content of the source lands directly in `target`, an empty folder. */
  restore(number: 1 | 2, target: string): CommandLine;
  /** Reads and verifies all data. */
  readonly verify: CommandLine;
}

export interface CommandLine {
  readonly arguments: readonly string[];
  /** Where it runs; otherwise in the folder of the place. */
  readonly folder?: string;
}

/** Every tool gets the same: it protects nothing. */
export const password = 'benchmark';
