/** A decoder that fails on three bytes only. Each right byte runs a line of its own: without looking at coverage it takes 2^24 tries. */
export function parseTrap(bytes: Uint8Array): void {
  if (bytes[0] !== 0x4c) return;
  if (bytes[1] !== 0x41) return;
  if (bytes[2] !== 0x47) return;
  throw new Error('found');
}
