import { equalBytes } from '../../repo-format/mod.ts';
import type { Repository } from '../repository/mod.ts';

/** Whether two repositories name chunks and cut files alike, so that blocks of one can be used in the other. */
export function areAlike(one: Repository, other: Repository): boolean {
  const [cutting, otherCutting] = [one.configuration.chunker, other.configuration.chunker];
  const sameCutting =
    cutting.kind === otherCutting.kind &&
    cutting.horizonBytes === otherCutting.horizonBytes &&
    cutting.gridBytes === otherCutting.gridBytes;
  return sameCutting && (['nameKey', 'metadataNameKey', 'cutKey'] as const).every((key) => equalBytes(one.keys[key], other.keys[key]));
}
