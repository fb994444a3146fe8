/** Which repository a command works on, and how it is opened. */
import { existsSync } from 'node:fs';
import { cacheOptionsOf } from './cache.ts';
import { type Context, contextOf } from './context.ts';
import type { Engine, Repository, Secret, Storage, TransferRates } from './engine.ts';
import { isLaganError, LaganError } from './errors.ts';
import { defaultKeyFile, defaultRepository, resolvePath } from './places.ts';
import { askSecret, type GivenSecret, givenSecret, noSecret, readSecret, type SecretSource, secretSource } from './secrets.ts';
import { dateOfTime, formatTime } from './times.ts';

export { contextOf };

/** Where the repository is, and what said so. `default` is the one in the user's data folder. */
export interface Place {
  readonly location: string;
  readonly origin: 'option' | 'environment' | 'configuration' | 'default';
}

export interface OpenedRepository {
  readonly engine: Engine;
  readonly storage: Storage;
  readonly repository: Repository;
  readonly place: Place;
  /** What was given to open it. */
  readonly secrets: readonly Secret[];
}

export type OpenMode = 'read' | 'write' | 'metadata';

/** The place of the repository: option, else environment, else configuration, else the default one. */
export async function placeOfRepository(context: Context): Promise<Place> {
  const { io, options } = context;
  if (options.repository !== undefined) return { location: absoluteLocation(options.repository, context), origin: 'option' };
  const variable = io.env.LAGAN_REPOSITORY;
  if (variable) return { location: absoluteLocation(variable, context), origin: 'environment' };
  const { repository } = await context.configuration();
  if (repository !== undefined) return { location: repository, origin: 'configuration' };
  return { location: defaultRepository(io.env), origin: 'default' };
}

/** The store at a place, talked to no faster than the options say; as it was at the time of `--as-of`, if that is given. */
export async function storageOf(context: Context, engine: Engine, place: Place): Promise<Storage> {
  const { asOf } = context.options;
  const storage = await presentStorageOf(context, engine, place);
  return asOf === undefined ? storage : engine.pastOf(storage, dateOfTime(asOf).getTime());
}

/** The same, always as it is now. */
export async function presentStorageOf(context: Context, engine: Engine, { location }: Place): Promise<Storage> {
  return engine.openStorage(location, { rates: await ratesOf(context) });
}

async function ratesOf(context: Context): Promise<TransferRates> {
  const { options } = context;
  const { limitUpload, limitDownload, limitRequests } = await context.configuration();
  return {
    uploadBytesPerSecond: options.limitUpload ?? limitUpload,
    downloadBytesPerSecond: options.limitDownload ?? limitDownload,
    requestsPerSecond: options.limitRequests ?? limitRequests,
  };
}

/** Opens the repository of the command with the secret that is configured for it. */
export async function openRepository(
  context: Context,
  mode: OpenMode,
  { unreadableRoots }: Pick<UnlockOptions, 'unreadableRoots'> = {},
): Promise<OpenedRepository> {
  const place = await placeOfRepository(context);
  const engine = await context.engine();
  const storage = await storageOf(context, engine, place);
  try {
    const ask = () => secretOf(context, place);
    return { engine, storage, place, ...(await unlockWith(context, engine, storage, { ask, mode, unreadableRoots })) };
  } catch (error) {
    if (isLaganError(error, 'no-repository')) throw withAdvice(error, { context, storage, place });
    throw context.options.asOf ? ofThePast(error) : error;
  }
}

/** Opens a repository with what is asked for once it is known that there is one. If nothing opens it, a typing mistake in a recovery key is what is told. */
export async function unlockWith(
  context: Context,
  engine: Engine,
  storage: Storage,
  { ask, ...options }: { ask: () => Promise<GivenSecret> } & Omit<UnlockOptions, 'secret'>,
): Promise<Pick<OpenedRepository, 'repository' | 'secrets'>> {
  let given: GivenSecret = { secrets: [] };
  const secret = async () => {
    given = await ask();
    return given.secrets.length === 1 ? given.secrets[0]! : given.secrets;
  };
  try {
    return { repository: await unlock(context, engine, storage, { secret, ...options }), secrets: given.secrets };
  } catch (error) {
    throw isLaganError(error, 'wrong-key') || isLaganError(error, 'no-key') ? (given.doubt ?? error) : error;
  }
}

export interface UnlockOptions {
  readonly secret: Secret | readonly Secret[] | (() => Promise<Secret | readonly Secret[]>);
  readonly mode: OpenMode;
  readonly unreadableRoots?: 'passed-over' | 'error' | undefined;
}

/** Opens a repository with a secret that is known. */
export async function unlock(context: Context, engine: Engine, storage: Storage, options: UnlockOptions): Promise<Repository> {
  const cache = await cacheOptionsOf(context);
  const repository = await seenBefore(context, engine, await engine.openRepository(storage, { ...options, signal: context.signal }));
  for (const warning of repository.warnings) await context.output.warning(warning.message, { code: warning.code });
  context.output.detail(`opened repository ${repository.id} at ${storage.location}`);
  return cache ? engine.withCache(repository, cache) : repository;
}

