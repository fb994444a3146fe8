/** Makes repositories: the one in the user's data folder by itself, others with `lagan init`. */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { cacheOptionsOf } from './cache.ts';
import type { Context } from './context.ts';
import type { Engine, NewSlot, ProbeResult, Repository, Secret, Storage } from './engine.ts';
import { isLaganError, LaganError } from './errors.ts';
import { defaultKeyFile } from './places.ts';
import { recipientSlots } from './recipients.ts';
import {
  isExisting,
  type OpenedRepository,
  openRepository,
  type Place,
  placeOfRepository,
  repeatedOptions,
  shellQuote,
  sourceOfSecret,
  storageOf,
  unlock,
} from './repository.ts';
import { askNewPassword, noSecret, readSecret } from './secrets.ts';

/** The secret of a new repository; `keyFile` if it is one, and whether it was made just now. */
interface NewSecret {
  readonly secret: Secret;
  readonly keyFile?: string;
  readonly isNewKeyFile: boolean;
}

export interface CreatedRepository extends OpenedRepository {
  readonly keyFile: string | undefined;
  readonly isNewKeyFile: boolean;
}

/** Opens the repository for a backup; the default one may be made if it is not there. */
export async function openOrCreateDefault(context: Context, absence: 'must exist' | 'may be made'): Promise<OpenedRepository> {
  const place = await placeOfRepository(context);
  if (place.origin !== 'default' || absence === 'must exist') return openRepository(context, 'write');
  const engine = await context.engine();
  const { state } = await engine.inspectPlace(await storageOf(context, engine, place));
  if (state === 'repository' || state === 'damaged' || state === 'foreign') return openRepository(context, 'write');
  return createRepository(context, 'may exist');
}

/**
 * Makes the repository of the command, with its key, and with slots for the recipients of the configuration and those that are named. `may exist`: one that somebody else
 * makes at the same time is opened instead. `like`: a repository that it shall cut files and name chunks as; it is opened only if the place is free.
 */
export async function createRepository(
  context: Context,
  presence: 'must be new' | 'may exist',
  {
    like,
    recipients: named = [],
  }: { like?: (() => Promise<OpenedRepository>) | undefined; recipients?: readonly string[] | undefined } = {},
): Promise<CreatedRepository> {
  const place = await placeOfRepository(context);
  const engine = await context.engine();
  const storage = await storageOf(context, engine, place);
  await assertPlaceIsFree(engine, storage, presence);
  const family = (await like?.())?.repository;
  const recipients = await recipientSlots(context, engine, named);
  const { secret, keyFile, isNewKeyFile } = await newSecretOf(context, engine, place);
  const label = keyFile === undefined ? 'password' : `key file of ${hostname()}`;
  const slots = [{ secret: slotSecret(engine, secret), label }, ...recipients];
  const repository = await create(context, { engine, storage, secret, slots, presence, like: family });
  const created = { engine, storage, place, repository, secrets: [secret], keyFile, isNewKeyFile };
  await tell(context, created);
  return created;
}

interface CreateParts {
  readonly engine: Engine;
  readonly storage: Storage;
  readonly secret: Secret;
  readonly slots: readonly NewSlot[];
  readonly presence: string;
  readonly like: Repository | undefined;
}

async function create(context: Context, { engine, storage, secret, slots, presence, like }: CreateParts): Promise<Repository> {
  try {
    let probed: ProbeResult | undefined;
    const repository = await engine.createRepository(storage, {
      slots,
      like,
      cacheFolder: (await cacheOptionsOf(context))?.folder,
      onProbe: (result) => {
        probed = result;
      },
      signal: context.signal,
    });
    if (probed !== undefined) await tellOfProbe(context, repository, probed);
    return repository;
  } catch (error) {
    if (presence !== 'may exist' || !isExisting(error)) throw error;
    return unlock(context, engine, storage, { secret, mode: 'write' });
  }
}

