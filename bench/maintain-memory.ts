/**
 * Memory of a maintenance: makes a repository whose index tables list so many chunks, has it folded by `maintain` in a process of its own, and prints the most memory that the
 * process had. `node bench/maintain-memory.ts --chunks 100000000 --folder /tmp/index` takes 8 GB of disk and some minutes; `npm test` does it with a million.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeIndexTable } from '../engine/index/mod.ts';
import { maintain } from '../engine/maintain/mod.ts';
import { createRepository, openRepository, type Repository } from '../engine/repository/mod.ts';
import { LocalFolder } from '../engine/storage/mod.ts';
import { idFromBytes, objectNames, type PackId, type SessionId } from '../repo-format/mod.ts';

const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(7) } as const;
const chunksPerPack = 500;
const chunksPerTable = 1_000_000;

const { values } = parseArgs({
  options: { chunks: { type: 'string', default: '1000000' }, folder: { type: 'string' }, measure: { type: 'boolean', default: false } },
});
if (values.folder === undefined) throw new RangeError('--folder: name a folder that is not there yet');
const folder = values.folder;
const place = join(folder, 'repository');
if (values.measure) await measure();
else await compare(Number(values.chunks));

async function compare(chunks: number): Promise<void> {
  mkdirSync(folder);
  try {
    await makeTables(await createRepository(new LocalFolder(place), { slots: [{ secret, label: 'bench' }], patienceMs: 0 }), chunks);
    const child = spawnSync(process.execPath, ['--expose-gc', fileURLToPath(import.meta.url), '--folder', folder, '--measure'], {
      encoding: 'utf8',
    });
    if (child.status !== 0) throw new Error(child.stderr);
    console.log(JSON.stringify({ chunks, ...JSON.parse(child.stdout) }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** As many tables of sessions as hold the chunks, and at least so many that they are folded. */
async function makeTables({ storage, keys }: Repository, chunks: number): Promise<void> {
  const tables = Math.max(20, Math.ceil(chunks / chunksPerTable));
  for (let table = 0; table < tables; table++) {
    const packs = Array.from({ length: Math.ceil(chunks / tables / chunksPerPack) }, () => ({
      pack: packId(),
      kind: 'pack' as const,
      names: Uint8Array.from(randomBytes(chunksPerPack * 32)),
      sizeBytes: 32 * 1024 * 1024,
    }));
    const session = idFromBytes<SessionId>(randomBytes(16));
    await writeIndexTable(storage, { name: objectNames.sessionIndex(0, session, 0, 0), keys, packs });
  }
}

function packId(): PackId {
  const id = randomBytes(16);
  id[0]! &= 0x7f;
  return idFromBytes<PackId>(id);
}

async function measure(): Promise<void> {
  const repository = await openRepository(new LocalFolder(place), { secret, mode: 'write' });
  const startedAt = performance.now();
  const { foldedTables } = await maintain(repository);
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  console.log(
    JSON.stringify({
      foldedTables,
      peakMiB: Math.round(Number(peak) / 1024),
      seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    }),
  );
}
