/** vykar with AES-256-GCM (left alone it would choose a cipher by a trial of its own) and lz4, its default. */
import { join } from 'node:path';
import { password, type Tool } from './tool.ts';

export const vykar: Tool = {
  name: 'vykar',
  label: 'vykar, aes256gcm, lz4',
  program: 'vykar',
  versionArguments: ['--version'],
  commandsIn({ folder, source }) {
    const [repository, configuration] = [join(folder, 'repository'), join(folder, 'vykar.yaml')];
    return {
      environment: { VYKAR_CONFIG: configuration, VYKAR_PASSPHRASE: password },
      repository,
      files: { [configuration]: configurationText({ repository, cache: join(folder, 'cache'), source }) },
      init: [{ arguments: ['init'] }],
      backup: () => ({ arguments: ['backup', '-S', 'source'] }),
      restore: (_number, target) => ({ arguments: ['restore', 'latest', target] }),
      verify: { arguments: ['check', '--verify-data'] },
    };
  },
};

/** A string of JSON is one of YAML too. */
function configurationText({ repository, cache, source }: { repository: string; cache: string; source: string }): string {
  return `cache_dir: ${JSON.stringify(cache)}
repositories:
  - label: "benchmark"
    url: ${JSON.stringify(repository)}
encryption:
  mode: "aes256gcm"
compression:
  algorithm: "lz4"
sources:
  - label: "source"
    path: ${JSON.stringify(source)}
`;
}
