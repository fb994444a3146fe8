export interface ExploreOptions {
  writers?: number;
  collectors?: number;
  generations?: number;
  attempts?: number;
  condemn?: 'any' | 'unused';
  wanted?: number[];
  firstPack?: number;
  repacks?: number;
  losses?: number;
  wrongReports?: number;
  features?: string[];
  mistakes?: string[];
  quietCollections?: number;
  stateLimit?: number;
  trace?: boolean;
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
  /** With `trace`: what led to the fault. */
  trace?: string[];
}

export function explore(options?: ExploreOptions): ExploreResult;
