/** Every limit of a mirroring. */
export const mirrorLimits = {
  /** Objects on their way at the same time. */
  objectsAtOnce: 4,
  /** Bytes of an object that are read at once. */
  pieceBytes: 8 * 1024 * 1024,
  /** How often it begins anew because a collector replaced the root meanwhile. */
  attempts: 8,
  /** Names in one call of deletion. */
  namesPerDelete: 500,
  /** Problems that are told one by one; all are counted. */
  listedProblems: 1_000,
} as const;
