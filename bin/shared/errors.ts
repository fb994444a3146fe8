/** Errors of the command line: made as {@link LaganError}s, and shown as an `error:` line with its `hint:`. */
import { type ErrorCode, errorTable, exitCodeOf, LaganError, objectPrefixes } from '../../repo-format/mod.ts';

export { type ErrorCode, errorTable, exitCodeOf, isLaganError, LaganError } from '../../repo-format/mod.ts';

/** Exit code when the reader of standard output has closed it: 128 + SIGPIPE, as the shell reports it of other programs. */
export const outputClosedExitCode = 141;

/** The command or an option is wrong. */
export function usageError(message: string, hint?: string): LaganError {
  return new LaganError('usage', message, { hint });
}

/** What the system said about a file of the user's: the message names the attempt and the path. */
export function systemError(attempt: string, path: string, cause: unknown): LaganError {
  const errno = errnoOf(cause) ?? 'unknown error';
  const reason = systemReasons[errno] ?? `the system says ${errno}`;
  const code =
    errno === 'ENOSPC' || errno === 'EDQUOT' ? 'no-space' : errno === 'EROFS' ? 'read-only' : errno === 'EACCES' ? 'forbidden' : 'io';
  return new LaganError(code, `cannot ${attempt} ${path}: ${reason}`, { cause, object: path, errno });
}

/** The system's name of an error, such as `ENOENT`, if it has one. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** What is printed of an error, as data: the same for people and for `--json`. */
export interface ErrorReport {
  readonly type: 'error';
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly object?: string;
  readonly offset?: number;
  readonly exitCode: number;
  readonly causes?: readonly string[];
}

/** Describes any error; one that is not ours to expect is called what it is. */
export function reportOf(error: unknown): ErrorReport {
  if (!(error instanceof LaganError)) return reportOfMistake(error);
  const hint = error.hint ?? (isMadeAnew(error) ? recoveryHint : undefined);
  return {
    type: 'error',
    code: error.code,
    message: error.message,
    ...(hint !== undefined && { hint }),
    ...(error.object !== undefined && { object: error.object }),
    ...(error.offset !== undefined && { offset: error.offset }),
    exitCode: exitCodeOf(error),
    ...causesOf(error),
  };
}

export const recoveryHint =
  'put a copy of that object back if a mirror or an older version of it is there; or stop all programs that use the repository, and run lagan repository recover --force: it makes the object anew from what is there, and finds the snapshots that other objects still tell of';

/** Whether it is damage to something that the root refers to, and that a recovery makes anew. */
export function isMadeAnew({ code, object = '' }: { readonly code: string; readonly object?: string | undefined }): boolean {
  const { baseIndexes, catalogues, lostLists } = objectPrefixes;
  const isDamage = Object.hasOwn(errorTable, code) && errorTable[code as ErrorCode].exitCode === errorTable.malformed.exitCode;
  return isDamage && [baseIndexes, catalogues, lostLists].some((prefix) => object.startsWith(prefix));
}

/** Exit codes with the meanings of all codes that lead to them, for the help. */
export function exitCodeMeanings(): [exitCode: number, meanings: string[]][] {
  const meanings = new Map<number, string[]>([[0, ['Done.']]]);
  for (const { exitCode, meaning } of Object.values(errorTable)) meanings.set(exitCode, [...(meanings.get(exitCode) ?? []), meaning]);
  meanings.set(outputClosedExitCode, ['The reader of standard output closed it.']);
  return [...meanings].sort(([a], [b]) => a - b);
}

const systemReasons: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'the system does not permit it',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  EEXIST: 'it exists already',
  ENOSPC: 'no space is left',
  EDQUOT: 'the quota is used up',
  EROFS: 'the file system is read-only',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
  ENOTEMPTY: 'the folder is not empty',
  EMFILE: 'too many files are open',
};

function reportOfMistake(error: unknown): ErrorReport {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const hint = 'this is a mistake in lagan; run again with -v and report what it prints';
  return { type: 'error', code: 'internal', message, hint, exitCode: 1, ...causesOf(error) };
}

function causesOf(error: unknown): { causes?: string[] } {
  const causes: string[] = [];
  for (let cause = (error as Error | null)?.cause; cause !== undefined && causes.length < 8; cause = (cause as Error | null)?.cause) {
    causes.push(cause instanceof Error ? cause.message : String(cause));
  }
  return causes.length > 0 ? { causes } : {};
}
