import type { Content, Extent } from '../../repo-format/mod.ts';

/** Whether two contents of one repository are made of the same chunks. The packs that they are in do not matter, as far as that can be seen without reading. */
export function isSameContent(a: Content, b: Content): boolean {
  if (a.form === 'none' || b.form === 'none') return a.form === b.form;
  if (a.form === 'node' || b.form === 'node')
    return a.form === 'node' && b.form === 'node' && a.height === b.height && Buffer.compare(a.node.name, b.node.name) === 0;
  return a.extents.length === b.extents.length && a.extents.every((extent, index) => isSameExtent(extent, b.extents[index]!));
}

function isSameExtent(a: Extent, b: Extent): boolean {
  if (a.length !== b.length || a.kind !== b.kind) return false;
  return a.kind !== 'data' || b.kind !== 'data' || Buffer.compare(a.name, b.name) === 0;
}
