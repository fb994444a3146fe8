import t from 'tap';
import { decodeTextKey, encodeKeyFile, encodeTextKey, textKeyKinds } from '../../repo-format/mod.ts';

const key = Uint8Array.from({ length: 32 }, (_, index) => index * 7);

t.test('encodeTextKey, decodeTextKey: every kind, and only as that kind', async (t) => {
  for (const kind of textKeyKinds) {
    const text = encodeTextKey(kind, key);
    t.match(text, new RegExp(`^lagan-${kind}-1 ([0-9A-HJKMNP-TV-Z]{6}-){9}[0-9A-HJKMNP-TV-Z]{4}$`));
    t.same(decodeTextKey(kind, text), key);
    for (const other of textKeyKinds) if (other !== kind) t.throws(() => decodeTextKey(other, text), { code: 'malformed-key' });
  }
  t.same(decodeTextKey('key', encodeKeyFile(key)), key);
  t.throws(() => encodeTextKey('key', new Uint8Array(31)), RangeError);
});

t.test('decodeTextKey: one wrong symbol anywhere is found, and its group is named', async (t) => {
  const text = encodeTextKey('key', key);
  const groups = text.slice('lagan-key-1 '.length).split('-');
  for (const [number, group] of groups.entries()) {
    const wrong = [...groups];
    wrong[number] = (group[0] === '7' ? '8' : '7') + group.slice(1);
    t.throws(() => decodeTextKey('key', `lagan-key-1 ${wrong.join('-')}`), {
      code: 'malformed-key',
      message: new RegExp(`group ${number + 1} \\(`),
      found: wrong[number],
    });
  }
});

t.test('decodeTextKey: what cannot be a key says so', async (t) => {
  const text = encodeTextKey('key', key);
  t.throws(() => decodeTextKey('key', text.replace('-1 ', '-1 U')), { code: 'malformed-key', message: /group 1 .*"U"/ });
  t.throws(() => decodeTextKey('key', text.slice(0, -1)), { code: 'malformed-key', expected: 58, found: 57 });
  t.throws(() => decodeTextKey('key', 'x'.repeat(100_000)), { code: 'malformed-key' });
  t.throws(() => decodeTextKey('key', '#only a comment'), { code: 'malformed-key' });
  const [first, second] = [text.slice(0, 12) + text[19] + text.slice(13, 19) + text[12] + text.slice(20), 'far apart'];
  t.throws(() => decodeTextKey('key', first), { code: 'malformed-key', message: /more than one place/ }, second);
});
