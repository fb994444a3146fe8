/** `lagan serve`: repositories of this machine for others, which can add to them and neither change nor delete. */
import { appendFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { CertificateAndKey, Grant, ServedAccess, StoredGrant, TokenFile } from '../../engine/serve/mod.ts';
import { parseAddress } from '../shared/address.ts';
import { type Context, contextOf } from '../shared/context.ts';
import { LaganError, systemError, usageError } from '../shared/errors.ts';
import { addExamples, countOption, listOption, sizeOption } from '../shared/options.ts';
import { defaultServeFolder } from '../shared/places.ts';
import { placeOfRepository, storageOf } from '../shared/repository.ts';
import { formatCount, formatSize } from '../shared/sizes.ts';
import { formatTable } from '../shared/table.ts';

/** Loaded when it serves: the help does without. */
const loadServe = () => import('../../engine/serve/mod.ts');
type Serve = Awaited<ReturnType<typeof loadServe>>;

interface GrantOptions {
  readonly role?: string[];
  readonly quota?: number;
  readonly quotaObjects?: number;
  readonly below?: string;
}

interface ServeCommandOptions extends GrantOptions {
  readonly appendOnly?: boolean;
  readonly listen?: string;
  readonly certificate?: string;
  readonly certificateKey?: string;
  readonly plainHttp?: boolean;
  readonly state?: string;
  readonly stdio?: boolean;
  readonly writer?: string;
  readonly log?: string;
}

const stateFlags = '--state <folder>';
const stateText = 'folder of tokens, certificate and counts (default: ~/.config/lagan/serve)';
const defaultPort = 8471;
/** What the server waits for requests under way, and a little more. */
const graceMs = 12_000;

export function define(command: Command): void {
  addGrantOptions(
    command
      .description(
        'Serves the repository, or the folder of repositories, of -r to other machines. A writer can add backups, and can neither overwrite nor delete anything. The server holds no key. By HTTPS everybody has a token (lagan serve token add); by --stdio, as the forced command of an SSH key, that key says who it is.',
      )
      .option('--append-only', 'nobody can delete or change anything, whatever the roles of a token')
      .option('--listen <address>', `where to listen, as HOST:PORT (default: 0.0.0.0:${defaultPort})`)
      .option('--certificate <file>', 'certificate (PEM); without one the server makes its own and prints its fingerprint')
      .option('--certificate-key <file>', 'the key that belongs to it')
      .option('--plain-http', 'without TLS; on loopback only, for a proxy on this machine')
      .option(stateFlags, stateText)
      .option('--log <file>', 'add a line of JSON to this file for each request')
      .option('--stdio', 'serve one client by standard input and output')
      .option('--writer <name>', 'with --stdio: who the client is'),
    'with --stdio: ',
  ).action(async (_options: object, self: Command) => run(contextOf(self), self.opts()));
  addExamples(command, [
    ['lagan serve -r /srv/backups --append-only', 'by HTTPS'],
    ['lagan serve token add anna --quota 500GiB', 'prints the token of a writer'],
    [
      'command="lagan serve --stdio --append-only --writer anna -r /srv/backups",restrict ssh-ed25519 …',
      'a line of ~/.ssh/authorized_keys',
    ],
  ]);
  defineToken(command);
}

function addGrantOptions(command: Command, start: string): Command {
  return command
    .addOption(listOption('--role <role>', `${start}writer, reader, collector or owner (may be repeated; default: writer)`))
    .addOption(sizeOption('--quota <size>', `${start}how much may be stored`))
    .addOption(
      countOption('--quota-objects <count>', `${start}how many objects may be stored`, { minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    )
    .option('--below <path>', `${start}the repository, as a path below the place that is served (default: that place itself)`);
}

function defineToken(serve: Command): void {
  const token = serve
    .command('token')
    .summary('who may come')
    .description('Tokens of those who come by HTTPS. The file of tokens holds only their hashes.');
  const add = token
    .command('add')
    .summary('make a token')
    .description('Makes a token and prints it. It is kept nowhere else.')
    .argument('<name>', 'of the writer');
  addGrantOptions(add.option(stateFlags, stateText), '').action(async (name: string, _options: object, self: Command) =>
    addToken(contextOf(self), name, self.optsWithGlobals()),
  );
  addExamples(add, [
    ['lagan serve token add anna --quota 500GiB > anna.token', 'can back up, and look at what there is'],
    ['lagan serve token add desk --role reader', 'can restore'],
    [
      'lagan serve token add admin --role owner --role collector --role writer',
      'can do everything, unless the server runs with --append-only',
    ],
  ]);
  const list = token
    .command('list')
    .summary('list the tokens')
    .description('Lists who has a token, and how much they have stored.')
    .option(stateFlags, stateText);
  list.action(async (_options: object, self: Command) => listTokens(contextOf(self), self.optsWithGlobals()));
  addExamples(list, [['lagan serve token list', 'who may come']]);
  const remove = token
    .command('remove')
    .summary('remove a token')
    .description('Removes a token. Running servers refuse it from the next request on.')
    .argument('<name>', 'of the writer');
  remove
    .option(stateFlags, stateText)
    .option('-n, --dry-run', 'only say what would be done')
    .action(async (name: string, _options: object, self: Command) => removeToken(contextOf(self), name, self.optsWithGlobals()));
  addExamples(remove, [['lagan serve token remove anna', 'what anna stored stays']]);
}

async function run(context: Context, options: ServeCommandOptions): Promise<void> {
  context.output.goOnWhenClosed();
  if (options.stdio) return serveStdio(context, options);
  const misplaced = (['writer', 'role', 'quota', 'quotaObjects', 'below'] as const).find((name) => options[name] !== undefined);
  if (misplaced !== undefined) {
    throw usageError(`--${misplaced.replace('O', '-o')} goes with --stdio only`, 'by HTTPS each token has its own: lagan serve token add');
  }
  return serveNetwork(context, options);
}

async function serveNetwork(context: Context, options: ServeCommandOptions): Promise<void> {
  const { output, signal } = context;
  const serve = await loadServe();
  const { host, port } = parseAddress(options.listen ?? `0.0.0.0:${defaultPort}`, { defaultPort });
  const state = stateFolder(context, options);
  const place = await placeThatIsThere(context);
  const certificate = certificateFor(context, serve, { options, host, state });
  const tokens = tokenFile(serve, state);
  const server = await serve.serve({ ...common(context, options, { place, state }), host, port, certificate, tokens });
  const fingerprint = certificate === undefined ? null : `sha256:${serve.fingerprintOf(certificate.certificate)}`;
  await output.jsonNow({ type: 'serving', place, address: server.address, fingerprint, appendOnly: options.appendOnly ?? false });
  for (const line of greeting({ place, address: server.address, fingerprint, options })) await output.summary(line);
  await output.flush();
  if (tokens.list().length === 0) await output.warning('nobody has a token yet: lagan serve token add NAME', { code: 'no-tokens' });
  context.io.extendGrace?.(graceMs);
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
  output.note('ending: requests under way are finished first');
  await server.close();
}

async function serveStdio(context: Context, options: ServeCommandOptions): Promise<void> {
  const { stdin, stdout } = context.io;
  const misplaced = (['listen', 'certificate', 'certificateKey', 'plainHttp'] as const).find((name) => options[name] !== undefined);
  if (misplaced !== undefined) throw usageError(`--stdio listens nowhere, and knows no --${misplaced}`);
  if (options.writer === undefined) throw usageError('who is the client?', 'name it: --writer NAME');
  if (stdin.isTTY) throw usageError('--stdio is for programs', 'set it as the forced command of an SSH key: see docs/append-only.md');
  const serve = await loadServe();
  const grant = parseGrant(serve, options.writer, options);
  const place = await placeThatIsThere(context);
  context.output.reserveForBytes();
  const stream = new serve.JoinedStream(stdin, stdout);
  await serve.serveStream(stream, {
    ...common(context, options, { place, state: stateFolder(context, options) }),
    grant,
    signal: context.signal,
  });
}

function common(
  context: Context,
  { appendOnly = false, log, stdio }: ServeCommandOptions,
  { place, state }: { place: string; state: string },
) {
  const file = log === undefined ? undefined : context.resolve(log);
  if (file !== undefined) appendLine(file, '');
  const onAccess = (access: ServedAccess) => {
    const line = accessLine(access);
    if (file !== undefined) appendLine(file, `${JSON.stringify(line)}\n`);
    if (stdio) return;
    void context.output.jsonNow(line);
    context.output.detail(accessText(access));
  };
  return { place, appendOnly, usageFolder: join(state, 'usage'), onAccess };
}

/** A folder that is not there is told before anybody is told that it is served. */
async function placeThatIsThere(context: Context): Promise<string> {
  const place = await placeOfRepository(context);
  const storage = await storageOf(context, await context.engine(), place);
  try {
    if ((await storage.state({ signal: context.signal })) !== 'absent') return place.location;
  } finally {
    await storage.close();
  }
  throw new LaganError('no-repository', `there is nothing at ${place.location}`, {
    found: 'absent',
    hint: 'make the folder first, or name another one with -r',
  });
}

function certificateFor(
  context: Context,
  serve: Serve,
  place: { options: ServeCommandOptions; host: string; state: string },
): CertificateAndKey | undefined {
  const { certificate, certificateKey, plainHttp } = place.options;
  if ((certificate === undefined) !== (certificateKey === undefined)) throw usageError('--certificate and --certificate-key go together');
  if (plainHttp) {
    if (certificate !== undefined) throw usageError('--plain-http and --certificate contradict each other');
    if (!serve.isLoopback(place.host)) {
      throw usageError(
        `--plain-http on ${place.host}: anybody on the way could read the tokens`,
        'listen on 127.0.0.1, behind a proxy of this machine; or leave --plain-http out',
      );
    }
    return undefined;
  }
  if (certificate !== undefined && certificateKey !== undefined) {
    return serve.readCertificate({ certificate: context.resolve(certificate), key: context.resolve(certificateKey) });
  }
  const hosts = [hostname(), 'localhost', '127.0.0.1', '::1', ...(/^(0\.0\.0\.0|::)$/.test(place.host) ? [] : [place.host])];
  return serve.ownCertificate(place.state, [...new Set(hosts)]);
}

function greeting({
  place,
  address,
  fingerprint,
  options,
}: {
  place: string;
  address: string;
  fingerprint: string | null;
  options: ServeCommandOptions;
}): string[] {
  const [, listening, port] = /^(.*):(\d+)$/.exec(address)!;
  const [scheme, query] = fingerprint === null ? ['http', ''] : ['https', options.certificate ? '' : `?fingerprint=${fingerprint}`];
  const host = /^(0\.0\.0\.0|\[::\])$/.test(listening!) ? hostname() : listening;
  return [
    `serving ${place} on ${address}${options.appendOnly ? ', append-only' : ''}`,
    ...(fingerprint === null ? ['without TLS: for this machine only'] : [`fingerprint of the certificate: ${fingerprint}`]),
    `clients: lagan backup -r '${scheme}://${host}:${port}/${query}' …, with the token in the file that LAGAN_TOKEN_FILE names`,
  ];
}

async function addToken(context: Context, name: string, options: ServeCommandOptions): Promise<void> {
  const serve = await loadServe();
  const grant = parseGrant(serve, name, options);
  const token = tokenFile(serve, stateFolder(context, options)).add(grant);
  await context.output.json({ type: 'token', outcome: 'added', ...grantFields(grant), token });
  await context.output.line(token);
  context.output.note(`this is the token of ${name}; it is shown this once. The client finds it in the file that LAGAN_TOKEN_FILE names.`);
}

async function listTokens(context: Context, options: ServeCommandOptions): Promise<void> {
  const { output } = context;
  const serve = await loadServe();
  const state = stateFolder(context, options);
  const rows = tokenFile(serve, state)
    .list()
    .map((grant) => ({ grant, used: usedBy(serve, state, grant) }));
  await output.json({
    type: 'tokens',
    tokens: rows.map(({ grant, used }) => ({
      ...grantFields(grant),
      created: grant.created,
      usedBytes: used.bytes,
      usedObjects: used.objects,
    })),
  });
  const columns = ['Name', 'Roles', 'Repository', 'Stored', 'Quota', 'Created'].map((heading) => ({ heading }));
  const cells = rows.map(({ grant, used }) => [
    grant.name,
    grant.roles.join(', '),
    grant.repository.join('/') || '/',
    `${formatSize(used.bytes)} in ${formatCount(used.objects)}`,
    quotaText(grant),
    grant.created.slice(0, 10),
  ]);
  for (const line of formatTable(columns, cells)) await output.line(line);
}

async function removeToken(context: Context, name: string, options: ServeCommandOptions & { dryRun?: boolean }): Promise<void> {
  const serve = await loadServe();
  const file = tokenFile(serve, stateFolder(context, options));
  const known = file.list().find((grant) => grant.name === name);
  const removed = options.dryRun && known ? known : file.remove(name);
  await context.output.json({ type: 'token', outcome: options.dryRun ? 'dry-run' : 'removed', ...grantFields(removed) });
  await context.output.summary(`${options.dryRun ? 'would remove' : 'removed'} the token of ${name}`);
}

function parseGrant(serve: Serve, name: string, { role = ['writer'], quota, quotaObjects, below = '' }: GrantOptions): Grant {
  if (!serve.isGrantName(name)) throw usageError(`'${name}' is no name`, 'up to 64 letters, digits, and . _ - @');
  const wrong = role.find((text) => !serve.isRole(text));
  if (wrong !== undefined) throw usageError(`--role: '${wrong}' is not valid`, `valid are ${serve.roles.join(', ')}`);
  const repository = serve.parseRepositoryPath(below);
  if (repository === undefined)
    throw usageError(`--below: '${below}' is not valid`, 'a path such as laptops/anna: letters, digits, and . _ - in its parts');
  return { name, roles: [...new Set(role.filter(serve.isRole))], repository, quota: { bytes: quota, objects: quotaObjects } };
}

function grantFields({ name, roles, repository, quota }: Grant): object {
  return { name, roles, repository: repository.join('/'), quotaBytes: quota.bytes ?? null, quotaObjects: quota.objects ?? null };
}

function quotaText({ quota }: Grant): string {
  const parts = [
    ...(quota.bytes === undefined ? [] : [formatSize(quota.bytes)]),
    ...(quota.objects === undefined ? [] : [`${formatCount(quota.objects)} objects`]),
  ];
  return parts.join(', ') || 'none';
}

function usedBy(serve: Serve, state: string, grant: StoredGrant): { bytes: number; objects: number } {
  return new serve.Usage(join(state, 'usage', ...grant.repository, `${grant.name}.usage`)).totals();
}

function tokenFile(serve: Serve, state: string): TokenFile {
  return new serve.TokenFile(join(state, 'tokens.json'));
}

function stateFolder(context: Context, { state }: ServeCommandOptions): string {
  return state === undefined ? defaultServeFolder(context.io.env) : context.resolve(state);
}

function accessLine({ time, error, ...access }: ServedAccess): object {
  return { type: 'request', time: time.toISOString().replace('Z', '000000Z'), ...access, ...(error !== undefined && { error }) };
}

function accessText({ writer, method, path, status, durationMs, error }: ServedAccess): string {
  return `${writer ?? '-'} ${method} ${path} ${status} in ${durationMs} ms${error === undefined ? '' : `: ${error.message}`}`;
}

function appendLine(file: string, text: string): void {
  try {
    appendFileSync(file, text, { mode: 0o600 });
  } catch (error) {
    throw systemError('write to', file, error);
  }
}