/** Whether the store shows an older state than this machine has seen; remembers what it shows now. */
async function seenBefore(context: Context, engine: Engine, repository: Repository): Promise<Repository> {
  const cache = await cacheOptionsOf(context);
  const isPast = context.options.asOf !== undefined;
  return cache === undefined || isPast ? repository : engine.withSeenRoot(repository, { folder: cache.folder, signal: context.signal });
}

/** Of a store that went back is warned before something is restored of it: what is missing was perhaps collected under a root that it has lost. */
export async function warnOfRollback(
  context: Context,
  { engine, repository }: Pick<OpenedRepository, 'engine' | 'repository'>,
): Promise<void> {
  if (context.options.asOf !== undefined) return;
  const warning = await engine.rollbackWarning(repository, { signal: context.signal });
  if (warning !== null) await context.output.warning(warning.message, { code: warning.code });
}

/** After a command that may have made roots: this machine remembers the newest. */
export async function rememberRoot(context: Context, engine: Engine, repository: Repository): Promise<void> {
  const cache = await cacheOptionsOf(context);
  if (cache !== undefined) await engine.rememberNewestRoot(repository, { folder: cache.folder, signal: context.signal });
}

/** The named source of the secret, or the key file of the default repository if it is there. */
export async function sourceOfSecret(context: Context, place: Place): Promise<SecretSource | undefined> {
  const named = secretSource(context.options, context.io.env, await context.configuration(), (path) => context.resolve(path));
  if (named) return named;
  const keyFile = defaultKeyFile(context.io.env);
  return place.origin === 'default' && existsSync(keyFile)
    ? { kind: 'key-file', path: keyFile, origin: 'the default key file' }
    : undefined;
}

/** The options that a person types again to work on the same repository with the same key. */
export function repeatedOptions(context: Context, place: Place): string {
  const { passwordFile, passwordCommand, keyFile, config } = context.options;
  const named: [string, string | undefined][] = [
    ['-r', place.origin === 'option' ? place.location : undefined],
    ['--key-file', keyFile],
    ['--password-file', passwordFile],
    ['--password-command', passwordCommand],
    ['--config', config],
  ];
  return named.map(([option, value]) => (value === undefined ? '' : ` ${option} ${shellQuote(value)}`)).join('');
}

/** A word that a shell takes as it is. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

export async function secretOf(context: Context, place: Place): Promise<GivenSecret> {
  const source = await sourceOfSecret(context, place);
  if (source) return givenSecret(context, await readSecret(context, source), source);
  if (place.origin === 'default' && !context.io.askPassword) {
    throw new LaganError('no-key', `the key file ${defaultKeyFile(context.io.env)} is not there`, { hint: noSecret().hint });
  }
  return askSecret(context, `Password or recovery key of ${place.location}: `);
}

const reasons: Readonly<Record<string, string>> = {
  absent: 'there is nothing',
  empty: 'it is empty',
  foreign: 'what is there is no repository',
  unfinished: 'making it was interrupted',
};

/** What can be done about a place without a repository, for who names places by options. */
export function withAdvice(
  error: LaganError,
  { context, storage, place }: { context: Context; storage: Storage; place: Place },
): LaganError {
  const reason = reasons[String(error.found)];
  if (reason === undefined) return error;
  const { asOf } = context.options;
  if (asOf !== undefined) {
    const message = `there is no repository at ${storage.location} as it was at ${formatTime(asOf)}`;
    return new LaganError('no-repository', message, { cause: error, object: storage.location, hint: 'it was made later' });
  }
  const hint =
    place.origin === 'default'
      ? 'the first `lagan backup FOLDER` makes it; another one is named with -r'
      : `check that it is spelled right and mounted, or make it with: lagan init -r ${shellQuote(place.location)}`;
  return new LaganError('no-repository', `there is no repository at ${storage.location}: ${reason}`, {
    cause: error,
    object: storage.location,
    found: error.found,
    hint,
  });
}

/** What is missing of the past was deleted for good since, or was not there yet. */
function ofThePast(error: unknown): unknown {
  if (!isLaganError(error, 'object-missing') || error.hint !== undefined) return error;
  const hint = 'it was not there yet at the time of --as-of, or its store did not keep it: try a later time';
  return new LaganError(error.code, error.message, { ...error, cause: error, hint });
}

/** Relative folders are taken from the current one; URLs stay. */
export function absoluteLocation(location: string, context: Context): string {
  const isUrl = /^([a-z][a-z0-9+.-]*:\/\/|(file|memory|s3|az|gs|sftp|https?|ssh|exec):)/i.test(location);
  return isUrl || location === '' ? location : resolvePath(location, context.io.cwd, context.io.env);
}

/** True for the error of a place that was made by somebody else meanwhile. */
export function isExisting(error: unknown): boolean {
  return isLaganError(error, 'repository-exists');
}
