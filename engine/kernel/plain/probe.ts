// How well will bytes compress? An estimate from samples.

const SAMPLE_GROUPS = 512;
const TABLE_ENTRIES = 2048;
const RUNS = 8;

/** Estimate from 0 (shrinks to almost nothing) to 255 (random). */
export function estimate(bytes: Uint8Array): number {
  if (bytes.length < 64) return 0;
  return Math.max(0, flatness(bytes) - 16 * repeats(bytes));
}

/** 255 for a histogram of byte values as flat as chance makes it, less for a skewed one. */
function flatness(bytes: Uint8Array): number {
  const histogram = new Uint32Array(256);
  const step = Math.max(4, Math.floor(bytes.length / SAMPLE_GROUPS));
  let count = 0;
  for (let offset = 0; offset + 4 <= bytes.length; offset += step, count += 4) {
    for (let index = 0; index < 4; index++) histogram[bytes[offset + index]!]!++;
  }
  const squares = histogram.reduce((sum, n) => sum + n * n, 0);
  const chance = count + Math.floor(count * (count - 1) / 256);
  return Math.min(255, Math.floor(chance * 255 / squares));
}

/** Places of short runs whose four bytes stand also at a place of a lattice over all bytes. */
function repeats(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const step = Math.max(16, Math.ceil(bytes.length / 1024));
  const table = new Uint32Array(TABLE_ENTRIES);
  const slot = (word: number): number => Math.imul(word, 0x9E3779B1) >>> 21;
  for (let offset = 0; offset + 4 <= bytes.length; offset += step) table[slot(view.getUint32(offset, true))] = offset + 1;
  const gap = Math.floor(bytes.length / RUNS);
  let found = 0;
  for (let run = 0; run < RUNS; run++) {
    const end = Math.min(run * gap + step, bytes.length - 3);
    for (let offset = run * gap; offset < end; offset++) {
      const word = view.getUint32(offset, true);
      const place = table[slot(word)]!;
      if (place !== 0 && place !== offset + 1 && view.getUint32(place - 1, true) === word) found++;
    }
  }
  return found;
}
