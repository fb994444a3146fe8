/** Which packs are worth being repacked: a pure function of how much of each is needed. */
import t from 'tap';
import { repackLimits } from '../../../engine/maintain/_repack-limits.ts';
import { choosePacks, type PackUse, type RepackRules, smallPackBytes, unusedBytesOf } from '../../../engine/maintain/_unused.ts';
import { idFromBytes, type PackId, type PackKind } from '../../../repo-format/mod.ts';

const packSizeBytes = 32 * 1024 * 1024;
const everything: RepackRules = { maxUnused: 0, maxRepackBytes: Number.MAX_SAFE_INTEGER, packSizeBytes, replacing: 0 };
const nothingUnused = { liveRows: 100 };

/** A pack of usual size with 100 chunks, all needed by old snapshots alone. */
function use(
  number: number,
  { kind = 'pack', chunkCount = 100, ...changed }: Partial<PackUse> & { kind?: PackKind; chunkCount?: number } = {},
): PackUse {
  const id = idFromBytes<PackId>(Uint8Array.from({ length: 16 }, (_, at) => (at === 15 ? number : 0)));
  const row = { id, kind, chunkCount } as PackUse['row'];
  return {
    row,
    sizeBytes: packSizeBytes,
    rows: chunkCount,
    liveRows: chunkCount,
    newestRows: 0,
    isCostly: false,
    isOldEpoch: false,
    ...changed,
  };
}

/** What is chosen, by number and reason, in order. */
const chosen = (uses: readonly PackUse[], rules: Partial<RepackRules> = {}): string[] =>
  choosePacks(uses, { ...everything, ...rules }).map(({ row, reason }) => `${Number.parseInt(row.id.slice(-2), 16)} ${reason}`);

t.test('choosePacks: those of which least is needed come first, and it ends when little enough stays unused', (t) => {
  const uses = [use(1, { liveRows: 60 }), use(2, { liveRows: 10 }), use(3, { liveRows: 90 }), use(4)];
  t.same(chosen(uses), ['2 unused', '1 unused', '3 unused'], 'to the last byte');
  t.same(chosen(uses, { maxUnused: 0.03 }), ['2 unused', '1 unused'], '140 of 400 are unused; then 10: less than 12');
  t.same(chosen(uses, { maxUnused: 0.2 }), ['2 unused'], 'then 50: less than 80');
  t.same(chosen(uses, { maxUnused: 0.35 }), [], 'that many may be');
  t.same(chosen([use(1), use(2)]), [], 'nothing is unused');
  t.same(chosen([]), []);
  t.end();
});

t.test('choosePacks: what has no chunks is unused as a whole', (t) => {
  const empty = use(7, { chunkCount: 0, sizeBytes: 5000 });
  t.equal(unusedBytesOf(empty), 5000);
  t.equal(unusedBytesOf(use(1, { liveRows: 25 })), 0.75 * packSizeBytes);
  t.same(chosen([empty, use(1)]), ['7 unused']);
  t.end();
});

t.test('choosePacks: what is copied has a limit; a pack that is too much gives way to one that is not', (t) => {
  const uses = [
    use(1, { liveRows: 20 }),
    use(2, { liveRows: 50 }),
    use(3, { liveRows: 75 }),
    use(4, { liveRows: 76, sizeBytes: packSizeBytes / 16 }),
  ];
  t.same(chosen(uses, { maxRepackBytes: 0.25 * packSizeBytes }), ['1 unused', '4 unused']);
  t.same(chosen(uses, { maxRepackBytes: 0.7 * packSizeBytes }), ['1 unused', '2 unused'], 'to the byte');
  const many = use(5, { liveRows: 1, chunkCount: repackLimits.chunks, rows: repackLimits.chunks });
  t.same(chosen([many, use(6, { liveRows: 90 })]), ['5 unused'], 'chunks have one, too');
  const tooMany = use(5, { liveRows: 1, chunkCount: repackLimits.chunks + 1 });
  t.same(chosen([tooMany, use(6, { liveRows: 90 })]), ['6 unused']);
  t.same(chosen([tooMany, use(6)]), [], 'one that is needed as a whole does not come instead');
  t.same(chosen([tooMany, use(6, { liveRows: 60 })], { maxUnused: 0.25 }), ['6 unused'], 'what is not taken stays unused');
  const [large, small] = [use(1, { liveRows: 80 }), use(2, { liveRows: 10, sizeBytes: packSizeBytes / 16 })];
  t.same(chosen([large, small]), ['2 unused', '1 unused'], 'by their shares, not by their bytes');
  t.end();
});

