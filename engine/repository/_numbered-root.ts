import { decodeRoot, isLaganError, objectNames, type Root } from '../../repo-format/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { readSealed, type SealingContext } from './_sealed-objects.ts';

/** The root of a number; null if there is none. Codes: those of damage and of the storage. */
export async function readNumberedRoot(context: SealingContext, number: number, { signal }: CallOptions): Promise<Root | null> {
  const name = objectNames.root(number);
  try {
    return decodeRoot(await readSealed(context, name, { kind: 'root', signal }), name);
  } catch (error) {
    if (isLaganError(error, 'not-found')) return null;
    throw error;
  }
}
