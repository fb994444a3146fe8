/**
 * Micro-benchmarks of the kernel beside what it replaces. `node [--experimental-wasm-revectorize] bench/kernel.ts [name of a row]`.
 * All contestants of a row take turns, so that noise of the machine hits all; printed are medians and the share of the fastest.
 */
import { randomFillSync } from 'node:crypto';
import { cpus } from 'node:os';
import { constants, zstdCompressSync } from 'node:zlib';
import { createBLAKE3 } from 'hash-wasm';
import { compressSync } from 'lz4-napi';
import { createKernel, createPlainKernel, type Kernel, type KernelOptions, preferredLanes } from '../engine/kernel/mod.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const ROUNDS = 41;
const TARGET = 6 * MIB;

/** Runs something once and says how many bytes that were. */
type Contestant = () => number;

const key = new Uint8Array(32).fill(7);
const options: KernelOptions = {
  dataSizeBytes: 8 * MIB,
  nameKey: key,
  metadataNameKey: key,
  cutKey: key,
  cutting: { horizonBytes: 16 * KIB, gridBytes: 64 * KIB },
};
const hasher = await createBLAKE3(256, key);
const plain = createPlainKernel({ ...options, dataSizeBytes: MIB });
const four = createKernel({ ...options, lanes: 4 });
const eight = createKernel({ ...options, lanes: 8 });
for (const { data } of [plain, four, eight]) randomFillSync(data);
const best = preferredLanes() === 8 ? eight : four;
const text = Buffer.from(JSON.stringify(process.versions) + JSON.stringify(process.report.getReport())).subarray(0, 64 * KIB);

const rows: Record<string, Record<string, Contestant>> = {
  'name, chunks of 48 KiB': naming(40, 48 * KIB),
  'name, files of 4 KiB': naming(300, 4 * KIB),
  'name, files of 1 KB': naming(1000, 1000),
  'name, files of 100 bytes': naming(3000, 100),
  'cut, feeds of 1 MiB': {
    'four lanes': () => feed(four, 4, MIB),
    'eight lanes': () => feed(eight, 4, MIB),
    plain: () => feed(plain, 1, 32 * KIB),
  },
  'isZero, 64 KiB of zeros': {
    kernel: () => zeroTest(best, 64 * KIB, 20),
    'Buffer.compare': () => compareToZeros(64 * KIB, 20),
    plain: () => zeroTest(plain, 64 * KIB, 1),
  },
  'probe, 64 KiB of random bytes': {
    kernel: () => probe(best, 64 * KIB, 20),
    plain: () => probe(plain, 64 * KIB, 2),
    'zstd, level 1': () => zstd(Buffer.from(best.data.buffer, best.data.byteOffset, 64 * KIB)),
    'lz4-napi': () => lz4(Buffer.from(best.data.buffer, best.data.byteOffset, 64 * KIB)),
  },
  'probe, 64 KiB of JSON': {
    kernel: () => {
      best.data.set(text, TARGET);
      for (let turn = 0; turn < 20; turn++) best.probe(TARGET, text.length);
      return 20 * text.length;
    },
    'zstd, level 1': () => zstd(text),
    'lz4-napi': () => lz4(text),
  },
};

function naming(count: number, size: number): Record<string, Contestant> {
  const ranges = Uint32Array.from({ length: 2 * count }, (_, index) => (index & 1 ? size : (index >> 1) * size));
  return {
    'four lanes, many': () => nameMany(four, ranges),
    'four lanes, one by one': () => nameEach(four, count, size),
    'eight lanes, many': () => nameMany(eight, ranges),
    'eight lanes, one by one': () => nameEach(eight, count, size),
    'hash-wasm': () => {
      for (let index = 0; index < count; index++)
        hasher
          .init()
          .update(best.data.subarray(index * size, (index + 1) * size))
          .digest('binary');
      return count * size;
    },
    plain: () => {
      plain.name(0, size, MIB - 32);
      return size;
    },
  };
}

function nameMany(kernel: Kernel, ranges: Uint32Array): number {
  kernel.nameMany(ranges, TARGET);
  return (ranges.length / 2) * ranges[1]!;
}

function nameEach(kernel: Kernel, count: number, size: number): number {
  for (let index = 0; index < count; index++) kernel.name(index * size, size, TARGET);
  return count * size;
}

function feed(kernel: Kernel, count: number, size: number): number {
  kernel.cutter.begin(0);
  for (let index = 0; index < count; index++) kernel.cutter.feed(index * size, size);
  return count * size;
}

function zeroTest(kernel: Kernel, size: number, turns: number): number {
  kernel.data.fill(0, kernel.data.length - size);
  for (let turn = 0; turn < turns; turn++) kernel.isZero(kernel.data.length - size, size);
  return turns * size;
}

const zeros = Buffer.alloc(64 * KIB);
const otherZeros = Buffer.alloc(64 * KIB);

function compareToZeros(size: number, turns: number): number {
  for (let turn = 0; turn < turns; turn++) zeros.equals(otherZeros);
  return turns * size;
}

function probe(kernel: Kernel, size: number, turns: number): number {
  for (let turn = 0; turn < turns; turn++) kernel.probe(0, size);
  return turns * size;
}

function zstd(bytes: Uint8Array): number {
  zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  return bytes.length;
}

function lz4(bytes: Buffer): number {
  compressSync(bytes);
  return bytes.length;
}

/** Median speed of each contestant in MB/s. */
function measure(contestants: Record<string, Contestant>): Map<string, number> {
  const speeds = new Map<string, number[]>(Object.keys(contestants).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, run] of Object.entries(contestants)) {
      const start = process.hrtime.bigint();
      const size = run();
      speeds.get(name)!.push((1000 * size) / Number(process.hrtime.bigint() - start));
    }
  }
  return new Map([...speeds].map(([name, values]) => [name, values.sort((a, b) => a - b)[ROUNDS >> 1]!]));
}

console.log(`${cpus()[0]?.model}, Node ${process.versions.node}, ${preferredLanes()} lanes are preferred; MB/s, median of ${ROUNDS}`);
for (const [title, contestants] of Object.entries(rows)) {
  if (process.argv[2] !== undefined && !title.includes(process.argv[2])) continue;
  const medians = measure(contestants);
  const fastest = Math.max(...medians.values());
  console.log(`\n${title}`);
  for (const [name, speed] of medians) {
    console.log(`  ${name.padEnd(26)} ${speed.toFixed(1).padStart(10)} ${(speed / fastest).toFixed(3).padStart(8)}`);
  }
}
