/**
 * kopia in three configurations. Its cache of contents is cleared before a restore or a verification: with a warm one it opens no pack at all,
 * and damage in the repository goes unnoticed. Its maintenance, which would run now and then after a backup, is off.
 */
import { join } from 'node:path';
import { password, type Tool, type ToolName } from './tool.ts';

interface Configuration {
  readonly name: ToolName;
  readonly label: string;
  /** Beyond the defaults: arguments of `repository create`, and a compression. */
  readonly create: readonly string[];
  readonly compression?: string;
}

const blake3 = ['--block-hash', 'BLAKE3-256', '--encryption', 'AES256-GCM-HMAC-SHA256', '--object-splitter', 'DYNAMIC-4M-BUZHASH'];

export const kopiaDefaults = kopia({ name: 'kopia', label: 'kopia, defaults', create: [] });
export const kopiaS2 = kopia({ name: 'kopia-s2', label: 'kopia BLAKE3 + s2', create: blake3, compression: 's2-default' });
export const kopiaZstd = kopia({ name: 'kopia-zstd', label: 'kopia BLAKE3 + zstd-fastest', create: blake3, compression: 'zstd-fastest' });

function kopia({ name, label, create, compression }: Configuration): Tool {
  const line = (...words: string[]) => ({ arguments: ['--no-auto-maintenance', '--no-progress', ...words] });
  return {
    name,
    label,
    program: 'kopia',
    versionArguments: ['--version'],
    commandsIn({ folder, source }) {
      const repository = join(folder, 'repository');
      return {
        environment: environmentIn(folder),
        repository,
        init: [
          line('repository', 'create', 'filesystem', '--path', repository, ...create),
          line('maintenance', 'set', '--enable-quick', 'false', '--enable-full', 'false'),
          ...(compression ? [line('policy', 'set', '--global', '--compression', compression)] : []),
        ],
        backup: () => line('snapshot', 'create', source),
        beforeReading: [line('cache', 'clear')],
        restore: (_number, target) => line('snapshot', 'restore', source, target),
        verify: line('snapshot', 'verify', '--verify-files-percent=100'),
      };
    },
  };
}

function environmentIn(folder: string): Record<string, string> {
  return {
    KOPIA_PASSWORD: password,
    KOPIA_CONFIG_PATH: join(folder, 'configuration', 'repository.config'),
    KOPIA_CACHE_DIRECTORY: join(folder, 'cache'),
    KOPIA_LOG_DIR: join(folder, 'log'),
    KOPIA_CHECK_FOR_UPDATES: 'false',
    KOPIA_PERSIST_CREDENTIALS_ON_CONNECT: 'false',
    KOPIA_USE_KEYRING: 'false',
  };
}
