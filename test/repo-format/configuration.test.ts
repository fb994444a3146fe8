import t from 'tap';
import { accessAllowed, expectAccess, expectFeaturesWithin, noFeatures } from '../../repo-format/mod.ts';

const known = new Set(['old']);

t.test('accessAllowed: the strictest set decides', async (t) => {
  const allowed = (features: Partial<typeof noFeatures>) => accessAllowed({ ...noFeatures, ...features }, known);
  t.equal(allowed({}), 'write');
  t.equal(allowed({ ignore: ['new'], readOnly: ['old'], refuse: ['old'] }), 'write');
  t.equal(allowed({ readOnly: ['old', 'new'] }), 'read');
  t.equal(allowed({ readOnly: ['new'], refuse: ['newer'] }), 'none');
});

t.test('expectAccess: the error names the unknown features', async (t) => {
  const readOnly = { ...noFeatures, readOnly: ['old', 'new'] };
  t.doesNotThrow(() => expectAccess(readOnly, 'read', 'object', known));
  t.throws(() => expectAccess(readOnly, 'write', 'object', known), { code: 'feature-unknown', object: 'object', found: ['new'] });
  t.throws(() => expectAccess({ ...noFeatures, refuse: ['new'] }, 'read', 'object', known), { code: 'feature-unknown', found: ['new'] });
});

t.test('expectFeaturesWithin: each set by itself', async (t) => {
  const sets = { ignore: ['a'], readOnly: ['b'], refuse: ['c'] };
  t.doesNotThrow(() => expectFeaturesWithin(noFeatures, sets));
  t.doesNotThrow(() => expectFeaturesWithin(sets, sets));
  t.throws(() => expectFeaturesWithin({ ...noFeatures, refuse: ['a'] }, sets), { code: 'malformed' });
});
