/** Columns of text, aligned; the last column is as long as it likes. */

export interface Column {
  readonly heading: string;
  readonly align?: 'left' | 'right';
}

/** Lines of a table with its headings; an empty table has none. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const widths = columns.map((column, index) =>
    Math.max(displayWidth(column.heading), ...rows.map((row) => displayWidth(row[index] ?? ''))),
  );
  const formatRow = (cells: readonly string[]) =>
    cells
      .map((cell, index) => pad(cell, widths[index]!, columns[index]?.align))
      .join('  ')
      .trimEnd();
  return [formatRow(columns.map((column) => column.heading)), ...rows.map(formatRow)];
}

/** Lines `name: value` with the values below one another. */
export function formatFields(fields: readonly (readonly [name: string, value: string])[]): string[] {
  const width = Math.max(0, ...fields.map(([name]) => name.length)) + 1;
  return fields.map(([name, value]) => `${`${name}:`.padEnd(width)}  ${value}`);
}

function pad(cell: string, width: number, align: 'left' | 'right' = 'left'): string {
  const filler = ' '.repeat(Math.max(0, width - displayWidth(cell)));
  return align === 'right' ? filler + cell : cell + filler;
}

/** Columns that the text takes: without escape sequences, code points counted once. */
function displayWidth(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character begins a colour
  return [...text.replace(/\u001b\[[0-9;]*m/g, '')].length;
}
