/** borg 1 with its usual mode of encryption and lz4. It runs inside the source and inside the target. */
import { join } from 'node:path';
import { password, type Tool } from './tool.ts';

export const borg: Tool = {
  name: 'borg',
  label: 'borg, lz4',
  program: 'borg',
  versionArguments: ['--version'],
  commandsIn({ folder, source }) {
    const repository = join(folder, 'repository');
    return {
      environment: {
        BORG_REPO: repository,
        BORG_PASSPHRASE: password,
        BORG_BASE_DIR: join(folder, 'home'),
        BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
        BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
      },
      repository,
      init: [{ arguments: ['init', '--encryption=repokey-blake2'] }],
      backup: (number) => ({ arguments: ['create', '--compression', 'lz4', `::backup-${number}`, '.'], folder: source }),
      restore: (number, target) => ({ arguments: ['extract', `::backup-${number}`], folder: target }),
      verify: { arguments: ['check', '--verify-data'] },
    };
  },
};
