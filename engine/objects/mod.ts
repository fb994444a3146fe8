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
  tailSizeBytes,
} from './segmented-object.ts';
export { wrongBytes } from './verified.ts';
