/**
 * Puts worked examples into spec/*.md: after each `<!-- dump: container/name -->` the vector's bytes with offsets and what they are.
 * `node spec/vectors/dump.ts`; a test compares.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bytesOfLine, parseVector } from './_vector.ts';
import { vectorsFolder } from './make.ts';

export const specFolder = join(vectorsFolder, '..');

const marker = /<!-- dump: (\S+) -->\n(?:\n```\n[\s\S]*?\n```\n)?/g;

/** Names of the files that may have examples. */
export function specFiles(): string[] {
  return readdirSync(specFolder).filter((name) => name.endsWith('.md'));
}

/** The text with all examples as they should be. */
export function withDumps(text: string): string {
  return text.replace(marker, (_, name: string) => `<!-- dump: ${name} -->\n\n\`\`\`\n${dump(name)}\n\`\`\`\n`);
}

function dump(name: string): string {
  const { body } = parseVector(readFileSync(join(vectorsFolder, `${name}.txt`), 'utf8'));
  let offset = 0;
  return body
    .map((line) => {
      const shown = `${offset.toString(16).padStart(4, '0')}  ${line}`;
      offset += bytesOfLine(line).length;
      return shown;
    })
    .join('\n');
}

function write(): void {
  for (const name of specFiles()) {
    const path = join(specFolder, name);
    const text = readFileSync(path, 'utf8');
    const next = withDumps(text);
    if (next !== text) writeFileSync(path, next);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) write();
