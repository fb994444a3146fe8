/**
 * A storage in a folder of an SSH server, by SFTP: `sftp://user@host:port/absolute/path`, or `sftp://host/~/path` beneath the home of the user.
 *
 * Durable and atomic as a local folder: bytes go to a file in `temporary/`, are synced (fsync@openssh.com, where the server has it), and its length is checked; a hard
 * link (hardlink@openssh.com, which fails if the name is taken) gives it its name; then the folder is synced. A server without that extension cannot hold a repository:
 * the plain rename of SFTP has no agreed meaning where the name is taken.
 *
 * One connection for each thread, made at the first call and made anew when it is lost. Keys come from ssh-agent and from the files that `~/.ssh/config` names; the
 * server's key must be in known_hosts.
 */
import { randomInt } from 'node:crypto';
import path from 'node:path';
import pLimit from 'p-limit';
import type { Stats } from 'ssh2';
import { type ErrorCode, isLaganError, LaganError } from '../../repo-format/mod.ts';
import {
  checkGetSize,
  checkObjectName,
  checkPrefix,
  checkRange,
  isObjectName,
  notFound,
  temporaryFolderName,
  throwIfInterrupted,
  tooShort,
} from './_names.ts';
import { type Part, type PartUpload, PartWriter, WholeContent } from './_part-writer.ts';
import { parsePlaceUrl } from './_place-url.ts';
import { fateOfMaker, newTemporaryName } from './_process-identity.ts';
import { remoteCall } from './_remote-call.ts';
import { Retries, type RetryOptions } from './_retries.ts';
import { type FolderEntry, SftpSession, sftpStatus } from './_sftp-session.ts';
import { type SshSettings, sshSettingsOf } from './_ssh-config.ts';
import type { TransferLimits } from './_transfer-limits.ts';
import { storageLimits } from './limits.ts';
import type {
  ByteRange,
  CallOptions,
  CreateOutcome,
  GetOptions,
  ListedObject,
  ListOptions,
  ObjectEnd,
  ObjectWriter,
  PlaceState,
  Storage,
  StorageDescription,
} from './storage.ts';

const form = 'sftp://USER@HOST:PORT/ABSOLUTE/PATH, or sftp://USER@HOST/~/PATH beneath the home folder';
const newFolderMode = 0o700;

export interface SftpFolderOptions {
  readonly limits: TransferLimits;
  /** Somebody has talked to the server at this address. */
  readonly hasAnswered?: boolean | undefined;
  /** For tests. */
  readonly retries?: RetryOptions | undefined;
}

interface Request {
  /** For messages: what is tried. */
  readonly attempt: string;
  readonly name?: string | undefined;
  readonly signal: AbortSignal | undefined;
  /** Bytes that go over the network. */
  readonly sizeBytes?: number;
}

export class SftpFolder implements Storage {
  readonly location: string;
  /** As the server understands it: absolute, or beneath the home of the user. */
  readonly #root: string;
  readonly #host: string;
  readonly #given: { user: string; port: number | undefined };
  readonly #limits: TransferLimits;
  readonly #retries: Retries;
  readonly #writers = new Set<ObjectWriter>();
  #settings: SshSettings | undefined;
  #session: Promise<SftpSession> | undefined;
  #hasAnswered: boolean;

  /** Errors: `usage`. */
  constructor(url: string, { limits, hasAnswered = false, retries }: SftpFolderOptions) {
    const place = parsePlaceUrl(url, { form, parameters: [] });
    const [first, ...rest] = place.path;
    if (place.host === '' || first === undefined)
      throw new LaganError('usage', `${url} names no host and folder`, { hint: `write ${form}` });
    this.location = url;
    this.#root = first === '~' ? rest.join('/') || '.' : `/${place.path.join('/')}`;
    this.#host = place.host.replace(/^\[(.*)\]$/, '$1');
    this.#given = { user: place.user, port: place.port };
    this.#limits = limits;
    this.#hasAnswered = hasAnswered;
    this.#retries = new Retries(retries);
  }

