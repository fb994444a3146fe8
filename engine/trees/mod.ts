/** Trees of nodes in metadata packs: directories, contents of files, lists of packs. */
export { Descent } from './descent.ts';
export { NodeStore, recordingPacks } from './node-store.ts';
export { TreeBuilder, type TreeRoot } from './tree-builder.ts';
export { type PlacedExtent, TreeReader } from './tree-reader.ts';
