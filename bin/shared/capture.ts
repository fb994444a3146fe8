/** Lines that a library prints to the console while `print` runs, which must not wait for anything. */
export function captureLines(print: () => void): string[] {
  const lines: string[] = [];
  const original = console.log;
  console.log = (...words: unknown[]) => void lines.push(...words.map(String));
  try {
    print();
  } finally {
    console.log = original;
  }
  return lines;
}
