// Where things lie in the kernel's linear memory. Everything below DATA is scratch of the kernel; the caller owns what is above.
// The loader (../wasm-kernel.ts) asks for the addresses that it needs (see index.ts). Below STATE lie constants that the compiler places.

/** State of the lanes, see ../lanes-source.mjs: 11 rows of 16 or 32 bytes. */
export const STATE: usize = 1024;
/** Last blocks of the lanes, padded with zeros: 8 of 64 bytes. */
export const PADDED: usize = 1536;
/** Three keys of 32 bytes: names, names of metadata, cut values. */
export const KEYS: usize = 2048;
/** Chaining value and block of a single stream: 32 and 64 bytes. */
export const ROWS: usize = 2176;
/** The last 64 bytes fed to the cutter, then up to 64 of the next ones, then slack for loads of whole vectors. */
export const JOINT: usize = 2304;
/** Counters of the sort of chunks by their number of blocks: 17 of 4 bytes. */
export const BUCKETS: usize = 2560;
/** Whole chunks or parents to be compressed: see blake3-jobs.ts. */
export const JOBS: usize = 4096;
/** Chunks of at most 1024 bytes to be compressed. */
export const SHORT_JOBS: usize = JOBS + 16 * 2048;
/** Order of the short jobs: addresses, u32. */
export const ORDER: usize = SHORT_JOBS + 16 * 2048;
/** Trees under construction: see blake3-tree.ts. 1024 of 16 bytes. */
export const TREES: usize = ORDER + 4 * 2048;
/** Address and length of the inputs of nameMany: 1024 pairs of u32. */
export const RANGES: usize = TREES + 16 * 1024;
/** Positions of the candidates of one scan: u32. */
export const CANDIDATES: usize = RANGES + 8 * 1024;
/** Values of the candidates of one scan: 32 bytes each, of which the first 8 count. */
export const CANDIDATE_VALUES: usize = CANDIDATES + 4 * 2048;
/** Chaining values of one level of the trees, and of the next. */
export const VALUES: usize = CANDIDATE_VALUES + 32 * 2048;
export const NEXT_VALUES: usize = VALUES + 32 * 2048;
/** Chaining values of the subtrees of one big input: 1024 of 32 bytes. */
export const SUBTREES: usize = NEXT_VALUES + 32 * 2048;
/** Histogram of the probe: 256 counters of 4 bytes. */
export const PROBE_HISTOGRAM: usize = SUBTREES + 32 * 1024;
/** Hash table of the probe: 2048 entries of 4 bytes. */
export const PROBE_TABLE: usize = PROBE_HISTOGRAM + 1024;
/** The caller's data. The compiler is told of this number of pages in ../build.mjs. */
export const DATA: usize = 6 * 65536;
