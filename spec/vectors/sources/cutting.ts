/** Files with their cuts, for small parameters. */
import { createHash } from 'node:crypto';
import { concat, counting, toHex, type Vector } from '../_vector.ts';
import { cutsOf, prepareCuts } from './_cuts.ts';
import { parts } from './_pieces.ts';

const cutKey = counting(32, 0x60);
await prepareCuts(cutKey);

/** Bytes that look random and are always the same. */
function noise(size: number, seed: string): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let index = 0; index * 32 < size; index++) pieces.push(createHash('sha256').update(`${seed} ${index}`).digest());
  return concat(...pieces).subarray(0, size);
}

export const cutting = (): Vector[] => [
  file('ok-noise', 'CUT-1 CUT-2 CUT-3', 'natural and forced cuts', noise(24_576, 'noise')),
  file('ok-constant', 'CUT-2', 'one byte value: no candidate, so forced cuts only', new Uint8Array(8192).fill(0x61)),
  file('ok-short', 'CUT-1 CUT-2', 'too short for any cut', noise(1023, 'short')),
  file('ok-empty', 'CUT-3', 'an empty file', new Uint8Array(0)),
  file('ok-half-constant', 'CUT-1 CUT-2', 'noise between runs', concat(new Uint8Array(5000), noise(9000, 'half'), new Uint8Array(4001))),
];

function file(name: string, covers: string, comment: string, bytes: Uint8Array): Vector {
  const parameters = { horizonBytes: 512, gridBytes: 2048 };
  const result = cutsOf(bytes, { cutKey, ...parameters });
  return {
    container: 'cutting',
    name,
    expect: 'ok',
    covers: covers.split(' '),
    comment,
    inputs: { cutKey: toHex(cutKey), ...parameters },
    result,
    parts: parts(bytes),
  };
}
