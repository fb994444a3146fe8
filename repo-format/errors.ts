/**
 * What the world can do to a backup, as one error class with stable codes.
 *
 * Mistakes of ours are assertions and bad arguments are TypeError or RangeError; neither is listed here.
 * The table below is the only place where a code gets its meaning and its exit code; the help is made from it.
 */

export interface ErrorMeaning {
  /** Exit code of the command line. */
  readonly exitCode: number;
  readonly meaning: string;
}

/** Every code, with the exit code of a command that ends with it. */
export const errorTable = {
  usage: { exitCode: 2, meaning: 'The command or an option is wrong.' },
  ambiguous: { exitCode: 2, meaning: 'What was named fits several snapshots or keys.' },
  partial: { exitCode: 3, meaning: 'Done, but some files could not be read or restored.' },
  'no-repository': { exitCode: 4, meaning: 'There is no repository at that place.' },
  'wrong-key': { exitCode: 5, meaning: 'No key slot opens with that password or key.' },
  'no-key': { exitCode: 5, meaning: 'No password or key was given, or the key does not grant what is asked.' },
  'malformed-key': { exitCode: 5, meaning: 'The text of a key has a typing mistake.' },
  malformed: { exitCode: 6, meaning: 'An object of the repository has bytes that no writer makes.' },
  'authentication-failed': { exitCode: 6, meaning: 'An object was changed or damaged after it was sealed.' },
  'limit-exceeded': { exitCode: 6, meaning: 'A length or number is beyond the limit of the format.' },
  'name-mismatch': { exitCode: 6, meaning: 'Bytes are not those that their name promises.' },
  'object-missing': { exitCode: 6, meaning: 'An object that the repository relies on is not in the store.' },
  'pack-missing': { exitCode: 6, meaning: 'A pack that a snapshot relies on is not in the store.' },
  'chunk-missing': { exitCode: 6, meaning: 'A chunk that a snapshot relies on is in no pack.' },
  'rolled-back': { exitCode: 6, meaning: 'The store shows an older state than one seen before.' },
  'check-failed': { exitCode: 6, meaning: 'The check found damage.' },
  'no-space': { exitCode: 7, meaning: 'The store or the target has no space left.' },
  'read-only': { exitCode: 8, meaning: 'The store or the target cannot be written.' },
  forbidden: { exitCode: 8, meaning: 'The store or the system refuses the operation.' },
  held: { exitCode: 8, meaning: 'A hold forbids the deletion.' },
  'repository-too-new': { exitCode: 9, meaning: 'The format of the repository is newer than this program.' },
  'feature-unknown': { exitCode: 9, meaning: 'The repository uses a feature that this program does not know.' },
  'snapshot-not-found': { exitCode: 10, meaning: 'There is no such snapshot.' },
  'path-not-found': { exitCode: 10, meaning: 'There is no such path in the snapshot.' },
  'not-found': { exitCode: 1, meaning: 'There is no object of that name in the store.' },
  'repository-exists': { exitCode: 1, meaning: 'There is a repository at that place already.' },
  exists: { exitCode: 1, meaning: 'There is something of that name already.' },
  superseded: { exitCode: 1, meaning: 'The session is older than the collector allows and must begin anew.' },
  'source-empty': { exitCode: 1, meaning: 'There was nothing to back up.' },
  'half-restored': { exitCode: 1, meaning: 'A restore into the volume has not come to its end.' },
  unsupported: { exitCode: 1, meaning: 'The system or the store cannot do this.' },
  unavailable: { exitCode: 1, meaning: 'The store does not answer.' },
  io: { exitCode: 1, meaning: 'Reading or writing failed.' },
  interrupted: { exitCode: 130, meaning: 'Interrupted.' },
} as const satisfies Record<string, ErrorMeaning>;

/** A stable code; programs and tests match it, never the message. */
export type ErrorCode = keyof typeof errorTable;

export interface ErrorFields {
  readonly cause?: unknown;
  /** Name of the object in the store, or path of the file. */
  readonly object?: string | undefined;
  /** Byte offset in the decoded bytes. */
  readonly offset?: number | undefined;
  readonly expected?: unknown;
  readonly found?: unknown;
  /** What a person can do about it. */
  readonly hint?: string | undefined;
  /** Name of the system's error, such as `ENOENT`. */
  readonly errno?: string | undefined;
}

/** Anything that the world can do. The message says what was tried, what is so and what would be valid. */
export class LaganError extends Error {
  readonly code: ErrorCode;
  declare readonly object?: string;
  declare readonly offset?: number;
  declare readonly expected?: unknown;
  declare readonly found?: unknown;
  declare readonly hint?: string;
  declare readonly errno?: string;

  constructor(code: ErrorCode, message: string, fields: ErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = 'LaganError';
    this.code = code;
    const { cause: _, ...rest } = fields;
    for (const [name, value] of Object.entries(rest)) {
      if (value !== undefined) Object.assign(this, { [name]: value });
    }
  }
}

/** True if `error` is a {@link LaganError}, of that code if one is given. */
export function isLaganError(error: unknown, code?: ErrorCode): error is LaganError {
  return error instanceof LaganError && (code === undefined || error.code === code);
}

/** The exit code of a command that ended with `error`: that of its code, or 1. */
export function exitCodeOf(error: unknown): number {
  return error instanceof LaganError ? errorTable[error.code].exitCode : 1;
}
