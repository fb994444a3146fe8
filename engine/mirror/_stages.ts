/**
 * In which order objects are listed and copied. What refers to something is listed before it, so that what it refers to is in a later listing; and copied after it. In a mirror
 * that is there already the root comes when all is there that it relies on, the newest first: until then the mirror is what its old root says, and more. What needs that root to count
 * comes after it, as far as a key tells what that is.
 */
import { type ObjectName, objectPrefixes } from '../../repo-format/mod.ts';
import type { SourceState } from './_source-state.ts';

export type ObjectType = ObjectName['type'];

/** Each of these is listed by itself, in this order; then everything else. */
export const listedFirst = [
  objectPrefixes.roots,
  objectPrefixes.snapshots,
  objectPrefixes.checkpoints,
  objectPrefixes.sessionIndexes,
] as const;
export const listedThen = ['collector/', 'writer/', 'owner/'] as const;

type Stage = { readonly types: readonly ObjectType[]; readonly when?: 'late' };

/** Types that are copied together, one stage after another. A type that is not named goes with the records. */
export const stages: readonly Stage[] = [
  // Whoever opens a newer object needs the keys for it.
  { types: ['key-slot', 'keyring', 'configuration'] },
  { types: ['pack'] },
  { types: ['session-index'] },
  { types: ['base-index', 'lost-list', 'catalogue'] },
  { types: ['annotation', 'hold', 'deletion-mark', 'damage-report'] },
  { types: ['checkpoint'] },
  { types: ['snapshot'] },
  { types: ['root'] },
  // What counts by its generation alone: under the root before, it would be from the future (ROOT-20).
  { types: ['session-index'], when: 'late' },
  { types: ['checkpoint'], when: 'late' },
  { types: ['snapshot'], when: 'late' },
  // Only with it a place is a repository.
  { types: ['format'] },
];

export const rootStage = stages.findIndex(({ types }) => types.includes('root'));
const recordsStage = stages.findIndex(({ types }) => types.includes('hold'));

/** `state`: undefined if nobody has a key. */
export function stageOf(object: { readonly name: string; readonly parsed: ObjectName }, state: SourceState | undefined): number {
  const isLate = state !== undefined && needsNewRoot(object, state);
  const stage = stages.findIndex(({ types, when }) => types.includes(object.parsed.type) && (when === 'late') === isLate);
  return stage < 0 ? recordsStage : stage;
}

/** What counts by its generation under the new root, and snapshots that its catalogue holds: they may rely on packs for which only its base index gives others. */
function needsNewRoot(
  { name, parsed }: { readonly name: string; readonly parsed: ObjectName },
  { lowestGeneration, heldByCatalogue }: SourceState,
): boolean {
  return ('generation' in parsed && parsed.generation >= lowestGeneration) || heldByCatalogue.has(name);
}
