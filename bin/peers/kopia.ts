/** kopia: a snapshot is of one folder or file, and has names, modes, owners, links and times of modification. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isLaganError } from '../shared/errors.ts';
import { JsonFields } from './json-fields.ts';
import type { Peer, PeerSnapshot } from './peer.ts';

export const kopia: Peer = {
  name: 'kopia',
  placeVariable: 'KOPIA_CONFIG_PATH',
  secretVariables: ['KOPIA_PASSWORD', 'or kopia repository connect, which remembers it'],
  keepsFoldersAbove: false,

  async repository(commands) {
    const status = await commands.read({ parameters: ['repository', 'status', '--json'] });
    const list = await commands.read({ parameters: ['snapshot', 'list', '--all', '--json'] });
    return {
      id: JsonFields.parse('kopia', status).at('uniqueIDHex').text(),
      snapshots: JsonFields.parse('kopia', list).list().map(snapshotOf),
    };
  },

  async sizeOf() {
    return undefined;
  },

  async restore(commands, { id, paths }, folder) {
    const target = join(folder, Buffer.from(paths[0]!).toString());
    await mkdir(dirname(target), { recursive: true });
    const strict = process.geteuid?.() === 0 ? ['--no-ignore-permission-errors'] : [];
    const parameters = ['snapshot', 'restore', id, target, '--write-sparse-files', '--no-progress', ...strict];
    try {
      return await commands.run({ parameters });
    } catch (error) {
      // It stops at the first file that it cannot restore, and says nothing of those that it was told to pass over.
      if (!isLaganError(error, 'io')) throw error;
      await commands.run({ parameters: [...parameters, '--ignore-errors'] });
      return [error.message, 'there may be more files that it could not restore: it was run again with --ignore-errors'];
    }
  },
};

function snapshotOf(fields: JsonFields): PeerSnapshot {
  return {
    id: fields.at('id').text(),
    started: fields.at('startTime').time(),
    ended: fields.at('endTime').time(),
    host: fields.at('source', 'host').text(''),
    user: fields.at('source', 'userName').text(''),
    paths: [Buffer.from(absolute(fields.at('source', 'path').text()))],
    tags: fields
      .at('tags')
      .entries()
      .map(([name, value]) => `${name.replace(/^tag:/, '')}:${value}`),
    description: fields.at('description').text(''),
    pins: fields
      .at('pins')
      .list()
      .map((pin) => pin.text()),
    sizeBytes: fields.at('stats', 'totalSize').count(),
  };
}

/** That of a Windows machine becomes one: `C:\Users` is `/C:/Users`. Nothing leads out of the folder that it is restored below. */
function absolute(path: string): string {
  const names = (path.startsWith('/') ? path : path.replaceAll('\\', '/')).split('/');
  return `/${names.filter((name) => name !== '' && name !== '.' && name !== '..').join('/')}`;
}
