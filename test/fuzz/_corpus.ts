/**
 * Inputs that are kept, a line for each: the target's name and the bytes in hex. Each ran code that no vector and no input before it ran, or once was a finding.
 * No decoder is imported here: coverage begins before they are loaded.
 */
import fs from 'node:fs';
import path from 'node:path';

export interface KeptInput {
  /** Of the target: container and vector. */
  readonly target: string;
  readonly bytes: Uint8Array;
}

export const corpusFile = path.join(import.meta.dirname, 'corpus.txt');
/** Longer ones are not kept: others run the same code. */
const greatestKeptBytes = 1024;

export function readCorpus(): KeptInput[] {
  if (!fs.existsSync(corpusFile)) return [];
  const lines = fs
    .readFileSync(corpusFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line) => {
    const space = line.indexOf(' ');
    return { target: line.slice(0, space), bytes: new Uint8Array(Buffer.from(line.slice(space + 1), 'hex')) };
  });
}

/** Adds inputs, in the order of their targets. */
export function keepInputs(inputs: readonly KeptInput[]): void {
  const small = inputs.filter(({ bytes }) => bytes.length <= greatestKeptBytes);
  const lines = [...readCorpus(), ...small].map(({ target, bytes }) => `${target} ${Buffer.from(bytes).toString('hex')}`);
  fs.writeFileSync(corpusFile, `${[...new Set(lines)].sort().join('\n')}\n`);
}
