import { LaganError, type Root } from '../../repo-format/mod.ts';

/** What shows that a store went back. */
export interface RollbackEvidence {
  /** Name of the object that is missing, or should not be there. */
  readonly object: string;
  readonly message: string;
  /** What to do, if not what is always to be done. */
  readonly hint?: string;
}

/** What is remembered of a root. */
export type SeenRoot = Pick<Root, 'number' | 'generation' | 'nonce'>;

export function rolledBack({ object, message, hint = recoverHint }: RollbackEvidence): LaganError {
  return new LaganError('rolled-back', `the store was set back to an older state: ${message}`, {
    object,
    hint,
  });
}

const recoverHint =
  'nothing is written, collected or deleted, so that nothing is lost; stop all other programs that use the repository, then: lagan repository recover';