  async state({ signal }: CallOptions = {}): Promise<PlaceState> {
    return this.#run({ attempt: 'reading the folder', signal }, async (session) => {
      try {
        return (await this.#holdsNothing(session, this.#root)) ? 'empty' : 'occupied';
      } catch (error) {
        if (statusOf(error) !== sftpStatus.noSuchFile) throw error;
        await this.#checkRoot(session).catch((rootError: unknown) => {
          if (!isLaganError(rootError, 'no-repository') || rootError.found !== 'absent') throw rootError;
        });
        return 'absent';
      }
    });
  }

  async prepare({ signal }: CallOptions = {}): Promise<void> {
    await this.#run({ attempt: 'making the folder', signal }, async (session) => {
      const there = await unlessAbsent(session.status(this.#root));
      if (there?.isDirectory() !== false) await this.#makeFolders(session, this.#root, newFolderMode);
      await this.#checkRoot(session);
    });
  }

  async removeLitter({ signal }: CallOptions = {}): Promise<number> {
    return this.#run({ attempt: 'removing old temporary files', signal }, async (session) => {
      await this.#checkRoot(session);
      const folder = this.#pathOf(temporaryFolderName);
      const litter = ((await unlessAbsent(session.readFolder(folder))) ?? []).filter(isLitter);
      await Promise.all(litter.map(({ name }) => unlessAbsent(session.unlink(`${folder}/${name}`))));
      return litter.length;
    });
  }

  async get(name: string, range?: ByteRange, options: GetOptions = {}): Promise<Uint8Array> {
    checkObjectName(name);
    checkRange(range);
    if (range !== undefined && 'length' in range) checkGetSize(name, range.length, options);
    const { signal } = options;
    const sizeBytes = range === undefined ? storageLimits.remote.unknownSizeBytes : 'last' in range ? range.last : range.length;
    const bytes = await this.#run({ attempt: 'reading', name, signal, sizeBytes }, (session, _, onProgress) =>
      this.#read(session, { name, range, options, onProgress }),
    );
    if (options.into === undefined) return bytes;
    // Only now: whoever is interrupted may use its memory for something else while the server still sends.
    options.into.set(bytes);
    return options.into.subarray(0, bytes.length);
  }

  async getEnd(name: string, last: number, options: GetOptions = {}): Promise<ObjectEnd> {
    const [objectSizeBytes, bytes] = await Promise.all([this.size(name, options), this.get(name, { last }, options)]);
    return { bytes, objectSizeBytes };
  }

  async size(name: string, { signal }: CallOptions = {}): Promise<number> {
    checkObjectName(name);
    return this.#run({ attempt: 'reading the size of', name, signal }, async (session) =>
      sizeOf(name, await session.statusAt(this.#pathOf(name))),
    );
  }

  async create(name: string, parts: readonly Uint8Array[], options: CallOptions = {}): Promise<CreateOutcome> {
    const writer = await this.createWriter(name, options);
    await writer.append(parts);
    return writer.commit();
  }

  async createWriter(name: string, { signal }: CallOptions = {}): Promise<ObjectWriter> {
    checkObjectName(name);
    throwIfInterrupted(signal);
    const { partSizeBytes, partsInFlight } = storageLimits.remote;
    const writer = new PartWriter({
      name,
      partSizeBytes,
      partsInFlight,
      newContent: () => new WholeContent(partSizeBytes),
      // Whoever gives the writer up waits until it has begun, so that it can be cleaned up.
      begin: (partSignal) => this.#begin(name, { signal: partSignal, beginSignal: signal }),
      createWhole: (content, signal) => this.#createWhole(name, content, signal),
      onEnd: (writer) => this.#writers.delete(writer),
      signal,
    });
    this.#writers.add(writer);
    return writer;
  }

  async *list(prefix: string, { signal, after = '' }: ListOptions = {}): AsyncGenerator<ListedObject> {
    checkPrefix(prefix);
    throwIfInterrupted(signal);
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    for await (const object of this.#objectsIn(this.#entriesOf(folder, signal), { prefix, after, signal })) {
      throwIfInterrupted(signal);
      yield object;
    }
  }

  async delete(names: readonly string[], { signal }: CallOptions = {}): Promise<void> {
    for (const name of names) checkObjectName(name);
    throwIfInterrupted(signal);
    const atOnce = pLimit(storageLimits.sftp.requestsInFlight);
    const results = await Promise.allSettled(names.map((name) => atOnce(() => this.#deleteOne(name, signal))));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#writers].map((writer) => writer.abort()));
    const session = await this.#session?.catch(() => undefined);
    this.#session = undefined;
    session?.end();
  }

  describe(): StorageDescription {
    return { kind: 'url', url: this.location, limits: this.#limits.describe(), hasAnswered: this.#hasAnswered };
  }

  async #read(
    session: SftpSession,
    { name, range, options, onProgress }: { name: string; range: ByteRange | undefined; options: GetOptions; onProgress: () => void },
  ): Promise<Uint8Array> {
    const handle = await session.open(this.#pathOf(name), 'r');
    try {
      const wanted = await wantedRange(session, handle, { name, range });
      checkGetSize(name, wanted.length, options);
      const target = Buffer.allocUnsafeSlow(wanted.length);
      const count = await session.read(handle, target, wanted.offset, async (bytes) => {
        await this.#limits.download(bytes, options.signal);
        onProgress();
      });
      if (count < wanted.length) throw tooShort(name, wanted, wanted.offset + count);
      return new Uint8Array(target.buffer, target.byteOffset, target.length);
    } finally {
      session.close(handle);
    }
  }

  async #createWhole(name: string, content: WholeContent, signal: AbortSignal): Promise<CreateOutcome> {
    const upload = await this.#begin(name, { signal, beginSignal: signal });
    try {
      return await upload.complete({ number: 0, offset: 0, content });
    } catch (error) {
      await upload.abandon().catch(() => undefined);
      throw error;
    }
  }

  /** A temporary file on its way to become an object. Each part is synced before it counts, so that it need not be sent again after the connection was lost. */
  async #begin(name: string, { signal, beginSignal }: { signal: AbortSignal; beginSignal: AbortSignal | undefined }): Promise<PartUpload> {
    const temporary = `${this.#pathOf(temporaryFolderName)}/${newTemporaryName()}`;
    let rootMode = newFolderMode;
    let opened = await this.#run({ attempt: 'storing', name, signal: beginSignal }, async (session, callSignal) => {
      rootMode = await this.#checkWritable(session, name);
      callSignal.throwIfAborted();
      const handle = await this.#openTemporary(session, temporary, rootMode);
      if (callSignal.aborted) await this.#discard(temporary, { session, handle });
      return { session, handle };
    });
    const handleIn = async (session: SftpSession) => {
      if (opened.session !== session) opened = { session, handle: await session.open(temporary, 'r+') };
      return opened.handle;
    };
    const write = async (session: SftpSession, { offset, content: { bytes } }: Part, onProgress: () => void) => {
      const handle = await handleIn(session);
      await session.write(handle, bytes, offset, async (count) => {
        await this.#limits.upload(count, signal);
        onProgress();
      });
      if (session.canSync) await session.sync(handle);
      return handle;
    };
    return {
      put: async (part) => {
        await this.#run({ attempt: 'storing', name, signal, sizeBytes: part.content.sizeBytes }, (session, _, onProgress) =>
          write(session, part, onProgress),
        );
      },
      complete: async (last) => {
        await this.#run({ attempt: 'storing', name, signal, sizeBytes: last.content.sizeBytes }, async (session, _, onProgress) => {
          const handle = await write(session, last, onProgress);
          checkWritten(name, await session.statusOf(handle), last.offset + last.content.sizeBytes);
        });
        const outcome = await this.#run({ attempt: 'storing', name, signal }, (session) =>
          this.#publish(session, { name, temporary, rootMode }),
        );
        await this.#discard(temporary, opened).catch(() => undefined);
        return outcome;
      },
      abandon: () => this.#discard(temporary, opened),
    };
  }

  /** The mode of the root folder. Errors: `no-repository`; `unsupported` where a file cannot be named safely. */
  async #checkWritable(session: SftpSession, name: string): Promise<number> {
    const { mode } = await this.#checkRoot(session);
    if (session.canLink) return mode;
    throw new LaganError('unsupported', `storing ${name}: the SFTP server ${this.#host} cannot make hard links (hardlink@openssh.com)`, {
      object: name,
      hint: 'without them no object can be created safely (OpenSSH has them, unless it serves read-only: internal-sftp -R)',
    });
  }

  /** After a loss it may be there already: it is ours alone, so that it may be overwritten. */
  async #openTemporary(session: SftpSession, temporary: string, rootMode: number): Promise<Buffer> {
    const mode = 0o600 | (rootMode & 0o060);
    const open = async () => {
      const there = await unlessAbsent(session.statusAt(temporary));
      return session.open(temporary, there === undefined ? 'wx' : 'r+', mode);
    };
    try {
      return await session.open(temporary, 'wx', mode);
    } catch (error) {
      if (statusOf(error) === undefined) throw error;
      if (statusOf(error) === sftpStatus.noSuchFile) await this.#makeFolders(session, path.posix.dirname(temporary), folderMode(rootMode));
      return await open();
    } finally {
      // The server's umask may have taken the rights of a group that the folder is shared with.
      if ((rootMode & 0o020) !== 0) await session.changeMode(temporary, mode).catch(() => undefined);
    }
  }

  async #publish(
    session: SftpSession,
    { name, temporary, rootMode }: { name: string; temporary: string; rootMode: number },
  ): Promise<CreateOutcome> {
    const target = this.#pathOf(name);
    const outcome = await this.#link(session, { temporary, target, rootMode });
    await syncFolder(session, path.posix.dirname(target));
    return outcome;
  }

  async #link(
    session: SftpSession,
    { temporary, target, rootMode }: { temporary: string; target: string; rootMode: number },
  ): Promise<CreateOutcome> {
    try {
      await session.link(temporary, target).catch(async (error: unknown) => {
        if (statusOf(error) !== sftpStatus.noSuchFile) throw error;
        await this.#makeFolders(session, path.posix.dirname(target), folderMode(rootMode));
        await session.link(temporary, target);
      });
      return 'created';
    } catch (error) {
      if (statusOf(error) !== sftpStatus.failure) throw error;
      if ((await unlessAbsent(session.statusAt(target))) === undefined) throw await this.#explainLink(session, error);
      return (await isSameFile(session, temporary, target)) ? 'created' : 'exists';
    }
  }

  /** The protocol has one word for nearly all failures. */
  async #explainLink(session: SftpSession, error: unknown): Promise<unknown> {
    const explained = await this.#explainFailure(session);
    if (explained !== undefined) return explained;
    return new LaganError('unsupported', `the file system at ${this.location} cannot make hard links`, {
      cause: error,
      hint: 'a repository needs a file system with hard links, such as ext4, xfs, btrfs or zfs',
    });
  }

  async #discard(temporary: string, { session, handle }: { session: SftpSession; handle: Buffer }): Promise<void> {
    if (!session.isLost) session.close(handle);
    const limits = { signal: AbortSignal.timeout(storageLimits.remote.abandonTimeoutMs) };
    await remoteCall(limits, async () => unlessAbsent((await this.#connected()).unlink(temporary)));
  }

  async #deleteOne(name: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#run({ attempt: 'deleting', name, signal }, (session) => session.unlink(this.#pathOf(name)));
    } catch (error) {
      if (!isLaganError(error, 'not-found')) throw error;
    }
  }

  /** Depth first; a folder is sorted as if its name ended with '/', which gives the order of the full names. Folders are read ahead. */
  async *#objectsIn(
    entries: Promise<ListedEntry[]>,
    limits: { prefix: string; after: string; signal: AbortSignal | undefined },
  ): AsyncGenerator<ListedObject> {
    const wanted = (await entries).filter(({ name, isFolder }) =>
      isFolder ? overlaps(name, limits) : name.startsWith(limits.prefix) && name > limits.after,
    );
    const folders = wanted.filter(({ isFolder }) => isFolder);
    const reading = new Map<string, Promise<ListedEntry[]>>();
    let ahead = 0;
    for (const { name, isFolder, sizeBytes } of wanted) {
      if (!isFolder) {
        yield { name, sizeBytes };
        continue;
      }
      for (; ahead < folders.length && reading.size < storageLimits.sftp.foldersAhead; ahead++) {
        const folder = folders[ahead]!.name;
        const read = this.#entriesOf(folder, limits.signal);
        read.catch(() => undefined);
        reading.set(folder, read);
      }
      const read = reading.get(name)!;
      reading.delete(name);
      yield* this.#objectsIn(read, limits);
    }
  }

  /** The name of a folder ends with '/'. */
  #entriesOf(folder: string, signal: AbortSignal | undefined): Promise<ListedEntry[]> {
    return this.#run({ attempt: `listing ${folder || 'all objects'}`, signal }, async (session) => {
      const entries = (await this.#readFolderIfThere(session, folder)).filter(({ name }) => isObjectName(folder + name));
      const other = entries.find(({ kind }) => kind === 'other');
      if (other !== undefined) {
        throw new LaganError('io', `${folder}${other.name} in ${this.location} is neither a file nor a folder`, {
          object: folder + other.name,
          hint: 'a repository cannot be spread by symbolic links',
        });
      }
      return entries
        .map(({ name, kind, sizeBytes }) => ({
          name: `${folder}${name}${kind === 'folder' ? '/' : ''}`,
          isFolder: kind === 'folder',
          sizeBytes,
        }))
        .sort((left, right) => (left.name < right.name ? -1 : 1));
    });
  }

  async #readFolderIfThere(session: SftpSession, folder: string): Promise<FolderEntry[]> {
    try {
      return await session.readFolder(this.#pathOf(folder));
    } catch (error) {
      if (statusOf(error) !== sftpStatus.noSuchFile) throw error;
      // A folder is made with its first object: none yet. But if the root is gone, nothing is no answer.
      await this.#checkRoot(session);
      return [];
    }
  }

  /** Folders without files are nothing: deletion leaves them. */
  async #holdsNothing(session: SftpSession, folder: string): Promise<boolean> {
    const entries = (await session.readFolder(folder)).filter(({ name }) => !countsAsNothing(name));
    if (entries.some(({ kind }) => kind !== 'folder')) return false;
    for (const { name } of entries) if (!(await this.#holdsNothing(session, `${folder}/${name}`))) return false;
    return true;
  }

  /** Makes a folder and those above it, each durable: also one that another process has made just now and may not have synced yet. */
  async #makeFolders(session: SftpSession, folder: string, mode: number): Promise<void> {
    const parent = path.posix.dirname(folder);
    try {
      await session.makeFolder(folder, mode);
      if ((mode & 0o020) !== 0) await session.changeMode(folder, mode);
    } catch (error) {
      if (statusOf(error) === sftpStatus.noSuchFile && folder !== parent) {
        await this.#makeFolders(session, parent, mode);
        return this.#makeFolders(session, folder, mode);
      }
      // There is no word for "exists", and a folder above ours may be one that we may not write to.
      const there = await unlessAbsent(session.status(folder));
      if (there?.isDirectory() !== true) throw error;
    }
    await syncFolder(session, parent);
  }

  /** What the root folder is. Errors: `no-repository`. */
  async #checkRoot(session: SftpSession): Promise<Stats> {
    const status = await unlessAbsent(session.status(this.#root));
    if (status?.isDirectory()) return status;
    const [message, found] =
      status === undefined ? [`there is no folder ${this.location}`, 'absent'] : [`${this.location} is not a folder`, 'file'];
    throw new LaganError('no-repository', message, { found });
  }

  #pathOf(name: string): string {
    return `${this.#root}/${name}`;
  }

  #run<T>(request: Request, call: (session: SftpSession, callSignal: AbortSignal, onProgress: () => void) => Promise<T>): Promise<T> {
    const { signal, sizeBytes = 0 } = request;
    const once = async () => {
      await this.#limits.request(signal);
      let session: SftpSession | undefined;
      try {
        return await remoteCall({ signal, sizeBytes }, async (callSignal, onProgress) => {
          session = await this.#connected();
          return call(session, callSignal, onProgress);
        });
      } catch (error) {
        // A server that is silent for so long will not answer on this connection any more.
        if (isLaganError(error, 'unavailable')) session?.end(error);
        throw await this.#explain(error, session, request);
      }
    };
    const judge = (error: unknown, attempt: number) => {
      if (!isLaganError(error, 'unavailable')) return 'never';
      return this.#hasAnswered || attempt < storageLimits.remote.attemptsOfFirstContact ? 'later' : 'never';
    };
    return this.#retries.run(once, { judge, signal });
  }

  async #connected(): Promise<SftpSession> {
    for (;;) {
      this.#session ??= this.#connect();
      const current = this.#session;
      const session = await current;
      if (!session.isLost) return session;
      // Another call may have begun to connect meanwhile.
      if (this.#session === current) this.#session = undefined;
    }
  }

  async #connect(): Promise<SftpSession> {
    try {
      this.#settings ??= sshSettingsOf(this.#host, this.#given);
      const session = await SftpSession.connect(this.#settings);
      this.#hasAnswered = true;
      return session;
    } catch (error) {
      this.#session = undefined;
      throw error;
    }
  }

  /** What an error means; `not-found` if the object is not there, but the root is. */
  async #explain(error: unknown, session: SftpSession | undefined, { attempt, name }: Request): Promise<unknown> {
    const status = statusOf(error);
    if (status === undefined || session === undefined || !(error instanceof Error)) return error;
    if (status === sftpStatus.noSuchFile) {
      const rootError = await this.#checkRoot(session).then(
        () => undefined,
        (rootError: unknown) => rootError,
      );
      return rootError ?? notFound(name ?? this.location, error);
    }
    const code: ErrorCode = status === sftpStatus.permissionDenied ? 'forbidden' : status === sftpStatus.unsupported ? 'unsupported' : 'io';
    const explained = code === 'io' ? await this.#explainFailure(session) : undefined;
    const message = `${attempt}${name === undefined ? '' : ` ${name}`} in ${this.location} failed: ${explained?.message ?? error.message}`;
    const hint = code === 'forbidden' ? 'check the owner and the mode of the folder on the server' : explained?.hint;
    return new LaganError(explained?.code ?? code, message, { cause: error, object: name, found: status, hint });
  }

  /** A full disk and a file system that is mounted read-only look like any failure; the file system tells. */
  async #explainFailure(session: SftpSession): Promise<LaganError | undefined> {
    const status = await session.fileSystem(this.#root).catch(() => undefined);
    if (status?.freeBlocks === 0) {
      return new LaganError('no-space', 'no space is left', { hint: 'free some space on the server, then run the command again' });
    }
    if (status?.isReadOnly) {
      return new LaganError('read-only', 'the file system is mounted read-only', {
        hint: 'mount it for writing; reading commands work as it is',
      });
    }
    return undefined;
  }
}

