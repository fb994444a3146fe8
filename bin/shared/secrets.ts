/**
 * Which password or key opens a repository: from options, else from the environment, else from the configuration file, else the
 * key file of the default repository, else asked on the terminal. Never from an argument: those are seen by every user of the machine.
 */
import { spawn } from 'node:child_process';
import type { Configuration } from './configuration.ts';
import { type Context, interrupted } from './context.ts';
import type { Secret } from './engine.ts';
import { LaganError, usageError } from './errors.ts';
import type { Environment } from './places.ts';

export type SecretSource =
  | { readonly kind: 'password'; readonly password: string; readonly origin: string }
  | { readonly kind: 'password-file'; readonly path: string; readonly origin: string }
  | { readonly kind: 'password-command'; readonly command: string; readonly origin: string }
  | { readonly kind: 'key-file'; readonly path: string; readonly origin: string };

/** The options that name a secret; those for a new one have the same fields. */
export interface SecretOptions {
  readonly passwordFile?: string;
  readonly passwordCommand?: string;
  readonly keyFile?: string;
}

/** A recovery key has more words than any password that a person types; the engine knows how many. */
const fewestWords = 10;
const keyText = /^\s*lagan-(key|identity)-\d/;

/** What opens a repository, perhaps. */
export interface GivenSecret {
  /** Tried one after the other. */
  readonly secrets: readonly Secret[];
  /** If none of them opens it: the text looks like a recovery key with a typing mistake. */
  readonly doubt?: LaganError;
}

/** The source that counts, if any is named. Two at the same level contradict each other: an error of usage. */
export function secretSource(
  options: SecretOptions,
  env: Environment,
  configuration: Configuration,
  resolve: (path: string) => string,
  names: SourceNames = optionNames,
): SecretSource | undefined {
  return (
    single(sourcesOf(options, resolve, names), 'options') ??
    single([...passwordOf(env), ...sourcesOf(optionsOf(env), resolve, variableNames)], 'environment variables') ??
    single(
      sourcesOf(configuration, (path) => path, keyNames),
      'keys of the configuration file',
    )
  );
}

/** The source that options name, for example those of a new key. */
export function sourceOfOptions(
  options: SecretOptions,
  resolve: (path: string) => string,
  names: SourceNames = optionNames,
): SecretSource | undefined {
  return single(sourcesOf(options, resolve, names), 'options');
}

/** Reads the secret. What it is read from may warn, for example that others can read it too. */
export async function readSecret(context: Context, source: SecretSource): Promise<Secret> {
  switch (source.kind) {
    case 'password':
      return passwordSecret(source.password, source.origin);
    case 'password-file':
      return readPasswordFile(context, source);
    case 'password-command':
      return passwordSecret(await runPasswordCommand(context, source), source.origin);
    case 'key-file':
      return readKey(context, source.path);
  }
}

/** Asks for the password, or the recovery key, of a repository. */
export async function askSecret(context: Context, prompt: string): Promise<GivenSecret> {
  const answer = await context.io.askPassword?.(prompt, context.signal);
  if (context.signal.aborted) throw interrupted();
  if (answer === undefined) throw noSecret();
  return givenSecret(context, passwordSecret(answer, 'the terminal'));
}

/** Where a password is expected, a recovery key may have been given, as text or as words. A password file holds a password. */
export async function givenSecret(context: Context, secret: Secret, source?: SecretSource): Promise<GivenSecret> {
  if (secret.kind !== 'password' || source?.kind === 'password-file') return { secrets: [secret] };
  const mayBeKey = keyText.test(secret.password) || secret.password.split(/\s+/).length > fewestWords;
  return mayBeKey ? (await context.engine()).secretsInText(secret.password) : { secrets: [secret] };
}

/** Asks twice for a password that is new. */
export async function askNewPassword(context: Context): Promise<Secret> {
  const first = await context.io.askPassword?.('New password: ', context.signal);
  if (first === undefined) throw noSecret();
  const second = await context.io.askPassword?.('The same again: ', context.signal);
  if (context.signal.aborted) throw interrupted();
  if (first !== second) throw usageError('the two passwords differ', 'run the command again');
  return passwordSecret(first, 'the terminal');
}

