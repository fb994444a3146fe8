export interface ExploreOptions {
  writers?: number;
  collectors?: number;
  generations?: number;
  attempts?: number;
  condemn?: 'any' | 'unused';
  wanted?: number[];
  mistakes?: string[];
  stateLimit?: number;
}

export interface ExploreResult {
  /** `ok`, `state limit`, or what went wrong. */
  verdict: string;
  depth: number;
  states: number;
  transitions: number;
  /** States in which all writers have been acknowledged. */
  acknowledged: number;
  /** States in which a pack has been deleted. */
  deleted: number;
}

export const defaults: Required<ExploreOptions>;
export function explore(options?: ExploreOptions): ExploreResult;