interface ListedEntry {
  /** Of a folder: with '/' at its end. */
  readonly name: string;
  readonly isFolder: boolean;
  readonly sizeBytes: number;
}

async function wantedRange(
  session: SftpSession,
  handle: Buffer,
  { name, range }: { name: string; range: ByteRange | undefined },
): Promise<{ offset: number; length: number }> {
  if (range !== undefined && 'length' in range && range.length <= storageLimits.trustedRangeSizeBytes) return range;
  const sizeBytes = sizeOf(name, await session.statusOf(handle));
  if (range !== undefined && 'length' in range) {
    if (range.offset + range.length > sizeBytes) throw tooShort(name, range, sizeBytes);
    return range;
  }
  const length = range === undefined ? sizeBytes : Math.min(range.last, sizeBytes);
  return { offset: sizeBytes - length, length };
}

function sizeOf(name: string, status: Stats): number {
  if (!status.isFile()) throw new LaganError('io', `${name} is not a regular file`, { object: name });
  return status.size;
}

function checkWritten(name: string, status: Stats, sizeBytes: number): void {
  if (status.size === sizeBytes) return;
  const message = `${name}: ${sizeBytes} bytes were written, but its temporary file has ${status.size}`;
  throw new LaganError('io', message, { object: name, expected: sizeBytes, found: status.size });
}

