/**
 * The configuration file, `~/.config/lagan/config.yaml`. Its keys are the long names of the options that they stand for. What cannot be
 * understood is an error that names file and line; nothing in it is skipped in silence.
 */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LineCounter } from 'yaml';
import { errnoOf, isLaganError, systemError, usageError } from './errors.ts';
import { nearest } from './nearest.ts';
import { defaultConfigurationFile, type Environment, resolvePath } from './places.ts';
import { parseSize } from './sizes.ts';

export interface BackupConfiguration {
  readonly exclude?: string[];
  readonly excludeFile?: string[];
  readonly excludeIfPresent?: string[];
  readonly excludeCaches?: boolean;
  readonly excludeLargerThan?: number;
  readonly oneFileSystem?: boolean;
  readonly skipIfUnchanged?: boolean;
  readonly tag?: string[];
  readonly host?: string;
  readonly description?: string;
  readonly compression?: string;
  readonly maintain?: boolean;
}

export interface Configuration {
  readonly repository?: string;
  readonly passwordFile?: string;
  readonly passwordCommand?: string;
  readonly keyFile?: string;
  readonly recipient?: string[];
  readonly cache?: boolean;
  readonly cacheDir?: string;
  readonly cacheLimit?: number;
  readonly limitUpload?: number;
  readonly limitDownload?: number;
  readonly limitRequests?: number;
  readonly backup?: BackupConfiguration;
}

type Kind = 'text' | 'texts' | 'path' | 'paths' | 'place' | 'flag' | 'size' | 'rate' | Keys;
interface Keys {
  readonly [name: string]: Kind;
}

const backupKeys: Keys = {
  exclude: 'texts',
  'exclude-file': 'paths',
  'exclude-if-present': 'texts',
  'exclude-caches': 'flag',
  'exclude-larger-than': 'size',
  'one-file-system': 'flag',
  'skip-if-unchanged': 'flag',
  tag: 'texts',
  host: 'text',
  description: 'text',
  compression: 'text',
  maintain: 'flag',
};

const keys: Keys = {
  repository: 'place',
  'password-file': 'path',
  'password-command': 'text',
  'key-file': 'path',
  recipient: 'texts',
  cache: 'flag',
  'cache-dir': 'path',
  'cache-limit': 'size',
  'limit-upload': 'rate',
  'limit-download': 'rate',
  'limit-requests': 'rate',
  backup: backupKeys,
};

const maximumSizeBytes = 1024 * 1024;

/** Reads the file that is named, or the default one if it is there. */
export async function readConfiguration(named: string | undefined, env: Environment): Promise<Configuration> {
  const file = named ?? defaultConfigurationFile(env);
  const text = await readText(file, named === undefined ? 'may be absent' : 'must be there');
  if (text === undefined || text.trim() === '') return {};
  return parseConfiguration(text, file, env);
}

/** Understands the text of a configuration file; `file` is for messages and for paths relative to it. */
export async function parseConfiguration(text: string, file: string, env: Environment): Promise<Configuration> {
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problem = document.errors[0];
  if (problem) throw usageError(`${file}:${lines.linePos(problem.pos[0]).line}: ${problem.message}`, 'the file must be YAML');
  if (document.contents === null) return {};
  return new ConfigurationReader(yaml, lines, file, env).readKeys(document.contents, keys, '') as Configuration;
}

/** Turns nodes of YAML into values; whatever is not as it must be is an error with its line. */
class ConfigurationReader {
  readonly #yaml: typeof import('yaml');
  readonly #lines: LineCounter;
  readonly #file: string;
  readonly #env: Environment;

  constructor(yaml: typeof import('yaml'), lines: LineCounter, file: string, env: Environment) {
    this.#yaml = yaml;
    this.#lines = lines;
    this.#file = file;
    this.#env = env;
  }

