/**
 * One SSH connection with one SFTP channel. Many requests are under way at once; the server answers them in its order.
 *
 * A connection that is idle does not keep the process alive. When it is lost, all that is under way fails with `unavailable`, and the session stays lost.
 */
import { readFileSync } from 'node:fs';
import net from 'node:net';
import type { AnyAuthMethod, Client, SFTPWrapper, Stats } from 'ssh2';
import { LaganError } from '../../repo-format/mod.ts';
import { checkHostKey, hostKeyAlgorithms, knownKeysOf, noKnownKind } from './_known-hosts.ts';
import type { SshSettings } from './_ssh-config.ts';
import { storageLimits } from './limits.ts';

/** Numbers of SSH_FXP_STATUS. */
export const sftpStatus = { noSuchFile: 2, permissionDenied: 3, failure: 4, unsupported: 8 } as const;

export interface FolderEntry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'other';
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
}

export interface FileSystemStatus {
  readonly freeBlocks: number;
  readonly isReadOnly: boolean;
}

type Done<T> = (error: Error | null | undefined, value: T) => void;
type SendRequest<T> = (sftp: SFTPWrapper, done: Done<T>) => void;

export class SftpSession {
  readonly #client: Client;
  readonly #socket: net.Socket;
  readonly #sftp: SFTPWrapper;
  readonly #settings: SshSettings;
  readonly #pending = new Set<(error: Error) => void>();
  #lost: LaganError | undefined;

  /** Errors: `unavailable`, `forbidden` (key or host key), `unsupported` (no SFTP there). */
  static async connect(settings: SshSettings): Promise<SftpSession> {
    const { default: ssh2 } = await import('ssh2');
    const known = knownKeysOf(settings);
    const algorithms = hostKeyAlgorithms(known);
    const methods = authenticationMethods(settings, ssh2.utils.parseKey);
    const socket = net.connect({ host: settings.hostName, port: settings.port, keepAlive: true, noDelay: true });
    const client = new ssh2.Client();
    let refusal: LaganError | undefined;
    try {
      const sftp = await new Promise<SFTPWrapper>((resolve, reject) => {
        socket.once('error', reject);
        client.on('error', reject);
        client.on('close', () => reject(connectionLost(settings)));
        client.on('ready', () => client.sftp((error, sftp) => (error ? reject(noSftp(settings, error)) : resolve(sftp))));
        client.connect({
          sock: socket,
          username: settings.user,
          readyTimeout: storageLimits.sftp.connectTimeoutMs,
          // The types know no list of servers' key algorithms by name.
          ...(algorithms !== undefined && { algorithms: { serverHostKey: algorithms as never } }),
          authHandler: [...methods],
          hostVerifier: (key: Buffer) => {
            refusal = checkHostKey(key, known, settings);
            return refusal === undefined;
          },
        });
      });
      return new SftpSession({ client, socket, sftp, settings });
    } catch (error) {
      client.on('error', () => undefined);
      client.end();
      socket.destroy();
      throw (
        refusal ??
        explainConnection(error, settings, { known: known.length > 0 ? noKnownKind(known, settings) : undefined, tried: methods.length })
      );
    }
  }