t.test('choosePacks: then those that are to be sealed anew, each once', (t) => {
  const uses = [use(1, { isOldEpoch: true }), use(2, { isOldEpoch: true, liveRows: 10 }), use(3)];
  t.same(chosen(uses), ['2 unused', '1 epoch']);
  t.same(chosen(uses, { maxUnused: 1 }), ['1 epoch', '2 epoch']);
  t.end();
});

t.test(
  'choosePacks: then those of which the newest snapshot uses little, or here and there, as far as there is room for what replaces them',
  (t) => {
    const share = 100 * repackLimits.scatteredShare;
    const uses = [
      use(1, { newestRows: share - 1 }),
      use(2, { newestRows: share }),
      use(3, { newestRows: share, isCostly: true }),
      use(4, { newestRows: 5 }),
      use(5, { newestRows: 0, isCostly: true }),
      use(6, { newestRows: 5, kind: 'metadata-pack' }),
    ];
    t.same(chosen(uses), ['4 scattered', '1 scattered', '3 scattered']);
    const perPack = uses.length;
    t.same(chosen(uses, { replacing: repackLimits.replacingPacks - 2 * perPack }), ['4 scattered', '1 scattered']);
    t.same(chosen(uses, { replacing: repackLimits.replacingPacks - 2 * perPack + 1 }), ['4 scattered']);
    t.same(chosen(uses, { replacing: repackLimits.replacingPacks }), []);
    const few = [use(1, { newestRows: 1, chunkCount: 2, rows: 2, liveRows: 2 })];
    t.same(
      chosen([...few, ...uses.slice(1, 2)], { replacing: repackLimits.replacingPacks - 2 }),
      ['1 scattered'],
      'no more packs than it has chunks',
    );
    t.same(chosen([use(1, { newestRows: 5, liveRows: 30 })]), ['1 unused'], 'each once');
    t.end();
  },
);

t.test('choosePacks: then small ones of a kind, if they are many, the smallest first', (t) => {
  const sizes = smallPackBytes(packSizeBytes);
  t.same(sizes, { pack: 8 * 1024 * 1024, 'metadata-pack': 4 * 1024 * 1024 });
  const small = (count: number, kind: PackKind, from = 1) =>
    Array.from({ length: count }, (_, index) => use(from + index, { kind, sizeBytes: sizes[kind] - 1 - index, ...nothingUnused }));
  const enough = repackLimits.smallPacks;
  t.same(chosen(small(enough - 1, 'pack')), []);
  const all = chosen(small(enough, 'pack'));
  t.equal(all.length, enough);
  t.same([all[0], all.at(-1)], [`${enough} small`, '1 small']);
  t.same(chosen([...small(enough - 1, 'pack'), ...small(1, 'metadata-pack', 200)]), [], 'kinds are counted by themselves');
  t.equal(chosen(small(enough, 'metadata-pack')).length, enough);
  const usual = small(enough, 'pack').map((one) => ({ ...one, sizeBytes: sizes.pack }));
  t.same(chosen(usual), [], 'they are not small');
  const [first, ...others] = small(enough, 'pack');
  const reasons = chosen([{ ...first!, liveRows: 10 }, ...others]);
  t.same(reasons, ['1 unused'], 'one that goes anyway does not count');
  t.end();
});
