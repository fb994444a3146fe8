/** The bytes of a stream behind some offset: what would be stored again if the packs that they are in came to nothing. */
export class RetainedBytes {
  #pieces: Uint8Array[] = [];
  /** Offset of the first retained byte in the stream. */
  #start = 0;
  sizeBytes = 0;

  /** The retained pieces, in order. */
  get pieces(): readonly Uint8Array[] {
    return [...this.#pieces];
  }

  add(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.sizeBytes += piece.length;
  }

  /** Forgets all before `offset`, which is not before what was forgotten last. */
  dropBefore(offset: number): void {
    let excess = offset - this.#start;
    this.#start = offset;
    this.sizeBytes -= excess;
    while (excess > 0) {
      const [first] = this.#pieces;
      if (first!.length > excess) {
        this.#pieces[0] = first!.subarray(excess);
        return;
      }
      excess -= first!.length;
      this.#pieces.shift();
    }
  }
}
