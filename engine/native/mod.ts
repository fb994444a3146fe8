/**
 * Libraries that are linked into Node, called directly by FFI. Node's own calls make buffers and objects for each block, which costs three times what OpenSSL does, and memory
 * (docs/decisions/009-zstd.md, 012-openssl.md). Each is tried with a sample when a thread first uses it; if it is not there or gives anything else, Node's calls do the work.
 */
import { type Aead, nodeAead } from '../../repo-format/mod.ts';
import { openOpenssl } from './openssl.ts';
import { nodeZstd, openZstd, type Zstd } from './zstd.ts';

export { openOpenssl } from './openssl.ts';
export { nodeZstd, openZstd, type Zstd } from './zstd.ts';

let openedAead: Aead | undefined;
let openedZstd: Zstd | undefined;

/** AES-256-GCM for the objects of a repository. */
export function aead(): Aead {
  openedAead ??= openOpenssl() ?? nodeAead;
  return openedAead;
}

export function zstd(): Zstd {
  openedZstd ??= openZstd() ?? nodeZstd;
  return openedZstd;
}
