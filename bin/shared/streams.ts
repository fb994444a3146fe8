/** Streams that a backup reads: standard input, and what a command prints. */
import { spawn } from 'node:child_process';
import { type Context, interrupted } from './context.ts';
import { LaganError, usageError } from './errors.ts';
import type { InputStream } from './output.ts';

/** A list of paths may have this much. */
const maximumListBytes = 1024 * 1024 * 1024;

/** All of a stream. */
export async function readAll(stream: InputStream): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const piece of stream) {
    pieces.push(Buffer.from(piece as Uint8Array));
    sizeBytes += pieces.at(-1)!.length;
    if (sizeBytes > maximumListBytes) throw usageError('the list of paths has more than 1 GiB');
  }
  return Buffer.concat(pieces);
}

/**
 * What a command prints. The stream ends well only if the command does: with any other exit code, a signal, or a command that cannot be
 * started, it fails with `io`. The command gets the signals of the terminal itself; when the backup is interrupted otherwise it is ended.
 */
export async function* commandStream(command: readonly string[], { io, signal }: Context): AsyncGenerator<Uint8Array> {
  const [program = '', ...parameters] = command;
  const { LAGAN_PASSWORD: _, ...env } = io.env;
  const child = spawn(program, parameters, { cwd: io.cwd, env, stdio: ['inherit', 'pipe', 'inherit'] });
  const ending = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve((error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such program' : error.message));
    child.on('close', (status, by) => resolve(status === 0 ? '' : by ? `it was ended by ${by}` : `it ended with exit code ${status}`));
  });
  const end = () => child.kill();
  signal.addEventListener('abort', end);
  try {
    for await (const piece of child.stdout) yield piece as Uint8Array;
    const reason = await ending;
    if (signal.aborted) throw interrupted();
    if (reason !== '') throw new LaganError('io', `the command ${program} failed: ${reason}; no snapshot was made`, { object: program });
  } finally {
    signal.removeEventListener('abort', end);
    child.stdout.destroy();
    end();
  }
}
