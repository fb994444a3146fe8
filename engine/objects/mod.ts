/** Sealed objects that are written and read in segments: packs and index tables. */
export {
  type ObjectTarget,
  openSegmentedObject,
  openSegmentOf,
  readSegment,
  type SealingKeys,
  type SegmentedObject,
  SegmentedObjectWriter,
  type SegmentPlace,
} from './segmented-object.ts';
