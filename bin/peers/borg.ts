/** borg 1.x: archives of paths without their first slash, restored with all metadata but birth times and sockets. */
import { JsonFields } from './json-fields.ts';
import type { Peer, PeerSnapshot } from './peer.ts';

const listFields = ['id', 'comment', 'hostname', 'username', 'start', 'end', 'command_line'];

export const borg: Peer = {
  name: 'borg',
  placeVariable: 'BORG_REPO',
  secretVariables: ['BORG_PASSPHRASE', 'BORG_PASSCOMMAND', 'BORG_PASSPHRASE_FD'],
  keepsFoldersAbove: false,

  async repository(commands) {
    const format = listFields.map((field) => `{${field}}`).join('');
    const list = JsonFields.parse('borg', await commands.read({ parameters: ['list', '--json', '--format', format] }));
    return { id: list.at('repository', 'id').text(), snapshots: list.at('archives').list().map(snapshotOf) };
  },

  async sizeOf(commands, { name = '' }) {
    const [archive] = JsonFields.parse('borg', await commands.read({ parameters: ['info', '--json', archiveOf(name)] }))
      .at('archives')
      .list();
    return archive?.at('stats', 'original_size').count();
  },

  restore: (commands, { name = '' }, folder) =>
    commands.run({
      parameters: ['extract', '--sparse', '--numeric-ids', archiveOf(name)],
      cwd: folder,
      isPartial: (exitCode) => exitCode === 1,
    }),
};

function snapshotOf(fields: JsonFields): PeerSnapshot {
  const [name, comment] = [fields.at('name').text(), fields.at('comment').text('')];
  return {
    id: fields.at('id').text(),
    name,
    started: fields.at('start').time(),
    ended: fields.at('end').time(),
    host: fields.at('hostname').text(''),
    user: fields.at('username').text(''),
    paths: pathsOf(fields.at('command_line')),
    tags: [],
    description: comment === '' ? name : `${name}: ${comment}`,
    pins: [],
    sizeBytes: undefined,
  };
}

/** Braces would be placeholders. */
function archiveOf(name: string): string {
  return `::${name.replace(/[{}]/g, '$&$&')}`;
}

/** Options of `borg create` that have a value in the next word. */
const valueOptions = new Set(
  '-e --exclude --exclude-from --pattern --patterns-from --exclude-if-present --comment --timestamp -c --checkpoint-interval --chunker-params -C --compression --files-cache --stdin-name --stdin-user --stdin-group --stdin-mode --upload-ratelimit --remote-ratelimit --upload-buffer --remote-buffer --remote-path --rsh --umask --lock-wait --debug-topic --debug-profile --filter'.split(
    ' ',
  ),
);

/** What was to be backed up, as the command line of that time said it. An archive itself does not tell it from all else that it has. */
function pathsOf(commandLine: JsonFields): Uint8Array[] {
  const words = commandLine.list().map((word) => word.text());
  const paths: string[] = [];
  let hasArchive = false;
  for (let index = words.indexOf('create') + 1; index > 0 && index < words.length; index++) {
    const word = words[index]!;
    if (valueOptions.has(word)) index++;
    else if (word.startsWith('-') && word !== '-') continue;
    else if (!hasArchive) hasArchive = true;
    else paths.push(word);
  }
  return (paths.length > 0 ? paths : ['/']).map((path) => Buffer.from(normal(path)));
}

/** As it is in the archive: absolute, without `.` and `..`. */
function normal(path: string): string {
  const names = path.split('/').filter((name) => name !== '' && name !== '.' && name !== '..');
  return `/${names.join('/')}`;
}