/**
 * Whether two names are of one file: the link may have been made although its answer was lost. The protocol tells no inode; but names of one file have one
 * time of modification, and this one nobody else chooses.
 */
async function isSameFile(session: SftpSession, ours: string, there: string): Promise<boolean> {
  const seconds = randomInt(2 ** 20, 2 ** 31);
  await session.setTime(ours, seconds);
  const { mtime } = await session.statusAt(there);
  await session.setTime(ours, Math.floor(Date.now() / 1000));
  return mtime === seconds;
}

/** Makes the entries of a folder durable, where the server can: OpenSSH opens a folder like a file. */
async function syncFolder(session: SftpSession, folder: string): Promise<void> {
  if (!session.canSync) return;
  try {
    const handle = await session.open(folder, 'r');
    await session.sync(handle).finally(() => session.close(handle));
  } catch (error) {
    if (statusOf(error) === undefined) throw error;
  }
}

function isLitter({ name, kind, mtimeSeconds }: FolderEntry): boolean {
  const fate = fateOfMaker(name);
  if (kind !== 'file' || fate === 'alive') return false;
  if (fate === 'dead') return true;
  const limit = fate === 'dead-since-reboot' ? storageLimits.ownLitterAgeSeconds : storageLimits.foreignLitterAgeSeconds;
  return Date.now() / 1000 - mtimeSeconds > limit;
}

/** Whether a folder (its name ends with '/') can hold names that are asked for. */
function overlaps(folder: string, { prefix, after }: { prefix: string; after: string }): boolean {
  const fits = folder.startsWith(prefix) || prefix.startsWith(folder);
  return fits && (folder > after || after.startsWith(folder));
}

function countsAsNothing(name: string): boolean {
  return name === temporaryFolderName || name === 'lost+found' || name.startsWith('.');
}

function folderMode(rootMode: number): number {
  return 0o700 | (rootMode & 0o2070);
}

async function unlessAbsent<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (statusOf(error) === sftpStatus.noSuchFile) return undefined;
    throw error;
  }
}

/** The number of an answer that is an error; undefined for other errors. */
function statusOf(error: unknown): number | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'number' ? code : undefined;
}