  private constructor(parts: { client: Client; socket: net.Socket; sftp: SFTPWrapper; settings: SshSettings }) {
    this.#client = parts.client;
    this.#socket = parts.socket;
    this.#sftp = parts.sftp;
    this.#settings = parts.settings;
    const onLoss = (cause?: Error) => this.#lose(connectionLost(parts.settings, cause));
    this.#client.on('error', onLoss).on('close', () => onLoss());
    this.#sftp.on('error', onLoss).on('close', () => onLoss());
    this.#socket.unref();
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Ends the connection; what is under way fails with `error`. */
  end(error = new LaganError('unavailable', 'the connection was closed')): void {
    this.#lose(error);
    this.#client.end();
    this.#socket.destroy();
  }

  open(path: string, flags: 'r' | 'r+' | 'wx', mode?: number): Promise<Buffer> {
    return this.#request((sftp, done) => sftp.open(path, flags, mode === undefined ? {} : { mode }, done));
  }

  /** Nobody waits for it, and nothing depends on it. */
  close(handle: Buffer): void {
    this.#request<void>((sftp, done) => sftp.close(handle, done as never)).catch(() => undefined);
  }

  /** Reads until `target` is full or the file ends; returns how many bytes it read. */
  async read(handle: Buffer, target: Uint8Array, offset: number, onBytes: (count: number) => Promise<void>): Promise<number> {
    const pieces = piecesOf(target.length);
    const counts = await eachInWindow(pieces, async ({ start, length }) => {
      const count = await this.#readPiece(handle, target.subarray(start, start + length), offset + start);
      await onBytes(count);
      return count;
    });
    const firstShort = counts.findIndex((count, index) => count < pieces[index]!.length);
    return firstShort === -1 ? target.length : pieces[firstShort]!.start + counts[firstShort]!;
  }

  async write(handle: Buffer, bytes: Uint8Array, offset: number, beforeBytes: (count: number) => Promise<void>): Promise<void> {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    await eachInWindow(piecesOf(bytes.length), async ({ start, length }) => {
      await beforeBytes(length);
      await this.#request<void>((sftp, done) => sftp.write(handle, buffer, start, length, offset + start, done as never));
    });
  }

  get canSync(): boolean {
    return this.#offers('fsync@openssh.com');
  }

  get canLink(): boolean {
    return this.#offers('hardlink@openssh.com');
  }

  sync(handle: Buffer): Promise<void> {
    return this.#request<void>((sftp, done) => sftp.ext_openssh_fsync(handle, done as never));
  }

  link(from: string, to: string): Promise<void> {
    return this.#request<void>((sftp, done) => sftp.ext_openssh_hardlink(from, to, done as never));
  }

  unlink(path: string): Promise<void> {
    return this.#request<void>((sftp, done) => sftp.unlink(path, done as never));
  }

  makeFolder(path: string, mode: number): Promise<void> {
    return this.#request<void>((sftp, done) => sftp.mkdir(path, { mode }, done as never));
  }

  changeMode(path: string, mode: number): Promise<void> {
    return this.#request<void>((sftp, done) => sftp.chmod(path, mode, done as never));
  }

  setTime(path: string, seconds: number): Promise<void> {
    return this.#request<void>((sftp, done) => sftp.utimes(path, seconds, seconds, done as never));
  }

  status(path: string): Promise<Stats> {
    return this.#request((sftp, done) => sftp.stat(path, done));
  }

  /** Of a link itself. */
  statusAt(path: string): Promise<Stats> {
    return this.#request((sftp, done) => sftp.lstat(path, done));
  }

  statusOf(handle: Buffer): Promise<Stats> {
    return this.#request((sftp, done) => sftp.fstat(handle, done));
  }

  async readFolder(path: string): Promise<FolderEntry[]> {
    const entries = await this.#request<{ filename: string; attrs: Stats }[]>((sftp, done) => sftp.readdir(path, done as never));
    return entries.map(({ filename, attrs }) => ({
      name: filename,
      kind: attrs.isFile() ? 'file' : attrs.isDirectory() ? 'folder' : 'other',
      sizeBytes: attrs.size,
      mtimeSeconds: attrs.mtime,
    }));
  }

  /** Undefined if the server does not tell. */
  async fileSystem(path: string): Promise<FileSystemStatus | undefined> {
    if (!this.#offers('statvfs@openssh.com', '2')) return undefined;
    const status = await this.#request<{ f_bavail: number; f_flag: number }>((sftp, done) => sftp.ext_openssh_statvfs(path, done as never));
    return { freeBlocks: Number(status.f_bavail), isReadOnly: (Number(status.f_flag) & 1) !== 0 };
  }

  async #readPiece(handle: Buffer, target: Uint8Array, offset: number): Promise<number> {
    const buffer = Buffer.from(target.buffer, target.byteOffset, target.length);
    let filled = 0;
    while (filled < buffer.length) {
      const count = await this.#request<number>((sftp, done) =>
        sftp.read(handle, buffer, filled, buffer.length - filled, offset + filled, done as never),
      );
      if (count === 0) break;
      filled += count;
    }
    return filled;
  }

