/** Every limit of the storage layer. */

const MiB = 1024 * 1024;

export const storageLimits = {
  /** Characters of an object's name. */
  nameLength: 200,
  /** Bytes of one `get`, unless the caller sets another limit. */
  getSizeBytes: 512 * MiB,
  /** Bytes of one object: a temporary file that grows further is a mistake. */
  objectSizeBytes: 1024 * 1024 * MiB,
  /** Objects up to this size are made durable in the calling thread, larger ones in the thread pool. */
  inlineSyncSizeBytes: 1 * MiB,
  /** Ranges above this size are compared with the size of the file before memory is allocated for them. */
  trustedRangeSizeBytes: 1 * MiB,
  /** Parts handed to one writev (IOV_MAX of Linux). */
  partsPerWrite: 1024,
  /** A temporary file of an earlier boot of this machine is litter after this time without a change. */
  ownLitterAgeSeconds: 60 * 60,
  /** One that another machine may be writing: after this time. */
  foreignLitterAgeSeconds: 7 * 24 * 60 * 60,
  /** Versions of objects that are remembered of a store's past. */
  knownVersions: 100_000,
  /** States of one name that are looked at: who overwrites it more often hides nothing by that, it is only told. */
  versionsOfName: 10_000,
  /** Retries of stores that are reached by the network: with a store that is silent for good a call ends after about two minutes of pauses. */
  retries: { attempts: 14, firstPauseMs: 100, longestPauseMs: 15_000, budget: 400 },
  s3: {
    /** Requests at a time, of each thread. */
    connections: 32,
    mostConnections: 256,
    /** Until a connection stands, TLS included. */
    connectTimeoutMs: 10_000,
    /** Without a byte in either direction: while a request is sent, until its answer begins, and within the answer. */
    silenceTimeoutMs: 30_000,
    /**
     * Objects up to this size are kept in memory until they are whole and stored by one request, larger ones in parts of this size. A pack of the usual size
     * is one request: it is the one that stores check conditions of best, and parts would cost eight requests for each pack.
     */
    partSizeBytes: 40 * MiB,
    /** Parts of an object: no store takes more. */
    parts: 10_000,
    /** Pieces in which a body is kept and sent. */
    pieceSizeBytes: 256 * 1024,
    /** Smaller bodies are sent as one piece. */
    wholeBodySizeBytes: 256 * 1024,
    namesPerListing: 1000,
    namesPerDeletion: 1000,
    /** Days of a year, as stores count them in the retention of a bucket; longest retention that is believed. */
    daysPerYear: 365,
    longestRetentionDays: 36_500,
    /** Unfinished uploads that nobody added to for so long, by the store's clock, are litter. */
    litterAgeSeconds: 24 * 60 * 60,
    /** Longest time that ending an upload may take: what remains is litter. */
    abortTimeoutMs: 2_000,
    /** Bytes of a file of certificates. */
    certificatesSizeBytes: 1 * MiB,
  },
  /** Azure, Google and SFTP. */
  remote: {
    /** A call that has no answer after this time and the time that its bytes take on the slowest line has failed. */
    callTimeoutMs: 60_000,
    slowestBytesPerSecond: 32 * 1024,
    /** What a whole object is taken to have until its size is known: for the time limit only. */
    unknownSizeBytes: 32 * MiB,
    /** Objects up to this size are stored by one request, larger ones in parts of it. A multiple of 256 KiB, as Google wants it. */
    partSizeBytes: 8 * MiB,
    /** Of one object, beside the part that fills. */
    partsInFlight: 2,
    deletionsInFlight: 16,
    namesPerListing: 1000,
    /** A store that has never answered is not waited for as long as one that has. */
    attemptsOfFirstContact: 3,
    /** To delete what a writer that is given up has uploaded; after that it is litter. */
    abandonTimeoutMs: 5_000,
  },
  /** `lagan serve`, as its clients see it. */
  served: {
    /** Objects up to this size, with it all packs of the usual size, are one request that can be sent again; larger ones go in parts. */
    partSizeBytes: 40 * MiB,
    /** Of each thread. */
    connections: 16,
    mostConnections: 128,
    /** Bodies above this size are sent when the server has said that it wants them. */
    unaskedSizeBytes: 1 * MiB,
    askTimeoutMs: 30_000,
    /** Listings and words of the server. */
    textSizeBytes: 16 * MiB,
    /** What is remembered of the last words of a command. */
    wordsLength: 2_000,
    /** How long a command that has failed may take to say why. */
    lastWordsMs: 300,
    /** Bytes of one connection (HTTP/2) that may be on their way unanswered. */
    windowSizeBytes: 16 * MiB,
    maxSessionMemoryMiB: 256,
  },
  sftp: {
    connectTimeoutMs: 20_000,
    /** Reads and writes of this size; every server takes them. */
    pieceSizeBytes: 32 * 1024,
    /** Of one object: 2 MiB, as much as an SSH channel takes without an answer. */
    requestsInFlight: 64,
    /** Folders that are read ahead of a listing. */
    foldersAhead: 16,
  },
} as const;
