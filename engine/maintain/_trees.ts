import { movedChunks } from '../index/mod.ts';
import { type MovedChunks, PackReader } from '../packs/mod.ts';
import type { Repository } from '../repository/mod.ts';
import { TreeReader } from '../trees/mod.ts';
import { maintainLimits } from './_limits.ts';

/** Reads the trees of a repository, and its lists of packs, also where packs were replaced: by default as its index says. */
export function openTrees(repository: Repository, moved: MovedChunks = movedChunks(repository)): TreeReader {
  const { storage, keys } = repository;
  const { openPacks: contentsLimit, openBlocks: blocksLimit } = maintainLimits;
  return new TreeReader(new PackReader({ storage, keys, moved, contentsLimit, blocksLimit }));
}
