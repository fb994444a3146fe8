/** Inputs that are kept: each ran code that no vector and no input before it ran, or once was a finding. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

export const corpusFolder = path.join(import.meta.dirname, 'corpus');

export interface KeptInput {
  /** Of the target: container and vector. */
  readonly target: string;
  readonly bytes: Uint8Array;
}

/** `corpus/<container>/<vector>.<first digits of the SHA-256>`. */
export function readCorpus(folder = corpusFolder): KeptInput[] {
  if (!fs.existsSync(folder)) return [];
  const files = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return files
    .filter((file) => fs.statSync(path.join(folder, file)).isFile())
    .map((file) => ({ target: file.slice(0, file.lastIndexOf('.')), bytes: new Uint8Array(fs.readFileSync(path.join(folder, file))) }));
}

/** Returns the file. */
export function keepInput({ target, bytes }: KeptInput, folder = corpusFolder): string {
  const file = path.join(folder, `${target}.${createHash('sha256').update(bytes).digest('hex').slice(0, 10)}`);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, bytes);
  return file;
}
