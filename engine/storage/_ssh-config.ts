/** What `~/.ssh/config` and `/etc/ssh/ssh_config` say of a host: the few settings that a connection for SFTP needs. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

export interface SshSettings {
  readonly hostName: string;
  readonly port: number;
  readonly user: string;
  /** Files of private keys; those that are not there are no error. */
  readonly identityFiles: readonly string[];
  readonly knownHostsFiles: readonly string[];
  /** Socket of the agent; undefined if it is not to be asked. */
  readonly agent: string | undefined;
}

const defaultIdentityFiles = ['id_ed25519', 'id_ecdsa', 'id_rsa'];
/** All others are passed over; so are `Match` blocks and `Include`. */
const known = ['hostname', 'port', 'user', 'identityfile', 'identitiesonly', 'identityagent', 'userknownhostsfile', 'globalknownhostsfile'];

/** The settings for `host` as it stands in the URL; what the URL says itself comes first. */
export function sshSettingsOf(host: string, given: { user: string; port: number | undefined }): SshSettings {
  const home = homedir();
  const values = new Map<string, string[]>();
  for (const file of [path.join(home, '.ssh/config'), '/etc/ssh/ssh_config']) collect(readText(file), host, values);
  const first = (name: string) => values.get(name)?.[0];
  const user = given.user || first('user') || process.env.USER || process.env.LOGNAME || 'root';
  const hostName = first('hostname')?.replaceAll('%h', host) ?? host;
  const expand = (text: string) => expandPath(text, { home, hostName, user });
  const identityFiles = values.get('identityfile')?.map(expand) ?? defaultIdentityFiles.map((name) => path.join(home, '.ssh', name));
  return {
    hostName,
    port: given.port ?? Number(first('port') ?? 22),
    user,
    identityFiles,
    knownHostsFiles: [
      ...(first('userknownhostsfile') ?? '~/.ssh/known_hosts ~/.ssh/known_hosts2').split(/\s+/).map(expand),
      ...(first('globalknownhostsfile') ?? '/etc/ssh/ssh_known_hosts').split(/\s+/).map(expand),
    ],
    agent: agentOf(first('identitiesonly'), first('identityagent'), expand),
  };
}

/** True if one of the patterns (`*`, `?`) fits and none that begins with `!` does. */
export function fitsPatterns(text: string, patterns: readonly string[]): boolean {
  const fits = (pattern: string) =>
    new RegExp(
      `^${pattern
        .replace(/[.+^${}()|[\]\\]/g, '\\$&')
        .replaceAll('*', '.*')
        .replaceAll('?', '.')}$`,
      'i',
    ).test(text);
  return (
    patterns.some((pattern) => !pattern.startsWith('!') && fits(pattern)) &&
    !patterns.some((pattern) => pattern.startsWith('!') && fits(pattern.slice(1)))
  );
}

/** The first value of a setting counts; identity files are gathered. */
function collect(text: string, host: string, values: Map<string, string[]>): void {
  let applies = true;
  for (const line of text.split('\n')) {
    const [, word = '', rest = ''] = /^\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*$/.exec(line) ?? [];
    const name = word.toLowerCase();
    if (name === 'host') applies = fitsPatterns(host, rest.split(/\s+/));
    else if (name === 'match') applies = rest.toLowerCase() === 'all';
    else if (applies && known.includes(name)) add(values, name, rest.replace(/^"(.*)"$/, '$1'));
  }
}

function add(values: Map<string, string[]>, name: string, value: string): void {
  const there = values.get(name);
  if (there === undefined) values.set(name, [value]);
  else if (name === 'identityfile') there.push(value);
}

function agentOf(identitiesOnly: string | undefined, agent: string | undefined, expand: (text: string) => string): string | undefined {
  if (identitiesOnly?.toLowerCase() === 'yes' || agent?.toLowerCase() === 'none') return undefined;
  if (agent === undefined || agent === 'SSH_AUTH_SOCK') return process.env.SSH_AUTH_SOCK || undefined;
  return agent.startsWith('$') ? process.env[agent.slice(1).replace(/^{(.*)}$/, '$1')] : expand(agent);
}

function expandPath(text: string, { home, hostName, user }: { home: string; hostName: string; user: string }): string {
  const values: Record<string, string> = { '%d': home, '%h': hostName, '%r': user, '%%': '%' };
  return text.replace(/^~(?=\/|$)/, home).replace(/%[dhr%]/g, (token) => values[token]!);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
