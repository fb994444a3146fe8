/** What the key commands print of keys. */
import type { KeySlotInfo } from './engine.ts';
import type { Output } from './output.ts';
import { shortId } from './snapshots.ts';
import { formatExactTime } from './times.ts';

/** As JSON. */
export function keyFields({ id, label, kind, grants, created, isCurrent, standing, damaged }: KeySlotInfo): object {
  return { id, label, kind, grants, created: formatExactTime(created), isCurrent, standing, ...(damaged !== undefined && { damaged }) };
}

/** For people: `7c01d2aa, laptop (key-file, opens everything)`. */
export function describeKey(output: Output, { id, label, kind, grants }: KeySlotInfo): string {
  return `${shortId(id)}, ${output.name(label)} (${kind}, opens ${grants === 'full' ? 'everything' : 'metadata'})`;
}
