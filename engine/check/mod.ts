/** Checking: is everything there that snapshots need, and is it what it was? */
export { check, diagnose } from './check.ts';
export type { Finding, FindingCode } from './findings.ts';
export type { ReadData } from './read-data.ts';
export type { CheckOptions, CheckProgress, CheckResult, Diagnosis } from './result.ts';
