import type { Extent } from '../../repo-format/mod.ts';
import { locateChunk, type PackReader } from '../packs/mod.ts';
import type { PlacedExtent } from '../trees/mod.ts';
import { lookLimits } from './_limits.ts';

export type DataExtent = Extract<Extent, { kind: 'data' }>;

/** An extent whose chunk has been located and whose block is being fetched; `hole` and `zeros` have none. */
export interface FetchedExtent {
  readonly extent: PlacedExtent;
  /** The chunk's bytes, not verified; undefined where there are none. */
  readonly bytes: Promise<Uint8Array> | undefined;
}

/**
 * Fetches the blocks of a file's extents ahead of who consumes them, a few blocks and no more: a store that answers slowly is
 * asked for the next ones while the first are used.
 */
export async function* fetchAhead(packs: PackReader, extents: AsyncIterable<readonly PlacedExtent[]>): AsyncGenerator<FetchedExtent> {
  const waiting: (FetchedExtent & { readonly block: string })[] = [];
  const blocks = new Map<string, number>();
  const take = (): FetchedExtent => {
    const first = waiting.shift()!;
    const left = blocks.get(first.block)! - 1;
    if (left === 0) blocks.delete(first.block);
    else blocks.set(first.block, left);
    return first;
  };
  for await (const leaf of extents) {
    for (const extent of leaf) {
      const fetched = extent.kind === 'data' ? await startFetch(packs, extent) : { block: '', bytes: undefined };
      waiting.push({ extent, ...fetched });
      blocks.set(fetched.block, (blocks.get(fetched.block) ?? 0) + 1);
      while (blocks.size > lookLimits.blocksAhead || waiting.length > lookLimits.chunksAhead) yield take();
    }
  }
  while (waiting.length > 0) yield take();
}

async function startFetch(packs: PackReader, { pack, name }: DataExtent): Promise<{ block: string; bytes: Promise<Uint8Array> }> {
  const open = await packs.holder(name, pack, 'pack');
  const { block } = locateChunk(open, name);
  const bytes = packs.chunk(name, open.pack, 'pack');
  // Whoever awaits it is told; nobody may be there any more.
  bytes.catch(() => undefined);
  return { block: `${open.pack}/${block}`, bytes };
}
