import { execFileSync } from 'node:child_process';
import t from 'tap';

const script = `
  import { registerHooks } from 'node:module';
  const loaded = [];
  registerHooks({ resolve: (name, context, next) => (loaded.push(name), next(name, context)) });
  const { openStorage } = await import(process.argv[1]);
  for (const url of ['az://account/container', 'gs://bucket', 'sftp://host/folder', '/tmp']) openStorage(url).describe();
  await openStorage('/tmp').state();
  console.log(JSON.stringify(loaded));
`;

t.test('openStorage: the clients of Azure, Google and SSH are not loaded before their first call', async (t) => {
  const door = new URL('../../../engine/storage/mod.ts', import.meta.url).href;
  const loaded: string[] = JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script, door], { encoding: 'utf8' }));
  t.ok(loaded.includes('./azure.ts') && loaded.includes('./google.ts') && loaded.includes('./sftp.ts'));
  t.same(
    loaded.filter((name) => /^(@azure|@google-cloud|google-auth-library|ssh2)/.test(name)),
    [],
  );
});
