// The kernel in WebAssembly: memory, bounds checks, and calls into kernel.wasm (made from assembly/ by build.mjs).

import { readFileSync } from 'node:fs';
import { programFile } from '../program/mod.ts';
import { type CandidateScanner, createCutter } from './cutter.ts';
import {
  checkOptions,
  checkRange,
  INCOMPRESSIBLE_FROM,
  KEY_SIZE_BYTES,
  type Kernel,
  type KernelOptions,
  NAME_SIZE_BYTES,
} from './kernel.ts';
import { preferredLanes } from './lanes.ts';

const PAGE_SIZE_BYTES = 65536;
/** Pages below the data, see assembly/memory-layout.ts. */
const SCRATCH_PAGES = 6;
/** Longest piece of one scan; its candidates fit the kernel's scratch. */
const SCAN_SIZE_BYTES = 65536;
/** Room for candidates in the kernel's scratch: more than they can be in one scan, being 33 positions apart. */
const MOST_CANDIDATES = 2048;
/** Ranges of one call of nameMany; they fit the kernel's scratch. */
const MANY_COUNT = 1024;

interface KernelExports {
  dataAddress(): number;
  keysAddress(): number;
  candidatesAddress(): number;
  candidateValuesAddress(): number;
  rangesAddress(): number;
  useLanes(lanes: number): void;
  name(key: number, source: number, length: number, target: number): void;
  nameMany(key: number, count: number, target: number): void;
  allZero(address: number, length: number): number;
  estimate(address: number, length: number): number;
  scanBegin(): void;
  scanFeed(address: number, length: number): number;
}

let compiled: WebAssembly.Module | undefined;

/** Compiles kernel.wasm, once per thread. The module may be posted to workers and given as `KernelOptions.module`. */
export function compileKernel(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readFileSync(programFile('engine/kernel/kernel.wasm')));
  return compiled;
}

/** Makes a kernel with its own memory. Throws TypeError or RangeError for bad options. */
export function createKernel(options: KernelOptions): Kernel {
  checkOptions(options);
  const { memory, exports } = instantiate(options);
  const dataAddress = exports.dataAddress();
  const size = options.dataSizeBytes;
  const data = new Uint8Array(memory.buffer, dataAddress, size);
  const estimate = (offset: number, length: number): number => {
    checkRange(offset, length, size);
    return exports.estimate(dataAddress + offset, length);
  };
  return {
    data,
    cutter: createCutter(options.cutting, createScanner(memory, exports, size)),
    ...createNaming(memory, exports, size),
    isZero(offset, length) {
      checkRange(offset, length, size);
      return exports.allZero(dataAddress + offset, length) !== 0;
    },
    probe: estimate,
    looksIncompressible: (offset, length) => estimate(offset, length) >= INCOMPRESSIBLE_FROM,
  };
}

function instantiate(options: KernelOptions): { memory: WebAssembly.Memory; exports: KernelExports } {
  const module = options.module ?? compileKernel();
  // Scratch, the data, and a page that loads of whole vectors may touch.
  const pages = SCRATCH_PAGES + Math.ceil(options.dataSizeBytes / PAGE_SIZE_BYTES) + 1;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const exports = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports;
  const keys = new Uint8Array(memory.buffer, exports.keysAddress(), 3 * KEY_SIZE_BYTES);
  keys.set(options.nameKey, 0);
  keys.set(options.metadataNameKey, KEY_SIZE_BYTES);
  keys.set(options.cutKey, 2 * KEY_SIZE_BYTES);
  exports.useLanes(options.lanes ?? preferredLanes());
  return { memory, exports };
}

type Naming = Pick<Kernel, 'name' | 'metadataName' | 'nameMany' | 'metadataNameMany'>;

function createNaming(memory: WebAssembly.Memory, exports: KernelExports, size: number): Naming {
  const dataAddress = exports.dataAddress();
  const scratch = new Uint32Array(memory.buffer, exports.rangesAddress(), 2 * MANY_COUNT);
  const one =
    (key: number) =>
    (offset: number, length: number, target: number): void => {
      checkRange(offset, length, size);
      checkRange(target, NAME_SIZE_BYTES, size);
      exports.name(key, dataAddress + offset, length, dataAddress + target);
    };
  const many =
    (key: number) =>
    (ranges: Uint32Array, target: number): void => {
      const count = ranges.length >>> 1;
      checkRange(target, NAME_SIZE_BYTES * count, size);
      for (let first = 0; first < count; first += MANY_COUNT) {
        const last = Math.min(first + MANY_COUNT, count);
        for (let index = first; index < last; index++) {
          const offset = ranges[2 * index]!,
            length = ranges[2 * index + 1]!;
          checkRange(offset, length, size);
          scratch[2 * (index - first)] = dataAddress + offset;
          scratch[2 * (index - first) + 1] = length;
        }
        exports.nameMany(key, last - first, dataAddress + target + NAME_SIZE_BYTES * first);
      }
    };
  return { name: one(0), metadataName: one(1), nameMany: many(0), metadataNameMany: many(1) };
}

function createScanner(memory: WebAssembly.Memory, exports: KernelExports, size: number): CandidateScanner {
  const dataAddress = exports.dataAddress();
  const positions = new Uint32Array(memory.buffer, exports.candidatesAddress(), MOST_CANDIDATES);
  const values = new Uint32Array(memory.buffer, exports.candidateValuesAddress(), 8 * MOST_CANDIDATES);
  return {
    begin: () => exports.scanBegin(),
    scan(offset, length, take) {
      checkRange(offset, length, size);
      for (let done = 0; done < length; done += SCAN_SIZE_BYTES) {
        const count = exports.scanFeed(dataAddress + offset + done, Math.min(SCAN_SIZE_BYTES, length - done));
        for (let index = 0; index < count; index++) take(done + positions[index]!, values[8 * index + 1]!, values[8 * index]!);
      }
    },
  };
}
