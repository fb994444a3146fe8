/** Which keys the servers have that a person trusts: the files known_hosts of OpenSSH. */
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { LaganError } from '../../repo-format/mod.ts';
import { fitsPatterns, type SshSettings } from './_ssh-config.ts';

export interface KnownKey {
  /** Such as `ssh-ed25519`. */
  readonly type: string;
  readonly key: Buffer;
  readonly isRevoked: boolean;
  /** File and line. */
  readonly place: string;
}

/** The keys that the files tell for a host. Lines of certificate authorities are passed over. */
export function knownKeysOf({ hostName, port, knownHostsFiles }: SshSettings): KnownKey[] {
  const host = nameInFile(hostName, port);
  return knownHostsFiles.flatMap((file) =>
    readLines(file).flatMap((line, index) => {
      const [, marker, hosts, type, key] = /^(?:@(\S+)\s+)?(\S+)\s+(\S+)\s+([A-Za-z0-9+/=]+)/.exec(line) ?? [];
      if (hosts === undefined || type === undefined || key === undefined || marker === 'cert-authority' || !isFor(hosts, host)) return [];
      return [{ type, key: Buffer.from(key, 'base64'), isRevoked: marker === 'revoked', place: `${file}:${index + 1}` }];
    }),
  );
}

/** The algorithms to ask the server for, so that it shows a key that we can compare; undefined if none is known. */
export function hostKeyAlgorithms(keys: readonly KnownKey[]): string[] | undefined {
  if (keys.length === 0) return undefined;
  return [...new Set(keys.flatMap(({ type }) => (type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type])))];
}

/** What is wrong with the key that a server has shown: `forbidden`, or nothing. */
export function checkHostKey(shown: Buffer, keys: readonly KnownKey[], settings: SshSettings): LaganError | undefined {
  const same = keys.filter(({ key }) => key.equals(shown));
  const revoked = same.find(({ isRevoked }) => isRevoked);
  const fingerprint = fingerprintOf(shown);
  if (revoked !== undefined) {
    return new LaganError('forbidden', `the key of the server ${settings.hostName} (${fingerprint}) was revoked: ${revoked.place}`, {
      found: fingerprint,
    });
  }
  if (same.length > 0) return undefined;
  const [other] = keys.filter(({ isRevoked }) => !isRevoked);
  if (other === undefined) return unknownHost(settings, fingerprint);
  const message = `the server ${settings.hostName} has another key than the one known for it: somebody may listen in`;
  return new LaganError('forbidden', message, {
    expected: fingerprintOf(other.key),
    found: fingerprint,
    hint: `if its key was changed on purpose, delete the old one (${other.place}): ssh-keygen -R '${nameInFile(settings.hostName, settings.port)}'`,
  });
}

/** The server shows none of the kinds of keys that are known for it. */
export function noKnownKind(keys: readonly KnownKey[], { hostName, port }: SshSettings): LaganError {
  const types = [...new Set(keys.map(({ type }) => type))].join(', ');
  return new LaganError('forbidden', `the server ${hostName} does not show a key of the kinds that are known for it (${types})`, {
    expected: types,
    hint: `if its key was changed on purpose, delete the old one (${keys[0]?.place}): ssh-keygen -R '${nameInFile(hostName, port)}'`,
  });
}

function unknownHost({ hostName, port }: SshSettings, fingerprint: string): LaganError {
  const where = port === 22 ? hostName : `-p ${port} ${hostName}`;
  return new LaganError('forbidden', `the server ${hostName} is not known: nothing tells that its key (${fingerprint}) is the right one`, {
    found: fingerprint,
    hint: `if that is its fingerprint, add it: ssh-keyscan ${where} >> ~/.ssh/known_hosts`,
  });
}

function isFor(hosts: string, host: string): boolean {
  const [, salt, hash] = /^\|1\|([^|]+)\|([^|]+)$/.exec(hosts) ?? [];
  if (salt === undefined) return fitsPatterns(host, hosts.split(','));
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(host).digest('base64') === hash;
}

function nameInFile(hostName: string, port: number): string {
  return port === 22 ? hostName.toLowerCase() : `[${hostName.toLowerCase()}]:${port}`;
}

function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}
