/** What was compressed, sealed and named is looked at again before it goes to the store: a broken codec, cipher or memory is noticed there, not at the restore. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { backupWithin } from '../../../engine/backup/backup.ts';
import type { BackupOptions } from '../../../engine/backup/mod.ts';
import { check } from '../../../engine/check/mod.ts';
import { aead, zstd } from '../../../engine/native/mod.ts';
import { createRepository, type Repository } from '../../../engine/repository/mod.ts';
import { InMemory } from '../../../engine/storage/mod.ts';
import { compressibleBytes, randomBytesOf } from '../random.ts';
import { secret, write } from './_fixture.ts';

const MiB = 1024 * 1024;
const [compress, seal] = [zstd().compress, aead().seal];

interface Parts {
  readonly source: string;
  readonly repository: Repository;
}

async function makeParts(t: Test, bytes: Uint8Array): Promise<Parts> {
  const source = mkdtempSync(path.join(tmpdir(), 'lagan-verify-'));
  t.teardown(() => rmSync(source, { recursive: true, force: true }));
  write(source, 'file', bytes);
  const repository = await createRepository(new InMemory(), { slots: [{ secret, label: 'test' }], packSizeBytes: MiB, patienceMs: 0 });
  return { source, repository };
}

/** Repositories in memory are written by this thread, so that a broken function here breaks the backup. */
async function backUpWith(
  { source, repository }: Parts,
  broken: { compress?: typeof compress; seal?: typeof seal },
  options: Partial<BackupOptions> = {},
): Promise<void> {
  Object.assign(zstd(), broken.compress && { compress: broken.compress });
  Object.assign(aead(), broken.seal && { seal: broken.seal });
  try {
    await backupWithin(repository, { paths: [source], workers: 1, ...options }, {});
  } finally {
    Object.assign(zstd(), { compress });
    Object.assign(aead(), { seal });
  }
}

/** Tells the call number `at` (from 0) that is about a block of data, not a table of contents or a node: those are smaller, as it is stored, too. */
function atBlock(at: number): (size: number) => boolean {
  let blocks = 0;
  return (size) => size > 10_000 && blocks++ === at;
}

async function stored({ repository }: Parts): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of repository.storage.list('writer/')) names.push(name);
  return names;
}

const faults: Record<string, (at: number) => { compress?: typeof compress; seal?: typeof seal }> = {
  'a codec that gives a frame of other bytes': (at) => {
    const isSpoiled = atBlock(at);
    return {
      compress: (input, output, level) => {
        const copy = input.slice();
        if (isSpoiled(input.length)) copy[copy.length >> 1]! ^= 1;
        return compress(copy, output, level);
      },
    };
  },
  'a codec that gives no frame': (at) => {
    const isSpoiled = atBlock(at);
    return {
      compress: (input, output, level) => {
        const length = compress(input, output, level);
        if (isSpoiled(input.length)) output[8]! ^= 0xff;
        return length;
      },
    };
  },
  'a cipher whose tag fits other bytes': (at) => {
    const isSpoiled = atBlock(at);
    return {
      seal: (inputs, parts, output) => {
        const copies = parts.map((part) => part.slice());
        if (isSpoiled(output.length)) copies.at(-1)![1000]! ^= 0x10;
        seal(inputs, copies, output);
      },
    };
  },
  'a cipher whose output changes afterwards': (at) => {
    const isSpoiled = atBlock(at);
    return {
      seal: (inputs, parts, output) => {
        seal(inputs, parts, output);
        if (isSpoiled(output.length)) output[output.length >> 1]! ^= 4;
      },
    };
  },
  'memory that changes after the chunks were named': (at) => {
    const isSpoiled = atBlock(at);
    return {
      compress: (input, output, level) => {
        if (isSpoiled(input.length)) input[input.length >> 1]! ^= 1;
        return compress(input, output, level);
      },
    };
  },
};

t.test('backup: wrong bytes of a codec, a cipher or the memory are noticed, and nothing of them is stored', async (t) => {
  const bytes = compressibleBytes('verified', 5 * MiB);
  for (const [what, broken] of Object.entries(faults)) {
    const parts = await makeParts(t, bytes);
    await t.rejects(backUpWith(parts, broken(0)), { code: 'io', hint: /memory/ }, what);
    t.same(await stored(parts), [], `${what}: the store is as it was`);
    await backUpWith(parts, {});
    t.same((await check(parts.repository, { readData: true })).errors, [], 'the next backup is sound');
  }
});

t.test('backup: with verifyAll every block is verified, without it one in eight', async (t) => {
  const bytes = compressibleBytes('all of them', 12 * MiB);
  for (const [what, broken] of Object.entries(faults)) {
    const all = await makeParts(t, bytes);
    await t.rejects(backUpWith(all, broken(6), { verifyAll: true }), { code: 'io' }, `${what}, in the seventh block`);
    t.equal((await stored(all)).filter((name) => name.startsWith('writer/snapshots/')).length, 0, 'no snapshot');
    t.same((await check(all.repository, { readData: true })).errors, [], 'whatever is there is sound');
  }
  const some = await makeParts(t, bytes);
  await t.rejects(backUpWith(some, faults['a codec that gives no frame']!(8)), { code: 'io' }, 'the ninth block');
});

t.test('backup: what does not compress is opened and named again, too', async (t) => {
  const parts = await makeParts(t, randomBytesOf('verified', 3 * MiB));
  await t.rejects(backUpWith(parts, faults['a cipher whose tag fits other bytes']!(0)), { code: 'io' });
  t.same(await stored(parts), []);
});

t.test('backup: a table of contents, a node and an index table are always verified', async (t) => {
  for (const at of [0, 1, 2, 3, 4]) {
    const parts = await makeParts(t, compressibleBytes('small', 10_000));
    let small = 0;
    const broken: typeof seal = (inputs, pieces, output) => {
      seal(inputs, pieces, output);
      if (small++ === at) output[0]! ^= 1;
    };
    await t.rejects(backUpWith(parts, { seal: broken }), { code: 'io' }, `sealing number ${at}`);
    t.equal((await stored(parts)).filter((name) => name.startsWith('writer/snapshots/')).length, 0);
  }
});
