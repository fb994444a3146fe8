/** Both directions of a pair of pipes as one stream. */
import { Duplex, type Readable, type Writable } from 'node:stream';

type Done = (error?: Error | null) => void;

/** Unlike `Duplex.from` it answers each write, also one that is under way when the other end goes: HTTP/2 waits for that. */
export class JoinedStream extends Duplex {
  readonly #readable: Readable;
  readonly #writable: Writable;
  #writing: Done | undefined;

  constructor(readable: Readable, writable: Writable) {
    super();
    this.#readable = readable;
    this.#writable = writable;
    readable.on('data', (bytes) => {
      if (!this.push(bytes)) readable.pause();
    });
    readable.pause();
    readable.on('end', () => this.push(null));
    for (const stream of [readable, writable]) stream.on('error', (error) => this.destroy(error));
    readable.on('close', () => this.#readable.readableEnded || this.destroy());
    writable.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#readable.resume();
  }

  override _write(bytes: Uint8Array, _encoding: string, done: Done): void {
    this.#writing = done;
    this.#writable.write(bytes, (error) => this.#written(error));
  }

  override _final(done: Done): void {
    this.#writable.end(() => done());
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#readable.destroy();
    this.#writable.destroy();
    this.#written(error ?? new Error('the stream was closed'));
    done(error);
  }

  #written(error: Error | null | undefined): void {
    const done = this.#writing;
    this.#writing = undefined;
    done?.(error);
  }
}
