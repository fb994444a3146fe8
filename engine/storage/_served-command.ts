/** `lagan serve --stdio` at the other end of a command's standard streams: one process, and many requests at once by HTTP/2. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import http2 from 'node:http2';
import { PassThrough, pipeline, type Readable, type Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { LaganError } from '../../repo-format/mod.ts';
import type { CommandPlace } from './_served-place.ts';
import type { ServedRequest, ServedResponse, ServedTransport } from './_served-transport.ts';
import { JoinedStream } from './joined-stream.ts';
import { storageLimits } from './limits.ts';

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

export class CommandTransport implements ServedTransport {
  readonly #place: CommandPlace;
  #connection: Connection | undefined;

  constructor(place: CommandPlace) {
    this.#place = place;
  }

  async request({ method, path, headers, body, signal }: ServedRequest): Promise<ServedResponse> {
    if (this.#connection === undefined || this.#connection.isOver) this.#connection = new Connection(this.#place.command);
    const connection = this.#connection;
    const stream = connection.session.request(
      { ':method': method, ':path': path, ...headers, ...(body !== undefined && { 'content-length': String(body.length) }) },
      { endStream: body === undefined, signal },
    );
    if (body !== undefined) stream.end(body);
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => void connection.explain(error).then(reject);
      stream.on('error', fail);
      stream.once('close', () => fail(new Error('the stream was closed')));
      stream.once('response', (answer) => {
        // Node throws away what nobody takes at once.
        const body = pipeline(stream, new PassThrough(), () => undefined);
        resolve({ status: Number(answer[':status']), headers: answer as Record<string, string | undefined>, body });
      });
    });
  }

  close(): void {
    this.#connection?.end();
  }
}

class Connection {
  readonly session: http2.ClientHttp2Session;
  readonly #child: Child;
  readonly #program: string;
  readonly #ended: Promise<unknown>;
  #words = '';
  #failure: Error | undefined;
  #exit: string | undefined;

  constructor(command: readonly string[]) {
    const [program = '', ...options] = command;
    this.#program = program;
    this.#child = spawn(program, options, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.on('error', (error) => {
      this.#failure = error;
    });
    this.#child.on('exit', (code, signal) => {
      this.#exit = signal === null ? `with ${code}` : `by ${signal}`;
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#words = (this.#words + text).slice(-storageLimits.served.wordsLength);
    });
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve).once('error', resolve));
    this.session = sessionOver(this.#child);
    // What goes wrong is told by the requests.
    this.session.on('error', () => this.end());
    this.session.on('close', () => this.end());
    // A process whose work is done must not wait for a server that waits for requests.
    for (const stream of [this.#child, this.#child.stdin, this.#child.stdout, this.#child.stderr, this.session])
      (stream as { unref?: () => void }).unref?.();
  }

  get isOver(): boolean {
    return this.session.closed || this.session.destroyed || this.#exit !== undefined || this.#failure !== undefined;
  }

  end(): void {
    if (!this.session.destroyed) this.session.destroy();
    this.#child.stdin.destroy();
    this.#child.stdout.destroy();
    if (this.#exit === undefined && this.#failure === undefined) this.#child.kill('SIGTERM');
  }

  /** The last words of the program say more than the end of its stream. */
  async explain(error: Error): Promise<Error> {
    if (error.name === 'AbortError') return error;
    // They may come a little later.
    await Promise.race([this.#ended, sleep(storageLimits.served.lastWordsMs, undefined, { ref: false })]);
    const words = this.#words.trim().split('\n').slice(-3).join('; ');
    const reason = this.#failure?.message ?? (words || (this.#exit === undefined ? error.message : `it ended ${this.#exit}`));
    const isRefused = /permission denied|host key verification failed|command not found|not found$/i.test(reason);
    const hint =
      isRefused || this.#failure !== undefined
        ? 'run the same ssh command by hand; its key must be let in, and the server must run lagan serve --stdio'
        : undefined;
    return new LaganError(isRefused ? 'forbidden' : 'unavailable', `${this.#program} does not reach the server: ${reason}`, {
      cause: error,
      hint,
    });
  }
}

function sessionOver({ stdin, stdout }: Child): http2.ClientHttp2Session {
  const { windowSizeBytes, maxSessionMemoryMiB } = storageLimits.served;
  const duplex = new JoinedStream(stdout, stdin);
  duplex.on('error', () => undefined);
  const session = http2.connect('http://lagan', {
    createConnection: () => duplex,
    maxSessionMemory: maxSessionMemoryMiB,
    settings: { initialWindowSize: windowSizeBytes, enablePush: false },
  });
  session.once('connect', () => session.setLocalWindowSize(windowSizeBytes));
  return session;
}
