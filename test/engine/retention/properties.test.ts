/** What holds for the rules whatever the snapshots and the policy. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import {
  type PlannedGroup,
  periods,
  type RetentionPolicy,
  type RetentionSnapshot,
  type SnapshotPeriod,
} from '../../../engine/retention/mod.ts';
import type { SnapshotId } from '../../../repo-format/mod.ts';
import { idOf, planOf, snapshotAt } from './_samples.ts';

const daySeconds = 86_400;
const now = { seconds: 1_800_000_000, nanoseconds: 0 };

/** Close together, or years apart, some of them dated after now. */
const seconds = fc.oneof(
  fc.integer({ min: now.seconds - 40 * daySeconds, max: now.seconds + 2 * daySeconds }),
  fc.integer({ min: 0, max: now.seconds + 3000 * daySeconds }),
  fc.integer({ min: 0, max: 60 }).map((hours) => now.seconds - hours * 3600),
);
const shape = fc.record({
  seconds,
  host: fc.constantFrom('a', 'b'),
  path: fc.constantFrom('/p', '/q'),
  tags: fc.subarray(['x', 'y']),
  partial: fc.integer({ min: 0, max: 5 }).map((number) => number === 0),
  errors: fc.constantFrom(0, 0, 1),
  parent: fc.option(fc.nat(30), { nil: null }),
});
const snapshots = fc
  .array(shape, { maxLength: 30 })
  .map((shapes) =>
    shapes.map(({ seconds: started, host, path, parent, ...rest }, index) =>
      snapshotAt(
        index,
        { seconds: started, nanoseconds: index % 3 },
        { ...rest, host, paths: [Buffer.from(path)], source: `${host}${path}`, parent: parent === null ? null : idOf(parent) },
      ),
    ),
  );
const count = fc.option(fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(Number.POSITIVE_INFINITY)), { nil: undefined });
const duration = fc.option(fc.record({ years: fc.nat(2), months: fc.nat(14), days: fc.nat(40), hours: fc.integer({ min: 1, max: 30 }) }), {
  nil: undefined,
});
const perPeriod = <T>(value: fc.Arbitrary<T>) =>
  fc.record(Object.fromEntries(periods.map((period) => [period, value])) as Record<SnapshotPeriod, typeof value>);
const policy: fc.Arbitrary<RetentionPolicy> = fc
  .record({
    last: count,
    counts: perPeriod(count),
    within: duration,
    withinCounts: perPeriod(duration),
    tags: fc.subarray([['x'], ['x', 'y']]),
  })
  .map((made) => ({ ...made, last: made.last ?? 1 }));

const planAt = (
  list: readonly RetentionSnapshot[],
  rules: RetentionPolicy,
  groupBy: readonly ('host' | 'paths' | 'tags')[] = ['host', 'paths'],
) => planOf(list, rules, { groupBy, now });
const keptIds = (groups: readonly PlannedGroup[]): Set<SnapshotId> =>
  new Set(groups.flatMap((group) => group.snapshots.filter(({ action }) => action === 'keep').map(({ snapshot }) => snapshot.id)));
const isSubset = (part: ReadonlySet<SnapshotId>, whole: ReadonlySet<SnapshotId>) => [...part].every((id) => whole.has(id));

t.test('planRetention: nothing is lost and nothing is in two groups; what is kept has a reason, what goes has none', async () => {
  fc.assert(
    fc.property(snapshots, policy, (list, rules) => {
      const planned = planAt(list, rules).flatMap((group) => group.snapshots);
      const ids = new Set(planned.map(({ snapshot }) => snapshot.id));
      return (
        planned.length === list.length &&
        ids.size === list.length &&
        planned.every(({ action, reasons }) => (action === 'keep') === reasons.length > 0)
      );
    }),
  );
});

