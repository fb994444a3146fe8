// The kernel in plain TypeScript: the same results, slowly.

import { type CandidateScanner, createCutter } from '../cutter.ts';
import { checkOptions, checkRange, INCOMPRESSIBLE_FROM, type Kernel, type KernelOptions, NAME_SIZE_BYTES } from '../kernel.ts';
import { keyedBlake3 } from './blake3.ts';
import { candidateValue, isCandidate, WINDOW_BYTES } from './cut-definition.ts';
import { estimate } from './probe.ts';

/** Makes a kernel without WebAssembly. Throws TypeError or RangeError for bad options. */
export function createPlainKernel(options: KernelOptions): Kernel {
  checkOptions(options);
  const data = new Uint8Array(options.dataSizeBytes);
  const range = (offset: number, length: number): Uint8Array => {
    checkRange(offset, length, data.length);
    return data.subarray(offset, offset + length);
  };
  const one =
    (key: Uint8Array) =>
    (offset: number, length: number, target: number): void => {
      checkRange(target, NAME_SIZE_BYTES, data.length);
      data.set(keyedBlake3(key, range(offset, length)), target);
    };
  const many =
    (key: Uint8Array) =>
    (ranges: Uint32Array, target: number): void => {
      const name = one(key);
      for (let index = 0; 2 * index + 1 < ranges.length; index++) {
        name(ranges[2 * index]!, ranges[2 * index + 1]!, target + NAME_SIZE_BYTES * index);
      }
    };
  return {
    data,
    cutter: createCutter(options.cutting, createScanner(options.cutKey, range)),
    name: one(options.nameKey.slice()),
    metadataName: one(options.metadataNameKey.slice()),
    nameMany: many(options.nameKey.slice()),
    metadataNameMany: many(options.metadataNameKey.slice()),
    isZero: (offset, length) => range(offset, length).every((byte) => byte === 0),
    probe: (offset, length) => estimate(range(offset, length)),
    looksIncompressible: (offset, length) => estimate(range(offset, length)) >= INCOMPRESSIBLE_FROM,
  };
}

/** Keeps the last window of what it has scanned in front of what comes next, and asks the definition for each position. */
function createScanner(key: Uint8Array, range: (offset: number, length: number) => Uint8Array): CandidateScanner {
  const cutKey = key.slice();
  let before = new Uint8Array(0);
  return {
    begin() {
      before = new Uint8Array(0);
    },
    scan(offset, length, take) {
      const bytes = new Uint8Array([...before, ...range(offset, length)]);
      for (let position = before.length + 1; position <= bytes.length; position++) {
        if (!isCandidate(bytes, position)) continue;
        const value = candidateValue(bytes, { position, cutKey });
        take(position - before.length, Number(value >> 32n), Number(value & 0xffffffffn));
      }
      before = bytes.slice(-WINDOW_BYTES);
    },
  };
}
