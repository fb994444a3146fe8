/** Names that programs trip over. */

import type { CaseFolder, Name } from '../case-folder.ts';
import { latin1 } from '../case-folder.ts';
import type { FidelityCase } from '../make-cases.ts';

export const nameCases: readonly FidelityCase[] = [
  {
    name: 'not-utf-8',
    make: named(latin1('\xff\xfe'), latin1('caf\xe9'), latin1('\xc3('), latin1('\xed\xa0\x80'), latin1('\xf5\x80\x80\x80')),
  },
  { name: '255-bytes', make: named('x'.repeat(255), latin1('\xff'.repeat(255)), `${'€'.repeat(85)}`) },
  { name: 'newlines-and-control-characters', make: named('a\nb', 'a\rb', 'a\tb', '\x1b[31mred', '\x7f', '\x01', '\b', 'ends\n') },
  { name: 'leading-dashes', make: named('-', '--', '-rf', '--help', '-n x') },
  { name: 'spaces', make: named(' ', '  ', ' leading', 'trailing ', 'in the middle', ' both ', '\u00a0', '\u3000') },
  { name: 'backslashes', make: named('\\', 'a\\b', '\\n', '\\\\server\\share', 'ends\\', '\\x41', '\\134') },
  { name: 'dots', make: named('...', '....', '..a', '.hidden', 'a.', 'a..', '. ', '.. ') },
  { name: 'quotes-and-shell', make: named('"', "'", '`', '$HOME', '$(true)', ';', '|', '&', '>', '<', '!', '#', '~', '(', ')') },
  { name: 'patterns', make: named('*', '?', '[a]', '{a,b}', '**', '!a', '^a', '[', ']') },
  { name: 'unicode-twins', make: named('\u00e9', 'e\u0301', '\u00c5', '\u212b', 'A\u030a', '\ufb01', 'fi') },
  { name: 'case-twins', make: named('name', 'Name', 'NAME', 'ß', 'ss', 'İ', 'i') },
  {
    name: 'every-byte',
    make: (folder) => {
      for (let byte = 1; byte < 256; byte++) if (byte !== 0x2f && byte !== 0x2e) folder.file(Uint8Array.of(byte), `${byte}`);
    },
  },
  {
    name: 'names-of-other-systems',
    make: named('CON', 'nul', 'lost+found', '.git', '.snapshot', 'C:', 'a:b', '%2F', '%00', '__proto__', 'constructor'),
  },
  { name: 'astral-characters', make: named('😀', '𠮷', '\u{10ffff}', '👩‍👩‍👧‍👦', '\u202egnp.exe', '\ufeff', '\u200b') },
  { name: 'numbers', make: named('0', '00', '1', '01', '10', '2', '-1', '1e3', '9007199254740993') },
  {
    name: 'odd-names-of-folders-and-links',
    make: (folder) => {
      for (const name of [latin1('\xff\n'), ' ', '-x', '...', '*'].map((one) => (typeof one === 'string' ? Buffer.from(one) : one))) {
        folder.directory(name, {}, (inner) => {
          inner.file(name, 'content');
          inner.symlink(Buffer.concat([name, Buffer.from('link')]), name);
        });
      }
    },
  },
  { name: 'prefixes', make: named('a', 'aa', 'aaa', 'a ', 'a-', 'a.', 'a0', 'ab', 'b') },
];

function named(...names: Name[]): (folder: CaseFolder) => void {
  return (folder) => {
    for (const [index, name] of names.entries()) folder.file(name, `${index}`);
  };
}
