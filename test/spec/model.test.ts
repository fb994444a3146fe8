import t from 'tap';
import { type ExploreOptions, explore } from '../../spec/model/collector.mjs';

const small: ExploreOptions = { writers: 1, collectors: 1, generations: 2, attempts: 1, condemn: 'unused', wanted: [1] };

// covers: SNAP-5, SNAP-6, ROOT-5, ROOT-6, ROOT-8
t.test('the protocol loses nothing in any interleaving', async (t) => {
  const bounds: ExploreOptions[] = [
    { writers: 1, collectors: 1, generations: 2, attempts: 2 },
    { writers: 1, collectors: 2, generations: 2, attempts: 1, wanted: [1] },
    { writers: 2, collectors: 1, generations: 2, attempts: 1, condemn: 'unused', wanted: [1, 1] },
  ];
  for (const options of bounds) {
    const { verdict, states, acknowledged, deleted } = explore(options);
    t.equal(verdict, 'ok', JSON.stringify(options));
    t.ok(acknowledged > 0 && deleted > 0, `${states} states; backups succeed and packs are deleted in some`);
  }
});

/** The least bounds in which each mistake shows. */
const mistakes: Record<string, ExploreOptions> = {
  nameReuse: small,
  noCatalogue: small,
  minAge: small,
  staleIndex: { ...small, attempts: 2 },
  lazyRebase: { ...small, attempts: 2 },
  dedupCondemned: small,
  commitFirst: small,
  noPostCheck: small,
  blindPut: { ...small, collectors: 2 },
  listBeforeFence: small,
  noRemark: small,
  trustCreate: { ...small, collectors: 2 },
  pruneAll: small,
};

// covers: ROOT-6, ROOT-7, NAME-4, SNAP-6
t.test('the model catches every seeded mistake', async (t) => {
  for (const [mistake, options] of Object.entries(mistakes)) {
    const { verdict } = explore({ ...options, mistakes: [mistake] });
    t.match(verdict, /snapshot/, `${mistake}: ${verdict}`);
  }
  for (const options of new Set(Object.values(mistakes)))
    t.equal(explore(options).verdict, 'ok', `without mistakes: ${JSON.stringify(options)}`);
});
