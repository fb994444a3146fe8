/** What a file system was found not to support, remembered by its device so that the question is asked once in each thread. */

import { errnoOf } from './errno.ts';

type Feature = 'extended-attributes' | 'flags' | 'project';

const unsupported: Record<Feature, Set<number>> = { 'extended-attributes': new Set(), flags: new Set(), project: new Set() };

export function isUnsupported(feature: Feature, device: number): boolean {
  return unsupported[feature].has(device);
}

/** True if −errno `error` means that the file system lacks the feature; it is remembered then. */
export function learnsUnsupported(feature: Feature, device: number, error: number): boolean {
  const lacks = error === -errnoOf.ENOTTY || error === -errnoOf.EOPNOTSUPP || error === -errnoOf.ENOSYS;
  if (lacks) unsupported[feature].add(device);
  return lacks;
}
