/** Errors of the system about files that hold secrets. */
import { type ErrorCode, LaganError } from '../../repo-format/mod.ts';

const codes: Record<string, ErrorCode> = {
  EEXIST: 'exists',
  EACCES: 'forbidden',
  EPERM: 'forbidden',
  EROFS: 'read-only',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
};

/** A LaganError for an error of the system; other errors come back as they are. `missing`: the code where there is no such file. */
export function errorOfFile(
  error: unknown,
  { attempt, file, missing = 'io' }: { attempt: string; file: string; missing?: ErrorCode },
): unknown {
  const errno = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (error instanceof LaganError || errno === undefined || !/^E[A-Z0-9]+$/.test(errno)) return error;
  const code = errno === 'ENOENT' || errno === 'ENOTDIR' ? missing : (codes[errno] ?? 'io');
  return new LaganError(code, `${attempt} ${file} failed: ${(error as Error).message}`, { cause: error, errno, object: file });
}
