/** Repacking: space that is unused in packs which something needs comes back, and nothing is lost. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { maintain } from '../../../engine/maintain/mod.ts';
import { createRepository, type Repository } from '../../../engine/repository/mod.ts';
import { InMemory } from '../../../engine/storage/mod.ts';
import { objectPrefixes, type SnapshotId } from '../../../repo-format/mod.ts';
import { secret, write } from '../backup/_fixture.ts';
import { backUpOf, expectSound, files, forget, type History, newHistory } from './_fixture.ts';

/** A repository of small packs and blocks, so that a few files make many. */
export async function smallPacks(t: Test): Promise<History> {
  const history = await newHistory(t);
  const repository = await createRepository(new InMemory(), {
    slots: [{ secret, label: 'test' }],
    patienceMs: 0,
    chunker: { kind: 'local-maximum-1', horizonBytes: 512, gridBytes: 1024 },
    blockSizeBytes: 4096,
    packSizeBytes: 16_384,
  });
  return { ...history, repository };
}

/** Replaces the files of the source by these, backs up, and remembers what is in the snapshot. */
async function exactly(history: History, contents: Record<string, Uint8Array>): Promise<SnapshotId> {
  fs.rmSync(history.source, { recursive: true });
  fs.mkdirSync(history.source);
  for (const [name, bytes] of Object.entries(contents)) write(history.source, name, bytes);
  const { snapshotId, errors } = await backUpOf(history);
  if (errors.length > 0) throw new Error(errors[0]!.message);
  history.expected.set(snapshotId!, new Map(Object.entries(contents)));
  return snapshotId!;
}

export async function packBytes({ storage }: Repository): Promise<number> {
  let sum = 0;
  for (const prefix of [objectPrefixes.writerPacks, objectPrefixes.collectorPacks])
    for await (const { sizeBytes } of storage.list(prefix)) sum += sizeBytes;
  return sum;
}

/** Every second of the files. */
function half(contents: Record<string, Uint8Array>): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(contents).filter((_, index) => index % 2 === 0));
}

t.test('maintain: what only a forgotten snapshot had of shared packs is freed, in one run', async (t) => {
  const history = await smallPacks(t);
  const all = files('a', 40, 3000);
  const first = await exactly(history, all);
  await exactly(history, half(all));
  const before = await packBytes(history.repository);
  await forget(history, first);
  const dry = await maintain(history.repository, { dryRun: true });
  t.ok(dry.repackedPacks > 0 && dry.freedBytes > 0.9 * before, `${dry.repackedPacks} packs would be repacked`);
  t.equal(await packBytes(history.repository), before, 'a dry run copies nothing');
  const result = await maintain(history.repository);
  const after = await packBytes(history.repository);
  t.match(result, { outcome: 'collected', collections: 1, repackedPacks: dry.repackedPacks, freedPacks: dry.freedPacks });
  t.ok(after < 0.62 * before, `${after} of ${before} bytes are left`);
  t.equal(result.neededBytes, after);
  t.ok(Math.abs(dry.repackedBytes - result.repackedBytes) < 0.2 * before, `${dry.repackedBytes} said, ${result.repackedBytes} copied`);
  await expectSound(t, history);
  t.match(await maintain(history.repository), { outcome: 'idle' });
  const again = await exactly(history, half(all));
  t.ok(again !== first);
  t.ok((await packBytes(history.repository)) - after < 0.1 * before, 'the next backup finds the copies');
  await expectSound(t, history);
});
