/** Policies of the extension of locks, and its limits. Why: docs/decisions/022-object-lock.md. */
export const lockLimits = {
  /** Locks are extended when this part of their period has passed: no object more often than so. */
  extensionPart: 0.5,
  /** Objects younger than this part of the period are left to the next extension: they are still locked for half of it then, at least. The part is also how late an extension may come. */
  gracePart: 0.25,
  /** Requests at a time. */
  concurrentRequests: 32,
  /** Objects whose locks are extended before the root says how far it came. */
  recordedObjects: 20_000,
  /** So many failures without a success in between end an extension: the credentials do not suffice, or the store has gone. */
  failures: 16,
  /** Old versions that are deleted at once. */
  purgedVersions: 1000,
  /** Of names that were overwritten, how many are told. */
  toldNames: 10,
} as const;