t.test('planRetention: the newest of a group, and of each source in it, is never removed, nor the newest good one', async () => {
  const isGood = ({ partial, errors }: RetentionSnapshot) => !partial && errors === 0;
  fc.assert(
    fc.property(snapshots, policy, fc.subarray(['host', 'paths', 'tags'] as const), (list, rules, groupBy) =>
      planAt(list, rules, groupBy).every((group) =>
        [...Map.groupBy(group.snapshots, ({ snapshot }) => snapshot.source).values()].every(
          (ofSource) =>
            ofSource.at(-1)!.action === 'keep' && (ofSource.findLast(({ snapshot }) => isGood(snapshot))?.action ?? 'keep') === 'keep',
        ),
      ),
    ),
  );
});

t.test('planRetention: a policy that is more generous in any rule keeps at least the same', async () => {
  fc.assert(
    fc.property(snapshots, policy, policy, fc.integer({ min: 1, max: 3 }), (list, rules, others, more) => {
      const greater = (value: number | undefined, other: number | undefined) => (value === undefined ? other : value + more);
      const longer = (value: RetentionPolicy['within'], other: RetentionPolicy['within']) =>
        value === undefined ? other : { ...value, days: value.days + more, months: value.months + (more === 3 ? 1 : 0) };
      const generous: RetentionPolicy = {
        last: greater(rules.last, others.last),
        counts: Object.fromEntries(periods.map((period) => [period, greater(rules.counts?.[period], others.counts?.[period])])),
        within: longer(rules.within, others.within),
        withinCounts: Object.fromEntries(
          periods.map((period) => [period, longer(rules.withinCounts?.[period], others.withinCounts?.[period])]),
        ),
        tags: [...(rules.tags ?? []), ...(others.tags ?? [])],
      };
      return isSubset(keptIds(planAt(list, rules)), keptIds(planAt(list, generous)));
    }),
    { numRuns: 500 },
  );
});

t.test('planRetention: the order of the snapshots does not matter', async () => {
  const shuffled = snapshots.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })));
  fc.assert(fc.property(shuffled, policy, ([list, other], rules) => isDeepStrictEqual(planAt(other, rules), planAt(list, rules))));
});

t.test('planRetention: groups do not depend on each other', async () => {
  fc.assert(
    fc.property(snapshots, policy, (list, rules) => {
      const alone = list.filter(({ host, paths }) => host === 'a' && paths[0]!.at(-1) === 'p'.charCodeAt(0));
      const ids = new Set(alone.map(({ id }) => id));
      const together = [...keptIds(planAt(list, rules))].filter((id) => ids.has(id));
      return together.length === keptIds(planAt(alone, rules)).size && isSubset(new Set(together), keptIds(planAt(alone, rules)));
    }),
  );
});

t.test('planRetention: forgetting twice by the same rules of numbers removes nothing more', async () => {
  const numbers = policy.map(({ last, counts, tags }): RetentionPolicy => ({ last, counts, tags }));
  fc.assert(
    fc.property(snapshots, numbers, (list, rules) => {
      // Without parents: evidence of a wrong clock goes with them.
      const plain = list.map((snapshot) => ({ ...snapshot, parent: null }));
      const kept = keptIds(planAt(plain, rules));
      const again = keptIds(
        planAt(
          plain.filter(({ id }) => kept.has(id)),
          rules,
        ),
      );
      return again.size === kept.size;
    }),
  );
});

t.test('planRetention: one more snapshot in the future, or held, changes nothing for the others', async () => {
  fc.assert(
    fc.property(snapshots, policy, (list, rules) => {
      const future = snapshotAt(
        1000,
        { seconds: now.seconds + 1, nanoseconds: 0 },
        { paths: [Buffer.from('/p')], host: 'a', source: 'a/p' },
      );
      const before = keptIds(planAt(list, rules));
      const after = keptIds(planAt([...list, future], rules));
      return after.size === before.size + 1 && isSubset(before, after);
    }),
  );
});
