/** Whether a pack has what the index says. */
import { decodePackContents, objectNames, type PackBlock } from '../../repo-format/mod.ts';
import { openSegmentedObject } from '../objects/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { ChunkSet } from './_chunk-set.ts';
import { type Findings, isDamage } from './_findings.ts';
import type { KnownPack } from './_known-packs.ts';

/**
 * Compares a pack's contents with the rows of the index. A pack whose contents cannot be opened is passed over: whoever reads all of it tells.
 */
export async function compareWithIndex(
  repository: Repository,
  pack: KnownPack,
  {
    chunks,
    isCovered,
    findings,
    signal,
  }: { chunks: ChunkSet; isCovered: (names: Uint8Array, offset: number) => boolean; findings: Findings; signal: AbortSignal | undefined },
): Promise<void> {
  const object = objectNames.pack(pack.id);
  const blocks = await readContents(repository, pack, signal);
  if (blocks === undefined) return;
  const [expected, found] = [pack.indexed!.chunkCount, blocks.reduce((sum, { chunkLengths }) => sum + chunkLengths.length, 0)];
  if (found !== expected) findings.add({ code: 'malformed', message: `${object} has ${found} chunks, the index says ${expected}`, object });
  let present = 0;
  for (const { names } of blocks) {
    for (let offset = 0; offset < names.length; offset += 32) {
      if (isCovered(names, offset) && chunks.has(names, offset, pack.ordinal)) present++;
    }
  }
  const missing = pack.indexedChunks - present;
  if (missing <= 0) return;
  findings.add({
    code: 'chunk-missing',
    message: `the index says of ${missing} chunks that they are in ${object}, but they are not`,
    object,
  });
}

async function readContents(
  { storage, keys }: Repository,
  { id, indexed }: KnownPack,
  signal: AbortSignal | undefined,
): Promise<PackBlock[] | undefined> {
  const name = objectNames.pack(id);
  const { kind } = indexed!;
  try {
    const { contents } = await openSegmentedObject(storage, { name, kind, keys, signal });
    return decodePackContents(contents, name, { kind });
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}
