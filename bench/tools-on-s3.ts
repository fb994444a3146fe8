/** The same tools with a repository in a bucket: their command lines. */
import { join } from 'node:path';
import { password } from './tools/tool.ts';

export type S3ToolName = 'lagan' | 'kopia' | 'restic';

export interface S3Place {
  /** `http://127.0.0.1:port`. */
  readonly endpoint: string;
  /** Made already, for this tool alone. */
  readonly bucket: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** For cache and configuration. */
  readonly folder: string;
  readonly source: string;
}

/** Arguments of each step. */
export interface S3ToolCommands {
  readonly environment: Readonly<Record<string, string>>;
  readonly init: readonly (readonly string[])[];
  readonly backup: readonly string[];
  readonly list: readonly string[];
  readonly restore: (target: string) => readonly string[];
  /** Folder that is deleted before a step that begins without a cache. Undefined: `clearCache` does it. */
  readonly cacheFolder?: string;
  readonly clearCache?: readonly string[];
}

export const s3Tools: Readonly<Record<S3ToolName, (place: S3Place) => S3ToolCommands>> = {
  lagan: ({ endpoint, bucket, folder, source }) => ({
    environment: {
      LAGAN_REPOSITORY: `s3://${bucket}?endpoint=${endpoint}`,
      LAGAN_PASSWORD: password,
      XDG_CACHE_HOME: join(folder, 'cache'),
    },
    init: [['-q', 'init']],
    backup: ['-q', 'backup', source],
    list: ['snapshots'],
    restore: (target) => ['-q', 'restore', `latest:${source}`, '--target', target],
    cacheFolder: join(folder, 'cache'),
  }),
  kopia: ({ endpoint, bucket, accessKey, secretKey, folder, source }) => {
    const line = (...words: string[]) => ['--no-auto-maintenance', '--no-progress', ...words];
    const keys = ['--access-key', accessKey, '--secret-access-key', secretKey];
    return {
      environment: {
        KOPIA_PASSWORD: password,
        KOPIA_CONFIG_PATH: join(folder, 'configuration', 'repository.config'),
        KOPIA_CACHE_DIRECTORY: join(folder, 'cache'),
        KOPIA_LOG_DIR: join(folder, 'log'),
        KOPIA_CHECK_FOR_UPDATES: 'false',
        KOPIA_USE_KEYRING: 'false',
      },
      init: [
        line('repository', 'create', 's3', '--bucket', bucket, '--endpoint', endpoint.replace('http://', ''), '--disable-tls', ...keys),
        line('maintenance', 'set', '--enable-quick', 'false', '--enable-full', 'false'),
      ],
      backup: line('snapshot', 'create', source),
      list: line('snapshot', 'list'),
      restore: (target) => line('snapshot', 'restore', source, target),
      clearCache: line('cache', 'clear'),
    };
  },
  restic: ({ endpoint, bucket, folder, source }) => ({
    environment: {
      RESTIC_REPOSITORY: `s3:${endpoint}/${bucket}`,
      RESTIC_PASSWORD: password,
      RESTIC_CACHE_DIR: join(folder, 'cache'),
      RESTIC_PROGRESS_FPS: '0.01',
    },
    init: [['-q', 'init']],
    backup: ['-q', 'backup', source],
    list: ['snapshots'],
    restore: (target) => ['-q', 'restore', `latest:${source}`, '--path', source, '--target', target],
    cacheFolder: join(folder, 'cache'),
  }),
};
