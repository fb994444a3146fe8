import type { ExploreOptions } from './explore.mjs';

export const configurations: Record<string, { small: ExploreOptions[]; full: ExploreOptions[] }>;
export const mistakes: Record<string, ExploreOptions>;
