/** Every limit of a repair. */
export const repairLimits = {
  /** How often a step is begun anew because the collector has passed its session. */
  attempts: 16,
  /** Losses of a snapshot that are listed; all of them are counted. */
  listedLosses: 1_000,
  /** How often is read what the machine says it cannot read, and the pause before the second time; the next is twice as long. */
  readAttempts: 3,
  readPauseMs: 50,
} as const;