  readKeys(node: unknown, known: Keys, where: string): Record<string, unknown> {
    if (!this.#yaml.isMap(node)) throw this.#wrong(node, `${where === '' ? 'the file' : `'${where}'`} must be a map of keys to values`);
    const values: Record<string, unknown> = {};
    for (const { key, value } of node.items) {
      const name = String(this.#scalar(key) ?? '');
      const kind = Object.hasOwn(known, name) ? known[name] : undefined;
      if (kind === undefined) throw this.#unknownKey(key, name, known);
      const isEmpty = value === null || this.#scalar(value) === null;
      if (!isEmpty) values[camelCase(name)] = this.#readValue(value, kind, where === '' ? name : `${where}.${name}`);
    }
    return values;
  }

  #readValue(node: unknown, kind: Kind, name: string): unknown {
    if (typeof kind === 'object') return this.readKeys(node, kind, name);
    if (kind === 'texts') return this.#readList(node, name);
    if (kind === 'paths') return this.#readList(node, name).map((path) => this.#absolute(path));
    if (kind === 'flag') return this.#readFlag(node, name);
    const text = this.#readText(node, name);
    if (kind === 'size') return this.#readSize(node, text, name);
    if (kind === 'rate') return this.#readRate(node, text, name);
    const isUrl = kind === 'place' && /^([a-z][a-z0-9+.-]*:\/\/|exec:)/i.test(text);
    return kind === 'text' || isUrl ? text : this.#absolute(text);
  }

  #readList(node: unknown, name: string): string[] {
    return this.#yaml.isSeq(node) ? node.items.map((item) => this.#readText(item, name)) : [this.#readText(node, name)];
  }

  #readFlag(node: unknown, name: string): boolean {
    const value = this.#scalar(node);
    if (typeof value !== 'boolean') throw this.#wrong(node, `'${name}' must be true or false`);
    return value;
  }

  #readText(node: unknown, name: string): string {
    const value = this.#scalar(node);
    if (typeof value === 'number' && this.#yaml.isScalar(node)) return node.source ?? String(value);
    if (typeof value !== 'string' || value === '') throw this.#wrong(node, `'${name}' must be text`);
    return value;
  }

  #readSize(node: unknown, text: string, name: string): number {
    try {
      return parseSize(text, `'${name}'`);
    } catch (error) {
      throw isLaganError(error) ? this.#wrong(node, error.message, error.hint) : error;
    }
  }

  #readRate(node: unknown, text: string, name: string): number {
    const rate = this.#readSize(node, text, name);
    if (rate < 1) throw this.#wrong(node, `'${name}' must be at least 1 in a second`);
    return rate;
  }

  #scalar(node: unknown): unknown {
    return this.#yaml.isScalar(node) ? node.value : undefined;
  }

  #absolute(path: string): string {
    return resolvePath(path, dirname(this.#file), this.#env);
  }

  #unknownKey(node: unknown, name: string, known: Keys): Error {
    if (name === 'password')
      return this.#wrong(
        node,
        'a password does not belong into the configuration',
        'name a file with password-file or a command with password-command',
      );
    const near = nearest(name, Object.keys(known));
    return this.#wrong(node, `unknown key '${name}'`, near ? `did you mean ${near}?` : `valid are ${Object.keys(known).join(', ')}`);
  }

  #wrong(node: unknown, message: string, hint?: string): Error {
    const offset = this.#yaml.isNode(node) ? (node.range?.[0] ?? 0) : 0;
    return usageError(`${this.#file}:${this.#lines.linePos(offset).line}: ${message}`, hint);
  }
}

async function readText(file: string, presence: 'must be there' | 'may be absent'): Promise<string | undefined> {
  try {
    const text = await readFile(file, 'utf8');
    if (text.length > maximumSizeBytes) throw usageError(`${file}: a configuration file has at most 1 MiB`);
    return text;
  } catch (error) {
    if (presence === 'may be absent' && ['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw errnoOf(error) ? systemError('read the configuration file', file, error) : error;
  }
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