  /** Extensions that the server told of when it greeted us; the library keeps them to itself. */
  #offers(extension: string, version = '1'): boolean {
    const { _extensions } = this.#sftp as unknown as { _extensions?: Readonly<Record<string, string>> };
    return _extensions?.[extension] === version;
  }

  #request<T>(send: SendRequest<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#lost !== undefined) throw this.#lost;
      const settle = () => {
        this.#pending.delete(fail);
        if (this.#pending.size === 0) this.#socket.unref();
      };
      const fail = (error: Error) => {
        settle();
        reject(error);
      };
      if (this.#pending.size === 0) this.#socket.ref();
      this.#pending.add(fail);
      try {
        send(this.#sftp, (error, value) => {
          if (!this.#pending.has(fail)) return;
          if (error) return fail(isAnswer(error) ? error : this.#breakDown(error));
          settle();
          resolve(value);
        });
      } catch (error) {
        fail(error as Error);
      }
    });
  }

  /** An error that is no answer of the server: the library lost the thread, and with it all other answers. */
  #breakDown(cause: Error): LaganError {
    const error = connectionLost(this.#settings, cause);
    this.end(error);
    return error;
  }

  #lose(error: LaganError): void {
    this.#lost ??= error;
    for (const fail of [...this.#pending]) fail(this.#lost);
  }
}

function isAnswer(error: Error): boolean {
  return 'code' in error && typeof error.code === 'number';
}

/** Runs `call` for all values, a limited number at a time; the first error ends it. */
async function eachInWindow<T, R>(values: readonly T[], call: (value: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(values.length);
  let next = 0;
  const run = async () => {
    while (next < values.length) {
      const index = next++;
      results[index] = await call(values[index]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(storageLimits.sftp.requestsInFlight, values.length) }, run));
  return results;
}

function piecesOf(length: number): { start: number; length: number }[] {
  const { pieceSizeBytes } = storageLimits.sftp;
  return Array.from({ length: Math.ceil(length / pieceSizeBytes) }, (_, index) => {
    const start = index * pieceSizeBytes;
    return { start, length: Math.min(pieceSizeBytes, length - start) };
  });
}

/** The agent's keys first, then the files. Encrypted files are passed over: the agent is the place for their passphrases. */
function authenticationMethods(settings: SshSettings, parseKey: (data: Buffer) => unknown): AnyAuthMethod[] {
  const { user: username, agent, identityFiles } = settings;
  const methods: AnyAuthMethod[] = agent === undefined ? [] : [{ type: 'agent', username, agent }];
  for (const file of identityFiles) {
    const key = readKey(file);
    if (key !== undefined && !(parseKey(key) instanceof Error)) methods.push({ type: 'publickey', username, key });
  }
  return methods;
}

function readKey(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

function explainConnection(
  error: unknown,
  settings: SshSettings,
  { known, tried }: { known: LaganError | undefined; tried: number },
): unknown {
  if (error instanceof LaganError || !(error instanceof Error)) return error;
  const { hostName, port, user } = settings;
  const level = 'level' in error ? error.level : undefined;
  if (level === 'client-authentication') {
    const message = `the server ${hostName} let nobody in as ${user}: ${tried === 0 ? 'there is neither an agent nor a key' : 'it knows none of the keys'}`;
    const hint = `ssh -p ${port} ${user}@${hostName} must work without a question: put the key into the agent (ssh-add), or name its file in ~/.ssh/config (IdentityFile); a key file with a passphrase works through the agent only`;
    return new LaganError('forbidden', message, { cause: error, hint });
  }
  if (known !== undefined && /no matching host key/i.test(error.message)) return known;
  if (/no matching/i.test(error.message))
    return new LaganError('unsupported', `the server ${hostName}: ${error.message}`, { cause: error });
  return new LaganError('unavailable', `no connection to ${hostName} port ${port}: ${error.message}`, { cause: error });
}

function connectionLost({ hostName }: SshSettings, cause?: Error): LaganError {
  return new LaganError('unavailable', `the connection to ${hostName} was lost`, { cause });
}

function noSftp({ hostName }: SshSettings, cause: Error): LaganError {
  return new LaganError('unsupported', `the server ${hostName} has no SFTP: ${cause.message}`, {
    cause,
    hint: "its sshd_config needs a line 'Subsystem sftp internal-sftp'",
  });
}