/** What the store cannot do is said once, when it matters. */
async function tellOfProbe(context: Context, { configuration }: Repository, { isSafe, mostWinners, racers }: ProbeResult): Promise<void> {
  if (isSafe) return context.output.detail('the store creates objects safely, as far as was tried');
  const what = `of ${racers} writers that created one object at once, up to ${mostWinners} were told that it is theirs`;
  const message = `the store does not create objects safely: ${what}; backups are safe, but only ${configuration.collector} may run the maintenance`;
  await context.output.warning(message, { code: 'unsupported' });
}

/** A slot for an identity needs its public half only. */
export function slotSecret(engine: Engine, secret: Secret): NewSlot['secret'] {
  return secret.kind === 'identity' ? { kind: 'recipient', publicKey: engine.publicKeyOf(secret.privateKey) } : secret;
}

/** Before a key is made or asked for. */
async function assertPlaceIsFree(engine: Engine, storage: Storage, presence: string): Promise<void> {
  const { state } = await engine.inspectPlace(storage);
  const fields = { object: storage.location, found: state };
  if (state === 'foreign')
    throw new LaganError('exists', `${storage.location} has other things in it`, {
      ...fields,
      hint: 'a new repository needs an empty folder',
    });
  if (presence === 'may exist' || !['repository', 'damaged'].includes(state)) return;
  throw new LaganError('repository-exists', `there is a repository at ${storage.location} already`, fields);
}

/** A named secret; a named key file that does not exist is made; for the default repository its own key file; else a new password. */
async function newSecretOf(context: Context, engine: Engine, place: Place): Promise<NewSecret> {
  const source = await sourceOfSecret(context, place);
  if (source?.kind === 'key-file') return keyFileSecret(context, engine, source.path);
  if (source) return { secret: await readSecret(context, source), isNewKeyFile: false };
  if (place.origin === 'default') return keyFileSecret(context, engine, defaultKeyFile(context.io.env));
  try {
    return { secret: await askNewPassword(context), isNewKeyFile: false };
  } catch (error) {
    if (!isLaganError(error, 'no-key')) throw error;
    throw new LaganError('no-key', error.message, {
      hint: `lagan init -r ${shellQuote(place.location)} --key-file FILE makes a key file; ${noSecret().hint}`,
    });
  }
}

/** The secret of a key file, which is made if there is none. */
export async function keyFileSecret(context: Context, engine: Engine, path: string): Promise<NewSecret & { keyFile: string }> {
  if (!existsSync(path)) {
    const secret = engine.newKeyFileSecret();
    try {
      await engine.writeKeyFile(path, secret);
      return { secret, keyFile: path, isNewKeyFile: true };
    } catch (error) {
      if (!isLaganError(error, 'exists')) throw error;
    }
  }
  const secret = await readSecret(context, { kind: 'key-file', path, origin: path });
  return { secret, keyFile: path, isNewKeyFile: false };
}

/** Said once, when it matters: where the key is and that a copy is needed. */
async function tell(context: Context, created: CreatedRepository): Promise<void> {
  const { output } = context;
  const { repository, storage, keyFile, isNewKeyFile, place } = created;
  await output.jsonNow({
    type: 'repository-created',
    id: repository.id,
    location: storage.location,
    keyFile: keyFile ?? null,
    isNewKeyFile,
  });
  output.note(`made a repository at ${storage.location}`);
  if (keyFile === undefined) {
    output.note(
      'Nobody can read it without the password: keep it safe, or make a recovery key with: ' +
        `lagan key recovery${repeatedOptions(context, place)}`,
    );
    return;
  }
  output.note(`${isNewKeyFile ? 'its key is in' : 'it opens with the key in'} ${keyFile}`);
  output.note('');
  output.note('  Keep a copy of that key away from this machine: without it nobody can read the backups, not even you.');
  output.note(`  It is one line of text. Copy the file, or print the line with: lagan key recovery${repeatedOptions(context, place)}`);
  output.note('');
}
