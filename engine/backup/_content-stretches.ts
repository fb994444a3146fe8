import type { Content } from '../../repo-format/mod.ts';
import type { TreeReader } from '../trees/mod.ts';

/** A hole, or what is between two: cut as a whole, it gets the cuts that it had. Offsets in the file. */
export interface ContentStretch {
  readonly kind: 'hole' | 'bytes';
  readonly start: number;
  end: number;
}

/** The stretches of a content that is stored. */
export async function* stretchesOfContent(reader: TreeReader, content: Content): AsyncGenerator<ContentStretch> {
  let stretch: ContentStretch | undefined;
  for await (const extents of reader.extents(content)) {
    for (const { kind: extentKind, start, length } of extents) {
      const kind = extentKind === 'hole' ? 'hole' : 'bytes';
      if (stretch?.kind === kind) {
        stretch.end = start + length;
        continue;
      }
      if (stretch !== undefined) yield stretch;
      stretch = { kind, start, end: start + length };
    }
  }
  if (stretch !== undefined) yield stretch;
}
