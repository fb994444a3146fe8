/** All vectors as they are in their files. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ParsedVector, parseVector } from '../../spec/vectors/_vector.ts';
import { vectorsFolder } from '../../spec/vectors/make.ts';

export interface VectorFile {
  /** `<container>/<name>.txt`. */
  readonly path: string;
  readonly text: string;
  readonly vector: ParsedVector;
}

export function readVectorFiles(): VectorFile[] {
  const paths = readdirSync(vectorsFolder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.txt'));
  return paths.sort().map((path) => {
    const text = readFileSync(join(vectorsFolder, path), 'utf8');
    return { path, text, vector: parseVector(text) };
  });
}
