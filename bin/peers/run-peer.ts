/** Runs the program of a peer: nothing to answer its questions, its errors kept, ended when the import is interrupted. */
import { spawn } from 'node:child_process';
import { type Context, interrupted } from '../shared/context.ts';
import { LaganError } from '../shared/errors.ts';
import type { Command, Peer, PeerCommands } from './peer.ts';

/** What a list of snapshots may have. */
const maximumOutputBytes = 512 * 1024 * 1024;
/** Lines of its standard error that are kept. */
const keptLines = 20;

/** `place`: where its repository is, if the variable of the peer does not say it. */
export function commandsOf(context: Context, peer: Peer, place: string | undefined): PeerCommands {
  const env = environmentOf(context, peer, place);
  const start = (command: Command, output: 'kept' | 'ignored') => runPeer(context, peer, { ...command, env, output });
  return {
    read: async (command) => (await start(command, 'kept')).output,
    run: async (command) => (await start(command, 'ignored')).warnings,
  };
}

/** All but Lagan's own secrets. Times are in UTC: borg prints them without a zone. */
function environmentOf({ io }: Context, { placeVariable }: Peer, place: string | undefined): NodeJS.ProcessEnv {
  const own = Object.entries(io.env).filter(([name]) => !name.startsWith('LAGAN_'));
  return {
    ...Object.fromEntries(own),
    TZ: 'UTC',
    KOPIA_CHECK_FOR_UPDATES: 'false',
    ...(place !== undefined && { [placeVariable]: place }),
  };
}

interface Started extends Command {
  readonly env: NodeJS.ProcessEnv;
  readonly output: 'kept' | 'ignored';
}

async function runPeer(
  context: Context,
  peer: Peer,
  { parameters, cwd = context.io.cwd, isPartial = () => false, env, output }: Started,
): Promise<{ output: string; warnings: readonly string[] }> {
  const child = spawn(peer.name, parameters, { cwd, env, stdio: ['ignore', output === 'kept' ? 'pipe' : 'ignore', 'pipe'] });
  const end = () => child.kill();
  context.signal.addEventListener('abort', end);
  const [said, problems] = [new Kept(maximumOutputBytes), new LastLines()];
  child.stdout?.on('data', (piece: Buffer) => said.add(piece) || child.kill());
  child.stderr?.on('data', (piece: Buffer) => problems.add(piece));
  try {
    const reason = await new Promise<string | number>((resolve) => {
      child.on('error', (error) => resolve((error as NodeJS.ErrnoException).code === 'ENOENT' ? 'ENOENT' : error.message));
      child.on('close', (status, signal) => resolve(status ?? `it was ended by ${signal}`));
    });
    if (context.signal.aborted) throw interrupted();
    const isDone = reason === 0 || (typeof reason === 'number' && isPartial(reason, problems.lines));
    if (isDone) return { output: said.text, warnings: reason === 0 ? [] : problems.lines };
    throw failure(peer, parameters, { reason, lines: problems.lines });
  } finally {
    context.signal.removeEventListener('abort', end);
  }
}

function failure(
  { name, placeVariable, secretVariables }: Peer,
  parameters: readonly string[],
  { reason, lines }: { reason: string | number; lines: readonly string[] },
): LaganError {
  if (reason === 'ENOENT')
    return new LaganError('unsupported', `there is no program ${name} on the PATH`, {
      object: name,
      hint: `install ${name}, or put the folder that it is in into PATH`,
    });
  const why = typeof reason === 'number' ? `it ended with exit code ${reason}` : reason;
  const said = lines.length > 0 ? `: ${lines.join('; ')}` : '';
  return new LaganError('io', `${name} ${parameters[0]} failed, ${why}${said}`, {
    object: name,
    hint: `its repository is named by --from or ${placeVariable}, its secret by ${secretVariables.join(', ')}; try: ${name} ${parameters.slice(0, 2).join(' ')}`,
  });
}

class Kept {
  readonly #limitBytes: number;
  readonly #pieces: Buffer[] = [];
  #sizeBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** False if it is too much. */
  add(piece: Buffer): boolean {
    this.#sizeBytes += piece.length;
    if (this.#sizeBytes > this.#limitBytes) return false;
    this.#pieces.push(piece);
    return true;
  }

  get text(): string {
    return Buffer.concat(this.#pieces).toString('utf8');
  }
}

class LastLines {
  #text = '';

  add(piece: Buffer): void {
    this.#text = (this.#text + piece.toString('utf8')).split('\n').slice(-keptLines).join('\n').slice(-16_384);
  }

  get lines(): readonly string[] {
    return this.#text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
  }
}
