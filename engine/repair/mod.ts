/** Repairing: what can be saved of damaged packs is, packs are listed again, and snapshots that lost something are made anew with the rest. */
export { repair } from './repair.ts';
export type { Loss, RepairedSnapshot, RepairOptions, RepairResult, SalvagedPack } from './result.ts';
