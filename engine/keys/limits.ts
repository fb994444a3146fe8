/** Limits of secrets and key slots, beside those of the format. */
export const keyLimits = {
  /** A key file or a password file. */
  fileSizeBytes: 64 * 1024,
  /** UTF-8 bytes of a password. */
  passwordSizeBytes: 4096,
  /** Characters of a slot's label. */
  labelLength: 200,
  /** Slots of a repository: each wrong password costs an Argon2id for each of them. */
  slots: 256,
} as const;
