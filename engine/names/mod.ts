/** Fast look-ups by the 32-byte names of chunks. */
export { NameMap } from './name-map.ts';
export { wordAt } from './words.ts';
