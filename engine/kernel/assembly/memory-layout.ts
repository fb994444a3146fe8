// Where things lie in the kernel's linear memory. Everything below `DATA` is scratch of the kernel; the caller owns what is above.
// The loader (../wasm-kernel.ts) asks for the addresses that it needs (see index.ts).

/** Message words of one block of each lane, transposed: word i of all lanes at MESSAGES + 16 * i. 256 bytes. */
export const MESSAGES: usize = 1024;
/** Chaining values of the lanes, transposed like the messages. 128 bytes. */
export const LANES: usize = 2048;
/** One block of a single stream, padded with zeros. 64 bytes. */
export const BLOCK: usize = 2560;
/** Three keys of 32 bytes: names, names of metadata, cut values. */
export const KEYS: usize = 2624;
/** The last 64 bytes fed to the cutter, then up to 64 of the next ones, then slack for loads of whole vectors. */
export const JOINT: usize = 3072;
/** Candidates found by one scan: u32 position, u32 zero, u64 value. */
export const CANDIDATES: usize = 4096;
/** Hash table of the probe, 2048 entries of 4 bytes. */
export const PROBE_TABLE: usize = 40960;
/** Histogram of the probe, 256 counters of 4 bytes. */
export const PROBE_HISTOGRAM: usize = 49152;
/** Address and length of the inputs of nameMany, at most 1024 pairs of u32. 8 KiB. */
export const RANGES: usize = 53248;
/** Chaining values of one subtree of at most 1024 chunks. 32 KiB. */
export const SUBTREE: usize = 65536;
/** Chaining values of the subtrees of one input, at most 1024. 32 KiB. */
export const ROOTS: usize = 98304;
/** The caller's data. */
export const DATA: usize = 131072;
