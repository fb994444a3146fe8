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
} as const;
