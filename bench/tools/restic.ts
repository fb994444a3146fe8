/** restic with its defaults: AES-256-CTR with Poly1305, zstd. */
import { join } from 'node:path';
import { password, type Tool } from './tool.ts';

export const restic: Tool = {
  name: 'restic',
  label: 'restic',
  program: 'restic',
  versionArguments: ['version'],
  commandsIn({ folder, source }) {
    const repository = join(folder, 'repository');
    return {
      environment: {
        RESTIC_REPOSITORY: repository,
        RESTIC_PASSWORD: password,
        RESTIC_CACHE_DIR: join(folder, 'cache'),
        RESTIC_PROGRESS_FPS: '0.01',
      },
      repository,
      init: [{ arguments: ['-q', 'init'] }],
      backup: () => ({ arguments: ['-q', 'backup', source] }),
      restore: (_number, target) => ({ arguments: ['-q', 'restore', `latest:${source}`, '--path', source, '--target', target] }),
      verify: { arguments: ['-q', 'check', '--read-data'] },
    };
  },
};
