import { type Content, type FileEntry, noContent } from '../../repo-format/mod.ts';
import { type CopyDispatcher, stretchesOfContent } from '../backup/mod.ts';
import type { TreeReader } from '../trees/mod.ts';
import type { Contents, ContentUnderWay } from './_contents.ts';
import { type CopyLimits, copyLimits } from './_limits.ts';
import { isSameContent } from './_same-content.ts';

interface WaitingFile {
  readonly file: FileEntry;
  readonly stored: PromiseWithResolvers<Content>;
}

/** Contents between repositories that cut files or name chunks differently: they are read, and cut and named as the target does. */
export class RecutFiles implements Contents {
  readonly #copies: CopyDispatcher;
  readonly #reader: TreeReader;
  readonly #limits: CopyLimits;
  #batch: WaitingFile[] = [];
  #batchBytes = 0;
  /** Files with several names: the first of which the copy is known, by device and inode. */
  readonly #linked = new Map<string, { readonly content: Content; readonly stored: Promise<Content> }>();

  /** `reader` reads trees of the source. */
  constructor(copies: CopyDispatcher, reader: TreeReader, limits: CopyLimits) {
    this.#copies = copies;
    this.#reader = reader;
    this.#limits = limits;
  }

  store(file: FileEntry): ContentUnderWay {
    if (file.content.form === 'none') return { stored: Promise.resolve(noContent), given: undefined };
    const link = file.extensions.link && `${file.extensions.link.device}:${file.inode}`;
    const other = link === undefined ? undefined : this.#linked.get(link);
    if (other !== undefined && isSameContent(other.content, file.content)) return { stored: other.stored, given: undefined };
    const underWay = file.size > this.#limits.pieceBytes ? this.#storeLarge(file) : this.#addToBatch(file);
    if (link !== undefined && this.#linked.size < copyLimits.linkedFiles)
      this.#linked.set(link, { content: file.content, stored: underWay.stored });
    return underWay;
  }

  async flush(): Promise<void> {
    const batch = this.#batch;
    if (batch.length === 0) return;
    this.#batch = [];
    this.#batchBytes = 0;
    try {
      const { contents } = await this.#copies.giveFiles(batch.map(({ file }) => file));
      contents.then(
        (found) => found.forEach((content, index) => void batch[index]!.stored.resolve(content)),
        (error: unknown) => rejectAll(batch, error),
      );
    } catch (error) {
      rejectAll(batch, error);
      throw error;
    }
  }

  #addToBatch(file: FileEntry): ContentUnderWay {
    const stored = Promise.withResolvers<Content>();
    stored.promise.catch(() => undefined); // Whoever waits for it is told.
    this.#batch.push({ file, stored });
    this.#batchBytes += file.size;
    const isFull = this.#batch.length >= this.#limits.batchFiles || this.#batchBytes >= this.#limits.batchBytes;
    return { stored: stored.promise, given: isFull ? this.flush() : undefined };
  }

  #storeLarge(file: FileEntry): ContentUnderWay {
    const stored = this.#copyPieces(file);
    stored.catch(() => undefined);
    return { stored, given: stored.then(() => undefined) };
  }

  async #copyPieces(file: FileEntry): Promise<Content> {
    // What came before is not to wait for it.
    await this.flush();
    const tree = this.#copies.newContent();
    const underWay: Promise<void>[] = [];
    for await (const { kind, start, end } of stretchesOfContent(this.#reader, file.content)) {
      if (kind === 'hole') {
        await Promise.all(underWay.splice(0));
        await tree.add([{ kind: 'hole', length: end - start }]);
        continue;
      }
      for (let from = start; from < end; from += this.#limits.pieceBytes) {
        const to = Math.min(end, from + this.#limits.pieceBytes);
        const { extents } = await this.#copies.givePiece({ file, start: from, end: to, last: to === end });
        const added = extents.then((known) => tree.add(known));
        added.catch(() => undefined);
        underWay.push(added);
        if (underWay.length >= copyLimits.piecesAtOnce) await underWay.shift();
      }
    }
    await Promise.all(underWay);
    return tree.finish();
  }
}

function rejectAll(batch: readonly WaitingFile[], error: unknown): void {
  for (const { stored } of batch) stored.reject(error);
}
