/**
 * The file of tokens: who may come, as what, with how much. It holds hashes, not tokens: a token is 256 random bits, so that a plain SHA-256 of it tells nothing.
 * It is read again whenever it has changed, so a token that was removed is refused from the next request on.
 */
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { isLaganError, LaganError } from '../../repo-format/mod.ts';
import { type Grant, isGrantName, isRole, parseRepositoryPath } from './grants.ts';
import { serveLimits } from './limits.ts';

export interface StoredGrant extends Grant {
  readonly hash: string;
  /** RFC 3339. */
  readonly created: string;
}

interface ReadTokens {
  /** Of the file as it was read. */
  readonly identity: string;
  readonly grants: readonly StoredGrant[];
  readonly byHash: ReadonlyMap<string, StoredGrant>;
}

const fileVersion = 1;
const tokenStart = 'lagan-token-1-';
const grantMode = 0o600;

export class TokenFile {
  readonly #file: string;
  #read: ReadTokens | undefined;

  /** `file` need not exist: nobody is let in then. */
  constructor(file: string) {
    this.#file = file;
  }

  /** In the order in which they were added. Codes: usage (the file makes no sense), io, forbidden. */
  list(): readonly StoredGrant[] {
    return this.#current().grants;
  }

  /** Whose token it is. Codes as of {@link list}. */
  find(token: string): StoredGrant | undefined {
    return this.#current().byHash.get(hashOf(token));
  }

  /** Makes a token, which is kept nowhere else. Codes: exists, and those of {@link list}. */
  add(grant: Grant): string {
    const grants = this.list();
    if (grants.some(({ name }) => name === grant.name)) {
      throw new LaganError('exists', `there is a token of ${grant.name} already`, {
        hint: `remove it first: lagan serve token remove ${grant.name}`,
      });
    }
    if (grants.length >= serveLimits.tokens) throw new LaganError('limit-exceeded', `there are ${grants.length} tokens, which is the most`);
    const token = tokenStart + randomBytes(32).toString('hex');
    this.#write([...grants, { ...grant, hash: hashOf(token), created: new Date().toISOString() }]);
    return token;
  }

  /** Codes: not-found, and those of {@link list}. */
  remove(name: string): StoredGrant {
    const grants = this.list();
    const removed = grants.find((grant) => grant.name === name);
    if (removed === undefined)
      throw new LaganError('not-found', `there is no token of ${name}`, { hint: 'lagan serve token list shows them' });
    this.#write(grants.filter((grant) => grant !== removed));
    return removed;
  }

  #current(): ReadTokens {
    const identity = this.#identity();
    if (this.#read?.identity === identity) return this.#read;
    const grants = identity === 'absent' ? [] : this.#parse();
    this.#read = { identity, grants, byHash: new Map(grants.map((grant) => [grant.hash, grant])) };
    return this.#read;
  }

  #identity(): string {
    try {
      const { ino, size, mtimeNs } = fs.statSync(this.#file, { bigint: true });
      return `${ino}:${size}:${mtimeNs}`;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'absent';
      throw this.#error('read', error);
    }
  }

  #parse(): StoredGrant[] {
    try {
      const text = fs.readFileSync(this.#file, 'utf8');
      if (text.length > serveLimits.tokenFileSizeBytes) throw new TypeError('it is too large');
      const { version, tokens } = JSON.parse(text) as { version?: unknown; tokens?: unknown };
      if (version !== fileVersion || !Array.isArray(tokens)) throw new TypeError('it is no file of tokens of this version');
      return tokens.map(parseGrant);
    } catch (error) {
      if (isLaganError(error)) throw error;
      if ((error as NodeJS.ErrnoException).errno !== undefined) throw this.#error('read', error);
      throw new LaganError('usage', `${this.#file}: ${(error as Error).message}`, { cause: error, object: this.#file });
    }
  }

  /** The new file takes the place of the old one, whole. */
  #write(grants: readonly StoredGrant[]): void {
    const temporary = `${this.#file}.${randomBytes(6).toString('hex')}`;
    try {
      fs.mkdirSync(path.dirname(this.#file), { recursive: true, mode: 0o700 });
      const descriptor = fs.openSync(temporary, 'wx', grantMode);
      try {
        fs.writeSync(descriptor, `${JSON.stringify({ version: fileVersion, tokens: grants.map(storedForm) }, null, 2)}\n`);
        fs.fsyncSync(descriptor);
      } finally {
        fs.closeSync(descriptor);
      }
      fs.renameSync(temporary, this.#file);
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw this.#error('write', error);
    }
  }

  #error(attempt: string, error: unknown): LaganError {
    const errno = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const code = errno === 'EACCES' || errno === 'EPERM' ? 'forbidden' : errno === 'ENOSPC' ? 'no-space' : 'io';
    return new LaganError(code, `cannot ${attempt} ${this.#file}: ${errno}`, { cause: error, object: this.#file, errno });
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function storedForm({ name, hash, roles, repository, quota, created }: StoredGrant): object {
  return {
    name,
    hash,
    roles,
    repository: repository.join('/'),
    quotaBytes: quota.bytes ?? null,
    quotaObjects: quota.objects ?? null,
    created,
  };
}

function parseGrant(value: unknown): StoredGrant {
  const { name, hash, roles, repository, quotaBytes, quotaObjects, created } = value as Record<string, unknown>;
  const parts = typeof repository === 'string' ? parseRepositoryPath(repository) : undefined;
  if (typeof name !== 'string' || !isGrantName(name)) throw new TypeError('a token has no name');
  if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash)) throw new TypeError(`the hash of ${name} is none`);
  if (!Array.isArray(roles) || roles.length === 0 || !roles.every(isRole)) throw new TypeError(`the roles of ${name} are none`);
  if (parts === undefined) throw new TypeError(`the repository of ${name} is no path of one`);
  const quota = { bytes: countOf(quotaBytes, name), objects: countOf(quotaObjects, name) };
  return { name, hash, roles, repository: parts, quota, created: String(created) };
}

function countOf(value: unknown, name: string): number | undefined {
  if (value === null || value === undefined) return undefined;
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new TypeError(`a quota of ${name} is no number`);
}
