/** Every limit of the server. */

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

export const serveLimits = {
  /** Connections at a time, of everybody together: whoever comes then is turned away. */
  connections: 1024,
  /** Requests at a time of one writer. */
  requestsPerWriter: 256,
  /** Objects of one writer that go up in parts at a time. */
  uploadsPerWriter: 64,
  /** Until TLS stands; until the header of a request is there. */
  handshakeTimeoutMs: 10_000,
  headersTimeoutMs: 20_000,
  /** Without a byte of a body that is sent or taken. */
  silenceTimeoutMs: 30_000,
  /** A body that comes or is taken slower than this, after the time that everybody has, is given up. */
  slowestBytesPerSecond: 4 * 1024,
  slownessGraceMs: 60_000,
  /** Of connections without a request. */
  idleTimeoutMs: 120_000,
  headerSizeBytes: 16 * 1024,
  /** How long the rest of a body that was refused is read, so that its sender gets the answer. */
  drainTimeoutMs: 10_000,
  /** An object in parts to which nothing was added for so long is given up. */
  uploadIdleMs: 10 * 60_000,
  /** For how long it is known what became of an object in parts. */
  outcomeMs: 10 * 60_000,
  /** Requests under way have so long when the server is asked to end. */
  graceMs: 10_000,
  /** Objects are read and sent in pieces. */
  pieceSizeBytes: 1 * MiB,
  namesPerPage: 5_000,
  /** An index table has no limit of its own in the format. */
  indexTableSizeBytes: 64 * GiB,
  probeSizeBytes: 64 * 1024,
  /** Packs of which it is remembered where their contents are. */
  packsRemembered: 65_536,
  /** Of the file of tokens, and tokens in it. */
  tokenFileSizeBytes: 16 * MiB,
  tokens: 100_000,
  /** What is written down of the use of one writer. */
  usageFileSizeBytes: 1 * GiB,
  /** How often it is counted anew, at most, whether what a writer stored is still there. */
  recountIntervalMs: 60_000,
  /** A name that was written down is being stored for so long at most. */
  storingMs: 10 * 60_000,
  /** Certificates that the server makes itself. */
  certificateDays: 3650,
} as const;

/** Tests make them smaller. */
export type ServeLimits = { readonly [Name in keyof typeof serveLimits]: number };
