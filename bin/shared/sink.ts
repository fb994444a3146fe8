/** Where `cat` and `dump` put their bytes: standard output, or a new file. */
import { open, unlink } from 'node:fs/promises';
import type { Context } from './context.ts';
import { LaganError, systemError, usageError } from './errors.ts';

export interface Sink {
  write(bytes: Uint8Array): Promise<void>;
  /** Writes all of a stream and returns its size. */
  copy(stream: AsyncIterable<Uint8Array>): Promise<number>;
}

interface ClosableSink extends Sink {
  /** All is written: makes it durable, and tells what was done. */
  end(summary: object): Promise<void>;
  /** Something failed: leaves no half file behind. */
  discard(): Promise<void>;
}

/**
 * Opens the sink, lets `fill` write into it, and ends it with the summary that `fill` gives. If that fails, a new file is taken away again.
 * Binary bytes are not written to a terminal.
 */
export async function withSink(
  context: Context,
  place: { path: string | undefined; content: 'text' | 'binary' },
  fill: (sink: Sink) => Promise<object>,
): Promise<void> {
  const sink = await openSink(context, place);
  try {
    await sink.end(await fill(sink));
  } catch (error) {
    await sink.discard();
    throw error;
  }
}

async function openSink(
  context: Context,
  { path, content }: { path: string | undefined; content: 'text' | 'binary' },
): Promise<ClosableSink> {
  if (path !== undefined) return openFileSink(context, context.resolve(path));
  if (content === 'binary' && context.output.isTerminal)
    throw usageError('standard output is a terminal', 'send it to a program or a file: | tar x, > file.tar, or --output FILE');
  context.output.reserveForBytes();
  return new OutputSink(context);
}

abstract class AnySink {
  abstract write(bytes: Uint8Array): Promise<void>;

  async copy(stream: AsyncIterable<Uint8Array>): Promise<number> {
    let sizeBytes = 0;
    for await (const bytes of stream) {
      sizeBytes += bytes.length;
      await this.write(bytes);
    }
    return sizeBytes;
  }
}

class OutputSink extends AnySink implements ClosableSink {
  readonly #context: Context;

  constructor(context: Context) {
    super();
    this.#context = context;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#context.output.write(bytes);
    // What is written belongs to the caller again: the output must not keep it.
    await this.#context.output.flush();
  }

  async end(summary: object): Promise<void> {
    await this.#context.output.flush();
    await this.#context.output.json(summary);
  }

  async discard(): Promise<void> {}
}

class FileSink extends AnySink implements ClosableSink {
  readonly #context: Context;
  readonly #file: Awaited<ReturnType<typeof open>>;
  readonly #path: string;

  constructor(context: Context, file: Awaited<ReturnType<typeof open>>, path: string) {
    super();
    this.#context = context;
    this.#file = file;
    this.#path = path;
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let offset = 0; offset < bytes.length; ) offset += (await this.#file.write(bytes, offset)).bytesWritten;
    } catch (error) {
      throw systemError('write', this.#path, error);
    }
  }

  async end(summary: object): Promise<void> {
    await this.#file.sync();
    await this.#file.close();
    await this.#context.output.json(summary);
  }

  async discard(): Promise<void> {
    await this.#file.close();
    await unlink(this.#path).catch(() => {});
  }
}

async function openFileSink(context: Context, path: string): Promise<ClosableSink> {
  try {
    return new FileSink(context, await open(path, 'wx', 0o600), path);
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw isThere
      ? new LaganError('exists', `${path} exists already`, { object: path, hint: 'give a name that is free' })
      : systemError('make', path, error);
  }
}
