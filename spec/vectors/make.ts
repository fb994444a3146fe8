/**
 * Writes the vectors: `node spec/vectors/make.ts`. Deterministic; a test compares the files with what this makes.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatVector, type Vector } from './_vector.ts';
import { conventions } from './sources/conventions.ts';
import { cutting } from './sources/cutting.ts';
import { entryVectors } from './sources/entry.ts';
import { indexTable } from './sources/index-table.ts';
import { keys } from './sources/keys.ts';
import { node } from './sources/node.ts';
import { pack } from './sources/pack.ts';
import { records } from './sources/records.ts';
import { sealed } from './sources/sealed.ts';

export const vectorsFolder = dirname(fileURLToPath(import.meta.url));

const sources = [conventions, sealed, pack, indexTable, node, entryVectors, records, keys, cutting];

/** Text of each vector by path below the folder. Two vectors of one name are a mistake. */
export function makeVectors(): Map<string, string> {
  const files = new Map<string, string>();
  for (const vector of sources.flatMap((source): readonly Vector[] => source())) {
    const path = `${vector.container}/${vector.name}.txt`;
    if (files.has(path)) throw new Error(`two vectors ${path}`);
    files.set(path, formatVector(vector));
  }
  return files;
}

function write(): void {
  for (const entry of readdirSync(vectorsFolder, { withFileTypes: true })) {
    if (entry.isDirectory() && entry.name !== 'sources') rmSync(join(vectorsFolder, entry.name), { recursive: true });
  }
  for (const [path, text] of makeVectors()) {
    mkdirSync(dirname(join(vectorsFolder, path)), { recursive: true });
    writeFileSync(join(vectorsFolder, path), text);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) write();
