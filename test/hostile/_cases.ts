/** All hostile repositories. */
import { bombCases } from './_bomb-cases.ts';
import type { HostileCase } from './_case.ts';
import { recordCases } from './_record-cases.ts';
import { treeCases } from './_tree-cases.ts';
import { vectorCases } from './_vector-cases.ts';

export const hostileCases: readonly HostileCase[] = [...vectorCases, ...treeCases, ...bombCases, ...recordCases];
