/** Which packs are read when not all are: each pack has a place between 0 and 1, by its id. */
import { createHash } from 'node:crypto';
import type { PackId } from '../../repo-format/mod.ts';
import type { ReadData } from './check.ts';
