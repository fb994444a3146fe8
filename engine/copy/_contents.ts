import type { Content, FileEntry } from '../../repo-format/mod.ts';

/** A file's content on its way into the target. */
export interface ContentUnderWay {
  /** Resolves when it is known. */
  readonly stored: Promise<Content>;
  /** If it is there: resolves when more may be given. */
  readonly given: Promise<void> | undefined;
}

/** Brings contents of files into the target: as the blocks that they are in, or cut anew. */
export interface Contents {
  store(file: FileEntry): ContentUnderWay;
  /** What waits for more of its kind goes on its way; needed before anyone waits for a content. */
  flush(): Promise<void>;
}
