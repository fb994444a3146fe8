import { entropyToMnemonic } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import t from 'tap';
import { decodeWords, encodeWords, looksLikeWords } from '../../../engine/keys/_words.ts';
import { keyText, keyWords, newKeyFileSecret, parseSecretText, secretsInText } from '../../../engine/keys/mod.ts';
import { randomBytesOf } from '../random.ts';

const key = randomBytesOf('a recovery key', 32);
const words = encodeWords(key);

t.test('encodeWords gives the words of BIP-39, and decodeWords the key', async (t) => {
  for (let seed = 0; seed < 200; seed++) {
    const bytes = randomBytesOf(`key ${seed}`, 32);
    const encoded = encodeWords(bytes);
    t.equal(encoded.join(' '), entropyToMnemonic(bytes, wordlist));
    t.same([...decodeWords(encoded.join(' '))], [...bytes]);
  }
  t.throws(() => encodeWords(new Uint8Array(16)), RangeError);
});

t.test('decodeWords: a misspelled word is named, with the words that it may have been', async (t) => {
  for (const [index, word] of words.entries()) {
    const wrong = `${word.slice(0, -1)}${word.at(-1) === 'q' ? 'x' : 'q'}q`;
    const text = words.with(index, wrong).join(' ');
    t.throws(() => decodeWords(text), {
      code: 'malformed-key',
      found: [wrong],
      message: new RegExp(`^word ${index + 1} \\(“${wrong}”\\)`),
    });
  }
  t.throws(() => decodeWords(words.with(6, 'abandno').join(' ')), {
    message: /^word 7 \(“abandno”\) is not in the list: perhaps abandon$/,
  });
  t.throws(() => decodeWords(words.with(0, 'xxxxxxxx').with(23, 'abuot').join(' ')), {
    found: ['xxxxxxxx', 'abuot'],
    message: /word 1 .* is not in the list; word 24 .*perhaps about/,
  });
});

t.test('decodeWords: a wrong word of the list makes the checksum wrong, and the one that it is mistaken for is found', async (t) => {
  // The checksum has 8 bits, so one in 256 wrong words goes through it.
  let noticed = 0;
  for (const [index] of words.entries()) {
    const other = wordlist[(wordlist.indexOf(words[index]!) + 7) % wordlist.length]!;
    try {
      decodeWords(words.with(index, other).join(' '));
    } catch (error) {
      noticed++;
      t.match(error, { code: 'malformed-key', found: 'wrong checksum' });
    }
  }
  t.ok(noticed >= 23, `${noticed} of 24`);
  const likely = wordlist.indexOf('boat') >= 0 ? encodeWords(keyWith('boat')) : words;
  const at = likely.indexOf('boat');
  t.throws(() => decodeWords(likely.with(at, 'goat').join(' ')), {
    code: 'malformed-key',
    hint: new RegExp(`“boat” as word ${at + 1} instead of “goat”`),
  });
  const swapped = likely.with(2, likely[3]!).with(3, likely[2]!);
  t.throws(() => decodeWords(swapped.join(' ')), { code: 'malformed-key', hint: /words 3 and 4 the other way round/ });
});

/** A key whose words have this one, such that the word that is like it and the swap make the checksum wrong. */
function keyWith(word: string): Uint8Array {
  for (let seed = 0; ; seed++) {
    const bytes = randomBytesOf(`with ${word} ${seed}`, 32);
    const encoded = encodeWords(bytes);
    const at = encoded.indexOf(word);
    if (at < 0) continue;
    const swapped = encoded.with(2, encoded[3]!).with(3, encoded[2]!);
    const isWrong = (text: readonly string[]) => {
      try {
        decodeWords(text.join(' '));
        return false;
      } catch {
        return true;
      }
    };
    if (isWrong(encoded.with(at, 'goat')) && isWrong(swapped)) return bytes;
  }
}

t.test('decodeWords: words that are missing or too many are said to be', async (t) => {
  t.throws(() => decodeWords(words.slice(1).join(' ')), { code: 'malformed-key', found: 23, hint: /missing/ });
  t.throws(() => decodeWords([...words, words[0]].join(' ')), { code: 'malformed-key', found: 25, hint: /too many/ });
  t.throws(() => decodeWords(''), { code: 'malformed-key', found: 0 });
});

t.test('looksLikeWords: a recovery key with a few mistakes, and no password that people have', async (t) => {
  t.ok(looksLikeWords(words.join(' ')));
  t.ok(looksLikeWords(words.with(3, 'xxx').with(9, 'yyy').slice(2).join('\n')));
  t.notOk(looksLikeWords('correct horse battery staple'));
  t.notOk(looksLikeWords(words.slice(0, 12).join(' ')));
  t.notOk(looksLikeWords('it was the best of times it was the worst of times it was the age of wisdom it was the age of'));
});

t.test('parseSecretText reads text and words; secretsInText takes a password for what it is', async (t) => {
  const secret = newKeyFileSecret();
  const phrase = (await keyWords(secret)).join(' ');
  t.same(await parseSecretText(`# a comment\n${phrase}\n`), secret);
  t.same(await parseSecretText(keyText(secret)), secret);
  t.same((await secretsInText(phrase)).secrets, [secret, { kind: 'password', password: phrase }], 'it might be a password all the same');
  const typo = phrase.replace(/^\S+/, 'xxxx');
  const { secrets, doubt } = await secretsInText(typo);
  t.same(secrets, [{ kind: 'password', password: typo }]);
  t.match(doubt, { code: 'malformed-key', message: /word 1/ });
  t.same(await secretsInText('hunter2'), { secrets: [{ kind: 'password', password: 'hunter2' }] });
  t.same((await secretsInText(keyText(secret))).secrets, [secret]);
  await t.rejects(secretsInText('lagan-key-1 ABC'), { code: 'malformed-key' });
});
