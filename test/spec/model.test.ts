import { readFileSync } from 'node:fs';
import t from 'tap';
import { configurations, mistakes } from '../../spec/model/configurations.mjs';
import { explore } from '../../spec/model/explore.mjs';

// covers: SNAP-5, SNAP-6, ROOT-5, ROOT-6, ROOT-8
t.test('model: the protocol loses nothing in any interleaving', async (t) => {
  for (const [name, { small }] of Object.entries(configurations)) {
    for (const options of small) {
      const { verdict, states, acknowledged, deleted } = explore(options);
      t.equal(verdict, 'ok', `${name}: ${JSON.stringify(options)}`);
      t.ok(acknowledged > 0 && deleted > 0, `${name}: ${states} states; backups succeed and packs are deleted in some`);
    }
  }
});

// covers: ROOT-6, ROOT-7, ROOT-9, ROOT-10, ROOT-11, ROOT-12, ROOT-13, ROOT-14, ROOT-15, ROOT-16, ROOT-17, ROOT-18, ROOT-19, ROOT-20, ROOT-21, ROOT-22, ROOT-23, ROOT-24, ROOT-25, ROOT-26, ROOT-27, ROOT-28, NAME-4, SNAP-6
t.test('model: every seeded mistake is caught', async (t) => {
  for (const [mistake, options] of Object.entries(mistakes)) {
    const { verdict } = explore({ ...options, mistakes: [mistake] });
    t.match(verdict, /^(an?|a valid) /, `${mistake}: ${verdict}`);
  }
});

t.test('model: a trace tells how it came to a loss', async (t) => {
  const { trace = [], depth } = explore({ ...mistakes.noPostCheck, mistakes: ['noPostCheck'], trace: true });
  t.equal(trace.length, depth);
  t.match(trace.at(0), /^(writer|collector) 0 reads the root/);
});

t.test('model: every mistake and feature is described', async (t) => {
  const text = readFileSync(new URL('../../spec/model/README.md', import.meta.url), 'utf8');
  const sizes = Object.values(configurations).flatMap(({ small, full }) => [...small, ...full]);
  const names = new Set([...Object.keys(mistakes), ...sizes.flatMap(({ features = [] }) => features)]);
  for (const name of names) t.match(text, new RegExp(`^\\|.*\`${name}\``, 'm'), name);
});
