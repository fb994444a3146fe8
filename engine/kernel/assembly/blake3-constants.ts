// Constants of BLAKE3, "BLAKE3: one function, fast everywhere" (2021), sections 2.1 to 2.4.

export const CHUNK_BYTES: usize = 1024;
export const BLOCK_BYTES: usize = 64;
export const VALUE_BYTES: usize = 32;

export const CHUNK_START: u32 = 1;
export const CHUNK_END: u32 = 2;
export const PARENT: u32 = 4;
export const ROOT: u32 = 8;
export const KEYED_HASH: u32 = 16;

/** The first four words of the initial value of SHA-256. */
export const INITIAL_0: i32 = 0x6A09E667;
export const INITIAL_1: i32 = 0xBB67AE85;
export const INITIAL_2: i32 = 0x3C6EF372;
export const INITIAL_3: i32 = 0xA54FF53A;
