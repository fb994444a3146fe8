/**
 * Prints the figures of reliability: `npm run reliability -- [--seeds 10000] [--kills 1000] [--roles writer,collector] [--s3 | --served | --repository <place>] [--from <seed>]`. Exit code 1 if
 * anything was lost. Crashes at every request are in `crash.test.ts`, which is small enough to run always.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type KillPlace, localPlace, otherPlace, s3Place } from './_kill-places.ts';
import { isKillRole, type KillRole, killRoles, runKills } from './_kill-run.ts';
import { servedPlace } from './_kill-served.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    kills: { type: 'string' },
    /** Of the kills. Default: their number. */
    from: { type: 'string' },
    /** Whose processes there are, and are killed: see {@link killRoles}. */
    roles: { type: 'string', default: killRoles.join(',') },
    /** The kills happen on an S3 server that is started for them (versitygw). */
    s3: { type: 'boolean', default: false },
    /** The repository is behind `lagan serve`, which is killed, too. */
    served: { type: 'boolean', default: false },
    /** An empty place for the kills: a path or URL. Default: a folder in memory. */
    repository: { type: 'string' },
  },
});
const isSaid = values.seeds !== undefined || values.kills !== undefined;
const failed = [simulate(Number(values.seeds ?? (isSaid ? 0 : 200))), await kill(Number(values.kills ?? (isSaid ? 0 : 50)))];
process.exitCode = failed.includes(true) ? 1 : 0;

function simulate(seeds: number): boolean {
  if (seeds === 0) return false;
  const program = path.join(import.meta.dirname, '../simulation/run.ts');
  return spawnSync(process.execPath, [program, '--seeds', String(seeds)], { stdio: 'inherit' }).status !== 0;
}

async function kill(kills: number): Promise<boolean> {
  if (kills === 0) return false;
  const base = fs.existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = fs.mkdtempSync(path.join(base, 'lagan-kills-'));
  const serverFolder = fs.mkdtempSync(path.join(tmpdir(), 'lagan-kills-'));
  const startedAt = performance.now();
  const place = await placeIn(folder, serverFolder);
  try {
    const result = await runKills({ kills, folder, place, seed: Number(values.from ?? kills), roles: rolesOf(values.roles) });
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    console.log(
      [
        `kills: ${result.kills} in ${seconds} s on ${where()}, ${result.faults.length} faults`,
        `  of ${countsOf(result.killsOf)}`,
        `  ${result.acknowledged} snapshots acknowledged, ${result.copied} copied, ${result.forgotten} forgotten, ${result.restored} restored bit for bit; ${result.collections} collections`,
        ...(result.deeds.size > 0 ? [`  done whole: ${countsOf(result.deeds)}`] : []),
        ...result.faults.map((fault) => `  ${fault}`),
      ].join('\n'),
    );
    return result.faults.length > 0;
  } finally {
    await place.end();
    for (const scratch of [folder, serverFolder]) fs.rmSync(scratch, { recursive: true, force: true });
  }
}

async function placeIn(folder: string, serverFolder: string): Promise<KillPlace> {
  if (values.s3) return s3Place(serverFolder);
  if (values.served) return servedPlace(folder);
  return values.repository === undefined ? localPlace(folder) : otherPlace(values.repository, folder);
}

function where(): string {
  if (values.s3) return 'versitygw';
  return values.served ? 'lagan serve' : (values.repository ?? 'a local folder');
}

function rolesOf(text: string): KillRole[] {
  const roles = text.split(',');
  const wrong = roles.find((role) => !isKillRole(role));
  if (wrong !== undefined) throw new Error(`--roles: '${wrong}' is none of ${killRoles.join(', ')}`);
  return roles.filter(isKillRole);
}

function countsOf(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([what, count]) => `${what} ${count}`).join(', ');
}
