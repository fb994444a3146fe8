/** All tools, in the order of the reports. */
import { borg } from './borg.ts';
import { kopiaDefaults, kopiaS2, kopiaZstd } from './kopia.ts';
import { lagan } from './lagan.ts';
import { restic } from './restic.ts';
import type { Tool } from './tool.ts';
import { vykar } from './vykar.ts';

export type { CommandLine, Place, Tool, ToolCommands, ToolName } from './tool.ts';

export const tools: readonly Tool[] = [lagan, kopiaDefaults, kopiaS2, kopiaZstd, restic, borg, vykar];
