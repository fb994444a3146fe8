import type { Root } from '../../repo-format/mod.ts';

/** The root of a repository in which nothing was ever collected. */
export function firstRoot(nonce: Uint8Array): Root {
  const nothing = { baseIndex: null, catalogue: null, lost: null, condemned: null, doomed: null };
  return { number: 0, nonce, previous: null, generation: 0, floor: 0, phase: 'open', pastFloor: 0, ...nothing };
}
