/**
 * Measures what is left of the fidelity cases after another program has backed them up, and `lagan import` and a restore brought them back: `sudo node test/fidelity/through-peers.ts [kopia] [restic]
 * [borg]`. Prints, for each program, how many cases are whole, and how many lost what. The programs must be on the PATH.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openRoot } from '../../engine/system/mod.ts';
import { type CaseResult, compareCases } from './compare.ts';
import { cases, makeCases } from './make-cases.ts';
import { makeTestFolder, removeTestFolder } from './test-folder.ts';

/** What takes a program that reads holes hours, and paths with which some of them back up nothing at all. */
const leftOut = ['tebibyte-with-few-megabytes', 'beyond-path-max', 'thousand-levels'];

const programs: Record<string, { env: (place: string) => Record<string, string>; commands: (place: string) => string[][] }> = {
  kopia: {
    env: (place) => ({ KOPIA_CONFIG_PATH: join(place, 'kopia.config'), KOPIA_PASSWORD: 'pw', KOPIA_CHECK_FOR_UPDATES: 'false' }),
    commands: (place) => [
      ['repository', 'create', 'filesystem', '--path', join(place, 'kopia')],
      ['snapshot', 'create', join(place, 'original')],
    ],
  },
  restic: {
    env: (place) => ({ RESTIC_REPOSITORY: join(place, 'restic'), RESTIC_PASSWORD: 'pw', RESTIC_CACHE_DIR: join(place, 'cache') }),
    commands: (place) => [['init'], ['backup', join(place, 'original')]],
  },
  borg: {
    env: (place) => ({ BORG_REPO: join(place, 'borg'), BORG_PASSPHRASE: 'pw' }),
    commands: (place) => [
      ['init', '-e', 'repokey-blake2'],
      ['create', '::one', join(place, 'original')],
    ],
  },
};

if (process.argv[1] === import.meta.filename) {
  for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(programs)) measure(name);
}

function measure(name: string): void {
  const place = makeTestFolder();
  try {
    const [original, outside, target, home] = ['original', 'outside', 'target', 'home'].map((one) => join(place, one)) as [
      string,
      string,
      string,
      string,
    ];
    for (const folder of [original, outside, home]) mkdirSync(folder);
    const [root, other] = [openRoot(original), openRoot(outside)];
    const wanted = cases.filter((one) => !leftOut.includes(one.name));
    const { made } = makeCases(root, other, wanted);
    const { env, commands } = programs[name]!;
    const settings = {
      cwd: home,
      env: { PATH: process.env.PATH, HOME: home, ...env(place) },
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    } as const;
    for (const argv of commands(place)) {
      const { status, stderr } = spawnSync(name, argv, settings);
      if (status !== 0) console.error(`${name} ${argv[0]}: exit code ${status}: ${stderr.split('\n').slice(-5).join(' ')}`);
    }
    for (const argv of [['init'], ['import', name, '--scratch-dir', place], ['restore', `latest:${original}`, '--target', target]]) {
      const lagan = spawnSync(process.execPath, [join(import.meta.dirname, '../../bin/main.ts'), ...argv], settings);
      if (lagan.status !== 0) console.error(`lagan ${argv[0]}: exit code ${lagan.status}: ${lagan.stderr.slice(-2000)}`);
    }
    const restored = openRoot(target);
    print(name, compareCases(made, root, restored));
    for (const descriptor of [root, other, restored]) closeSync(descriptor);
  } finally {
    removeTestFolder(place);
  }
}

function print(name: string, results: readonly CaseResult[]): void {
  const losing = results.filter(({ differences }) => differences.length > 0);
  console.log(`${name}: ${results.length - losing.length} of ${results.length} cases are whole`);
  const aspects = losing.flatMap((one) =>
    [...new Set(one.differences.map(({ aspect }) => aspect))].map((aspect) => ({ aspect, name: one.name })),
  );
  for (const [aspect, lost] of Map.groupBy(aspects, (one) => one.aspect))
    console.log(`  ${aspect}: ${lost.map((one) => one.name).join(', ')}`);
}