export function noSecret(): LaganError {
  const hint =
    'name one with --key-file, --password-file or --password-command, with LAGAN_PASSWORD, LAGAN_PASSWORD_FILE, LAGAN_PASSWORD_COMMAND or LAGAN_KEY_FILE, or in the configuration file; on a terminal it is asked for';
  return new LaganError('no-key', 'no password or key was given, and there is no terminal to ask on', { hint });
}

export interface SourceNames {
  readonly passwordFile: string;
  readonly passwordCommand: string;
  readonly keyFile: string;
}

const optionNames: SourceNames = { passwordFile: '--password-file', passwordCommand: '--password-command', keyFile: '--key-file' };
const variableNames: SourceNames = {
  passwordFile: 'LAGAN_PASSWORD_FILE',
  passwordCommand: 'LAGAN_PASSWORD_COMMAND',
  keyFile: 'LAGAN_KEY_FILE',
};
const keyNames: SourceNames = { passwordFile: 'password-file', passwordCommand: 'password-command', keyFile: 'key-file' };

function sourcesOf(options: SecretOptions, resolve: (path: string) => string, names: SourceNames): SecretSource[] {
  const { passwordFile, passwordCommand, keyFile } = options;
  return [
    ...(passwordFile ? [{ kind: 'password-file', path: resolve(passwordFile), origin: names.passwordFile } as const] : []),
    ...(passwordCommand ? [{ kind: 'password-command', command: passwordCommand, origin: names.passwordCommand } as const] : []),
    ...(keyFile ? [{ kind: 'key-file', path: resolve(keyFile), origin: names.keyFile } as const] : []),
  ];
}

function passwordOf(env: Environment): SecretSource[] {
  const password = env.LAGAN_PASSWORD;
  return password ? [{ kind: 'password', password, origin: 'LAGAN_PASSWORD' }] : [];
}

function optionsOf(env: Environment): SecretOptions {
  const [passwordFile, passwordCommand, keyFile] = [env.LAGAN_PASSWORD_FILE, env.LAGAN_PASSWORD_COMMAND, env.LAGAN_KEY_FILE];
  return { ...(passwordFile && { passwordFile }), ...(passwordCommand && { passwordCommand }), ...(keyFile && { keyFile }) };
}

function single(sources: SecretSource[], where: string): SecretSource | undefined {
  if (sources.length <= 1) return sources[0];
  throw usageError(`${sources.map((source) => source.origin).join(' and ')} contradict each other`, `of these ${where} give one`);
}

function passwordSecret(password: string, origin: string): Secret {
  if (password === '')
    throw new LaganError('no-key', `the password from ${origin} is empty`, { hint: 'a password has at least one character' });
  return { kind: 'password', password };
}

async function readPasswordFile(context: Context, source: { path: string; origin: string }): Promise<Secret> {
  const { secret, warnings } = await (await context.engine()).readPasswordFile(source.path);
  if (keyText.test(secret.password) || secret.password.startsWith('# lagan ')) {
    const option = source.origin.replace('password', 'key').replace('PASSWORD', 'KEY');
    throw usageError(`${source.path} is a key file, not a password file`, `give it with ${option}`);
  }
  for (const warning of warnings) await context.output.warning(warning);
  return secret;
}

async function runPasswordCommand(context: Context, source: { command: string; origin: string }): Promise<string> {
  const { LAGAN_PASSWORD: _, ...env } = context.io.env;
  const child = spawn('/bin/sh', ['-c', source.command], {
    cwd: context.io.cwd,
    env,
    stdio: ['inherit', 'pipe', 'inherit'],
    signal: context.signal,
  });
  const pieces: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  const ending = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (status, signal) =>
      resolve(status === 0 ? '' : signal ? `it was ended by ${signal}` : `it ended with exit code ${status}`),
    );
  });
  if (context.signal.aborted) throw interrupted();
  if (ending !== '')
    throw new LaganError('no-key', `the command of ${source.origin} failed: ${ending}`, { hint: `the command is: ${source.command}` });
  return withoutLineEnd(Buffer.concat(pieces).toString('utf8'));
}

async function readKey(context: Context, path: string): Promise<Secret> {
  const { secret, warnings } = await (await context.engine()).readKeyFile(path);
  for (const warning of warnings) await context.output.warning(warning);
  return secret;
}

/** Editors and `echo` end a line; a password does not. */
function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, '');
}
