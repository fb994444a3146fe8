/** A recovery key for paper: a line of text, 24 words, a QR code, and a page with all of them that can be printed. Any of them is enough. */
import { open } from 'node:fs/promises';
import { systemError } from './errors.ts';

export interface RecoveryKey {
  /** `lagan-key-1 …`. */
  readonly text: string;
  /** Undefined for identities, which have none. */
  readonly words: readonly string[] | undefined;
}

/** What the page says of the repository. */
export interface SheetFields {
  readonly repositoryId: string;
  readonly location: string;
  readonly label: string;
  readonly date: string;
}

const columns = 4;

/** The words with their numbers, as a table of four columns, read from left to right. */
export function wordLines(words: readonly string[]): string[] {
  const cells = words.map((word, index) => `${String(index + 1).padStart(2)} ${word.padEnd(9)}`);
  return Array.from({ length: Math.ceil(cells.length / columns) }, (_, row) =>
    cells
      .slice(row * columns, (row + 1) * columns)
      .join(' ')
      .trimEnd(),
  );
}

/** Lines of half blocks, dark on light whatever the terminal's colours are if `coloured`. Capital letters make the code smaller; the key means the same. */
export async function qrLines(text: string, { coloured }: { coloured: boolean }): Promise<string[]> {
  const { encodeQR } = await import('qr');
  const cells = encodeQR(text.toUpperCase(), 'raw', { ecc: 'medium', border: 2 });
  const isDark = (row: number, column: number) => cells[row]?.[column] === true;
  const lines: string[] = [];
  for (let row = 0; row < cells.length; row += 2) {
    const line = cells[row]!.map((_, column) => halfBlock(isDark(row, column), isDark(row + 1, column))).join('');
    lines.push(coloured ? `\u001b[30;107m${line}\u001b[0m` : line);
  }
  return lines;
}

function halfBlock(upper: boolean, lower: boolean): string {
  if (upper && lower) return '█';
  if (upper) return '▀';
  return lower ? '▄' : ' ';
}

/** Writes the page for the owner only. Codes: exists, and those of the system. */
export async function writeSheet(file: string, key: RecoveryKey, fields: SheetFields): Promise<void> {
  const page = await sheet(key, fields);
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.writeFile(page);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw systemError('write', file, error);
  }
}

async function sheet({ text, words }: RecoveryKey, { repositoryId, location, label, date }: SheetFields): Promise<string> {
  const { encodeQR } = await import('qr');
  const code = encodeQR(text.toUpperCase(), 'svg', { ecc: 'medium', border: 2 });
  const list = words === undefined ? '' : `<h2>In words</h2>\n<ol>${words.map((word) => `<li>${word}</li>`).join('')}</ol>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Recovery key</title>
<style>
body { font: 12pt/1.4 sans-serif; max-width: 17cm; margin: 1cm auto; color: #000; background: #fff }
code, ol { font-family: monospace; font-size: 13pt; overflow-wrap: anywhere }
ol { columns: 3; padding-left: 2.5em }
svg { width: 6cm; height: 6cm; display: block }
dt { font-weight: bold }
</style>
<h1>Recovery key of a Lagan repository</h1>
<p><strong>Who has this page and can reach the repository can read all of it.</strong> Keep it away from the machine, as you would keep a passport.</p>
<dl>
<dt>Repository</dt><dd><code>${escapeHtml(repositoryId)}</code></dd>
<dt>Place</dt><dd><code>${escapeHtml(location)}</code></dd>
<dt>Key</dt><dd>${escapeHtml(label)}, printed ${escapeHtml(date)}</dd>
</dl>
<h2>As text</h2>
<p><code>${escapeHtml(text)}</code></p>
<h2>As a code to be scanned</h2>
${code}
${list}
<h2>How to use it</h2>
<p>Any one of the three is enough. Type the text or the words where Lagan asks for a password, or put them into a file and give that with <code>--key-file</code>:</p>
<p><code>lagan snapshots -r ${escapeHtml(location)}</code></p>
<p>Capital letters, dashes and the numbers of the words do not matter; after a typing mistake Lagan says in which word or group it is.</p>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
