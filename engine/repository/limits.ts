/** Limits and defaults of the repository layer. */
import { type ChunkerParameters, limits } from '../../repo-format/mod.ts';

const MiB = 1024 * 1024;

export const repositoryLimits = {
  /** Requests at a time when many small objects are read. */
  concurrentReads: 32,
  /** Names of one kind that are gathered before anybody asks for them. */
  earlyNames: 4096,
  /** How often reading begins anew because the collector moved meanwhile. */
  attempts: 16,
  /** How often a number is tried anew because another process took it. */
  numberAttempts: 64,
  /** How often keys are read anew because they were replaced meanwhile. */
  keyAttempts: 4,
  /** What looks like an unfinished creation may be another process's that goes on: it is left alone for so long. */
  creationPatienceMs: 2000,
  creationPollMs: 20,
  /** A hold lasts so much longer than it says: more than a clock in a wrong time zone is off. */
  holdMarginSeconds: 24 * 3600,
  /** How long a changed hold or mark waits for a collection that is deciding just now. */
  collectionPatienceMs: 10_000,
  collectionPollMs: 250,
  /** Hex digits that a shortened snapshot or key id needs. */
  shortestIdPrefix: 4,
  /** Largest small object, as stored: header, length field and the one segment. */
  sealedObjectSizeBytes: limits.smallObjectSizeBytes,
} as const;

/** Of the probe whether a store creates safely. */
export const probeLimits = {
  quick: { racers: 8, rounds: 20, limitMs: 4000 },
  thorough: { racers: 32, rounds: 1000, limitMs: 60 * 60 * 1000 },
  objectSizeBytes: 64,
  namesPerDeletion: 500,
  clearTimeoutMs: 10_000,
} as const;

/** What a new repository gets where its maker says nothing else. */
export const repositoryDefaults = {
  chunker: { kind: 'local-maximum-1', horizonBytes: 16 * 1024, gridBytes: 64 * 1024 } satisfies ChunkerParameters as ChunkerParameters,
  blockSizeBytes: 1 * MiB,
  packSizeBytes: 32 * MiB,
} as const;

/** How far numbers and generations of a recovery are above all that is seen: sessions of the lost future may have stored nothing yet. */
export const recoveryDistance = 2 ** 20;

/** Numbers and generations farther than this above those of the newest root that opens are nobody's: thousands of recoveries do not come so far. */
export const recoveryReach = 2 ** 32;
