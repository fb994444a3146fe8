/** Where things are when nothing says otherwise: the XDG base directories. */
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

/** `~/.config/lagan`. */
export function configurationFolder(env: Environment): string {
  return join(baseFolder(env, 'XDG_CONFIG_HOME', '.config'), 'lagan');
}

/** `~/.config/lagan/config.yaml`. */
export function defaultConfigurationFile(env: Environment): string {
  return join(configurationFolder(env), 'config.yaml');
}

/** `~/.config/lagan/repository.key`: the key of the default repository. */
export function defaultKeyFile(env: Environment): string {
  return join(configurationFolder(env), 'repository.key');
}

/** `~/.local/share/lagan/repository`. */
export function defaultRepository(env: Environment): string {
  return join(baseFolder(env, 'XDG_DATA_HOME', '.local/share'), 'lagan', 'repository');
}

/** `~/.config/lagan/serve`: tokens, certificate and counts of `lagan serve`. */
export function defaultServeFolder(env: Environment): string {
  return join(configurationFolder(env), 'serve');
}

/** `~/.cache/lagan`. */
export function defaultCacheFolder(env: Environment): string {
  return join(baseFolder(env, 'XDG_CACHE_HOME', '.cache'), 'lagan');
}

/** A path as given in `folder`; `~` and `~/…` are the home folder. */
export function resolvePath(path: string, folder: string, env: Environment): string {
  if (path === '~') return home(env);
  return path.startsWith('~/') ? join(home(env), path.slice(2)) : resolve(folder, path);
}

function home(env: Environment): string {
  return env.HOME || homedir();
}

/** The specification tells to ignore relative paths. */
function baseFolder(env: Environment, variable: string, fallback: string): string {
  const value = env[variable];
  return value && isAbsolute(value) ? value : join(home(env), fallback);
}
