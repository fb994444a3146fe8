/** This checkout, opened by a password as the others are (its default, a key file, would save the derivation of the key). */
import { join } from 'node:path';
import { password, type Tool } from './tool.ts';

export const lagan: Tool = {
  name: 'lagan',
  label: 'lagan',
  program: 'lagan',
  versionArguments: ['--version'],
  commandsIn({ folder, source }) {
    const repository = join(folder, 'repository');
    return {
      environment: { LAGAN_REPOSITORY: repository, LAGAN_PASSWORD: password },
      repository,
      init: [{ arguments: ['-q', 'init'] }],
      backup: () => ({ arguments: ['-q', 'backup', source] }),
      restore: (_number, target) => ({ arguments: ['-q', 'restore', `latest:${source}`, '--target', target] }),
      verify: { arguments: ['-q', 'check', '--read-data'] },
    };
  },
};
