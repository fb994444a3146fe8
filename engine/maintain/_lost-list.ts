/** What a root calls lost from one decision to the next. Source: spec/root.md, ROOT-25 and ROOT-26. */
import { limits, type PackId } from '../../repo-format/mod.ts';
import type { LostPacks } from '../repository/mod.ts';
import { followed } from './_replacements.ts';
import type { Survey } from './_survey.ts';

/**
 * The packs that the next root calls lost, with the chunks that are not back. A pack that is newly lost is named, whatever lists it: a table of a session that has begun already may. One
 * that was named before is named as long as a snapshot or a checkpoint leads to it. What is good again is not; of what nothing could be learned all stays as it was.
 */
export function lostAfter({ losses, returned, listed, base, damage }: Survey): LostPacks {
  const leadsTo = followed(listed, { replaced: base.replaced, leaving: noPacks });
  const isUsed = (pack: PackId) => damage.length > 0 || listed.has(pack) || leadsTo.has(pack);
  const after = new Map<PackId, readonly Uint8Array[]>();
  for (const [pack, chunks] of losses.before) {
    if (losses.sound.has(pack) || !isUsed(pack)) continue;
    // Also of what was not asked for, or did not answer.
    after.set(pack, returned.missing.get(pack) ?? chunks);
  }
  let room: number = limits.chunksPerRecord;
  for (const chunks of after.values()) room -= chunks.length;
  for (const [pack, chunks] of returned.missing) {
    if (losses.before.has(pack) || chunks.length > room || after.size >= limits.packsPerRecord) continue;
    after.set(pack, chunks);
    room -= chunks.length;
  }
  return after;
}

const noPacks: ReadonlySet<PackId> = new Set();
