/** restic: snapshots of absolute paths, restored with all metadata but sockets. */
import { JsonFields } from './json-fields.ts';
import type { Peer, PeerCommands, PeerSnapshot } from './peer.ts';

export const restic: Peer = {
  name: 'restic',
  placeVariable: 'RESTIC_REPOSITORY',
  secretVariables: ['RESTIC_PASSWORD', 'RESTIC_PASSWORD_FILE', 'RESTIC_PASSWORD_COMMAND'],
  keepsFoldersAbove: true,

  async repository(commands) {
    const configuration = await commands.read({ parameters: ['cat', 'config'] });
    const list = await commands.read({ parameters: ['snapshots', '--json'] });
    return {
      id: JsonFields.parse('restic', configuration).at('id').text(),
      snapshots: JsonFields.parse('restic', list).list().map(snapshotOf),
    };
  },

  async sizeOf(commands: PeerCommands, { id }: PeerSnapshot) {
    const answer = await commands.read({ parameters: ['stats', '--json', '--mode', 'restore-size', id] });
    return JsonFields.parse('restic', answer).at('total_size').count();
  },

  restore: (commands, { id }, folder) =>
    commands.run({
      parameters: ['restore', id, '--target', folder, '--sparse', '--quiet'],
      isPartial: (exitCode, lines) => exitCode === 1 && lines.some((line) => /There were \d+ errors/.test(line)),
    }),
};

function snapshotOf(fields: JsonFields): PeerSnapshot {
  const time = fields.at('time').time();
  const end = fields.at('summary', 'backup_end');
  return {
    id: fields.at('id').text(),
    started: time,
    ended: end.text('') === '' ? time : end.time(),
    host: fields.at('hostname').text(''),
    user: fields.at('username').text(''),
    paths: fields
      .at('paths')
      .list()
      .map((path) => Buffer.from(path.text())),
    tags: fields
      .at('tags')
      .list()
      .map((tag) => tag.text()),
    description: fields.at('description').text(''),
    pins: [],
    sizeBytes: fields.at('summary', 'total_bytes_processed').count(),
  };
}
