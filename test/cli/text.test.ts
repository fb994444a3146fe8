import t from 'tap';
import { bytesOfText, escapeMessage, escapeText, exactArguments, splitAtByte, splitAtNul, textOfBytes } from '../../bin/shared/text.ts';

const names: [string, number[]][] = [
  ['ASCII', [0x61, 0x62]],
  ['empty', []],
  ['two, three and four bytes', [0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80]],
  ['lone continuation', [0x61, 0x80, 0x62]],
  ['Latin-1', [0x66, 0xfc, 0x72]],
  ['cut off sequence', [0xe2, 0x82]],
  ['overlong', [0xc0, 0xaf]],
  ['a surrogate in UTF-8', [0xed, 0xb2, 0x80]],
  ['beyond Unicode', [0xf5, 0x80, 0x80, 0x80]],
  ['controls', [0x1b, 0x5b, 0x33, 0x31, 0x6d, 0x0a]],
];

for (const [what, bytes] of names) {
  t.test(`bytesOfText brings back what textOfBytes was given: ${what}`, async (t) => {
    t.same([...bytesOfText(textOfBytes(Uint8Array.from(bytes)))], bytes);
  });
}

t.test('textOfBytes and bytesOfText agree for every byte alone and in pairs', async (t) => {
  for (let first = 0; first < 256; first++) {
    for (const second of [0x00, 0x41, 0x80, 0xbf, 0xc3, 0xff]) {
      const bytes = [first, second];
      if (Buffer.compare(bytesOfText(textOfBytes(Uint8Array.from(bytes))), Buffer.from(bytes)) !== 0) t.fail(`${bytes}`);
    }
  }
});

t.test('escapeText leaves no control, direction mark or stray byte, and tells a backslash from an escape', async (t) => {
  t.equal(escapeText('\u001b[31mred\u0007'), '\\x1b[31mred\\x07');
  t.equal(escapeText('a\nb\tc\r'), 'a\\nb\\tc\\r');
  t.equal(escapeText('\u202etxt.exe'), '\\u{202e}txt.exe');
  t.equal(escapeText('\u0085\u2028'), '\\u{85}\\u{2028}');
  t.equal(escapeText(textOfBytes(Uint8Array.of(0x66, 0xfc))), 'f\\xfc');
  t.equal(escapeText('dev-x2d\\x2d'), 'dev-x2d\\\\x2d');
  t.equal(escapeText('plain é 😀'), 'plain é 😀');
});

t.test('escapeMessage keeps a message on its line', async (t) => {
  t.equal(escapeMessage('cannot open a\nerror: b\u001b[2J'), 'cannot open a\\nerror: b\\x1b[2J');
});

t.test('splitAtByte and splitAtNul leave out the empty end', async (t) => {
  const pieces = (bytes: Uint8Array[]) => bytes.map((piece) => Buffer.from(piece).toString());
  t.same(pieces(splitAtByte(Buffer.from('a\n\nb\n'), 10)), ['a', '', 'b']);
  t.same(pieces(splitAtByte(Buffer.from('a\nb'), 10)), ['a', 'b']);
  t.same(pieces(splitAtNul(Buffer.from('x\0y\0'))), ['x', 'y']);
  t.same(splitAtNul(new Uint8Array()), []);
});

t.test('exactArguments asks for the bytes only where Node replaced some', async (t) => {
  const commandLine = Buffer.concat([Buffer.from('node\0main.ts\0backup\0'), Buffer.of(0x2f, 0xff), Buffer.from('\0')]);
  t.same(
    exactArguments(['backup', '/\ufffd'], () => commandLine),
    ['backup', '/\udcff'],
  );
  t.same(
    exactArguments(['backup', '/x'], () => t.fail('not needed') as never),
    ['backup', '/x'],
  );
});
