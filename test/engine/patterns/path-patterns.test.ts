import t from 'tap';
import { PathPatterns } from '../../../engine/patterns/mod.ts';

/** `path` relative to the top; a folder ends with `/`. */
function matches(patterns: string[], path: string): boolean {
  const isFolder = path.endsWith('/');
  const whole = isFolder ? path.slice(0, -1) : path;
  const cut = whole.lastIndexOf('/') + 1;
  return new PathPatterns(patterns).match(Buffer.from(whole.slice(0, cut)), Buffer.from(whole.slice(cut)), isFolder);
}

const cases: [patterns: string[], path: string, expected: boolean][] = [
  [[], 'a', false],
  [['*.log'], 'deep/down/x.log', true],
  [['*.log'], '.log', true],
  [['x'], 'x/y', false],
  [['cache/'], 'srv/cache/', true],
  [['cache/'], 'srv/cache', false],
  [['/srv/data'], 'srv/data', true],
  [['/srv/data'], 'mnt/srv/data', false],
  [['srv/data'], 'mnt/srv/data', true],
  [['srv/data'], 'srv/data', true],
  [['/srv/*'], 'srv/a/b', false],
  [['/srv/**'], 'srv/a/b', true],
  [['*.log', '!keep.log'], 'keep.log', false],
  [['!keep.log', '*.log'], 'keep.log', true],
  [['?.txt'], 'ab.txt', false],
  [[''], 'a', false],
];

for (const [patterns, path, expected] of cases) {
  t.test(`PathPatterns: ${JSON.stringify(patterns)} and ${path}`, async (t) => t.equal(matches(patterns, path), expected));
}

t.test('PathPatterns: isEmpty if there are none but empty ones', async (t) => {
  t.ok(new PathPatterns(['', '']).isEmpty);
  t.notOk(new PathPatterns(['a']).isEmpty);
});
