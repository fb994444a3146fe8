import { type ErrorCode, isLaganError, LaganError } from '../../engine/mod.ts';
import type { VolumePlace } from './volume.ts';

const codes: Readonly<Record<string, { readonly code: ErrorCode; readonly hint: string }>> = {
  EROFS: { code: 'read-only', hint: 'mount it without readOnly' },
  EACCES: { code: 'forbidden', hint: 'the container needs the rights of the user whose files these are, or fsGroup' },
  EPERM: { code: 'forbidden', hint: 'the container needs the rights of the user whose files these are, or fsGroup' },
  ENOSPC: { code: 'no-space', hint: 'make a larger claim' },
  EDQUOT: { code: 'no-space', hint: 'make a larger claim' },
};

/** What the system refuses becomes an error that names the volume. */
export async function onVolume<Result>({ path }: VolumePlace, attempt: string, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code;
    if (isLaganError(cause) || errno === undefined || (cause as Error).name === 'AbortError') throw cause;
    const { code, hint } = codes[errno] ?? { code: 'io' as const, hint: undefined };
    throw new LaganError(code, `cannot ${attempt} the volume ${path}: ${(cause as Error).message}`, { cause, object: path, errno, hint });
  }
}
