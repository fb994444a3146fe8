/** A second repository beside that of the command: its place is the value of an option, and what opens it has options and variables of its own. */
import { type Command, Option } from 'commander';
import type { Context } from './context.ts';
import { isLaganError, LaganError } from './errors.ts';
import {
  absoluteLocation,
  type OpenedRepository,
  type OpenMode,
  type Place,
  presentStorageOf,
  unlockWith,
  withAdvice,
} from './repository.ts';
import { askSecret, type GivenSecret, givenSecret, readSecret, type SecretOptions, type SourceNames, secretSource } from './secrets.ts';

/** The option that names the other repository: `to`, `like`. Those for its secret begin with it. */
export type OtherOption = 'to' | 'like';

/** `purpose`: what the other repository is for, in the help. */
export function addOtherSecretOptions(command: Command, which: OtherOption, purpose: string): Command {
  const variable = (name: string) => `LAGAN_${which.toUpperCase()}_${name}`;
  return command
    .addOption(new Option(`--${which}-key-file <file>`, `key file that opens ${purpose} (${variable('KEY_FILE')})`))
    .addOption(new Option(`--${which}-password-file <file>`, `file that holds its password (${variable('PASSWORD_FILE')})`))
    .addOption(new Option(`--${which}-password-command <command>`, `command that prints its password (${variable('PASSWORD_COMMAND')})`));
}

/** Opens the repository that the option `which` names. `options`: all options of the command. */
export async function openOther(
  context: Context,
  which: OtherOption,
  { location, options, mode }: { location: string; options: object; mode: OpenMode },
): Promise<OpenedRepository> {
  const place: Place = { location: absoluteLocation(location, context), origin: 'option' };
  const engine = await context.engine();
  const storage = await presentStorageOf(context, engine, place);
  const ask = () => secretOf(context, which, { location: place.location, options });
  try {
    return { engine, storage, place, ...(await unlockWith(context, engine, storage, { ask, mode })) };
  } catch (error) {
    throw isLaganError(error, 'no-repository') ? withAdvice(error, { context, storage, place }) : error;
  }
}

async function secretOf(
  context: Context,
  which: OtherOption,
  { location, options }: { location: string; options: object },
): Promise<GivenSecret> {
  const names = namesOf(which);
  const variables = variablesOf(which, context.io.env);
  const source = secretSource(secretOptionsOf(which, options), variables, {}, (path) => context.resolve(path), names);
  if (source !== undefined) return givenSecret(context, await readSecret(context, source), source);
  if (context.io.askPassword !== undefined) return askSecret(context, `Password or recovery key of ${location}: `);
  throw new LaganError('no-key', `no password or key was given for ${location}, and there is no terminal to ask on`, {
    object: location,
    hint: `name one with ${Object.values(names).join(', ')}, or with LAGAN_${which.toUpperCase()}_PASSWORD and so on`,
  });
}

function namesOf(which: OtherOption): SourceNames {
  return { passwordFile: `--${which}-password-file`, passwordCommand: `--${which}-password-command`, keyFile: `--${which}-key-file` };
}

function secretOptionsOf(which: OtherOption, options: object): SecretOptions {
  const given = options as Readonly<Record<string, string | undefined>>;
  const [passwordFile, passwordCommand, keyFile] = [
    given[`${which}PasswordFile`],
    given[`${which}PasswordCommand`],
    given[`${which}KeyFile`],
  ];
  return { ...(passwordFile && { passwordFile }), ...(passwordCommand && { passwordCommand }), ...(keyFile && { keyFile }) };
}

/** The variables of the other repository under the names that those of the command's have. */
function variablesOf(which: OtherOption, env: Context['io']['env']): Context['io']['env'] {
  const names = ['PASSWORD', 'PASSWORD_FILE', 'PASSWORD_COMMAND', 'KEY_FILE'];
  return Object.fromEntries(names.map((name) => [`LAGAN_${name}`, env[`LAGAN_${which.toUpperCase()}_${name}`]]));
}
