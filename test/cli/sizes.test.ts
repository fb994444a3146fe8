import t from 'tap';
import { formatCount, formatPart, formatShare, formatSize, parseSize } from '../../bin/shared/sizes.ts';

t.test('parseSize knows units of 1,024 and of 1,000', async (t) => {
  const sizes: [string, number][] = [
    ['0', 0],
    ['500', 500],
    ['500B', 500],
    ['64K', 65_536],
    ['64k', 65_536],
    ['1.5GiB', 1.5 * 1024 ** 3],
    ['2TB', 2e12],
    ['3 MB', 3_000_000],
    ['7PiB', 7 * 1024 ** 5],
  ];
  for (const [text, size] of sizes) t.equal(parseSize(text, '--size'), size, text);
});

t.test('parseSize refuses what is no size with code usage', async (t) => {
  for (const text of ['', '-1', '1e3', 'many', '10X', '1..5K', '0x10', '10 iB', 'K', '9007199254740992', '9000P', 'Infinity']) {
    t.throws(() => parseSize(text, '--size'), { code: 'usage' }, text);
  }
  t.equal(parseSize('9007199254740991', '--size'), Number.MAX_SAFE_INTEGER);
});

t.test('formatSize has three digits and changes units between', async (t) => {
  const texts: [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.98 KiB'],
    [1024, '1.00 KiB'],
    [10 * 1024, '10.0 KiB'],
    [100 * 1024, '100 KiB'],
    [1023 * 1024, '1.00 MiB'],
    [1.2 * 1024 ** 3, '1.20 GiB'],
    [5 * 1024 ** 5, '5.00 PiB'],
  ];
  for (const [size, text] of texts) t.equal(formatSize(size), text);
});

t.test('formatCount, formatPart and formatShare', async (t) => {
  t.equal(formatPart(1.35 * 1024 ** 3, 1.39 * 1024 ** 3), '1.35 of 1.39 GiB');
  t.equal(formatPart(900 * 1024 ** 2, 1.39 * 1024 ** 3), '900 MiB of 1.39 GiB');
  t.equal(formatCount(1_234_567), '1,234,567');
  t.equal(formatCount(12), '12');
  t.equal(formatShare(0, 10), '0 %');
  t.equal(formatShare(1, 100_000), '1 %');
  t.equal(formatShare(99_999, 100_000), '99 %');
  t.equal(formatShare(5, 5), '100 %');
  t.equal(formatShare(5, 0), '0 %');
});
