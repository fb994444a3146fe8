/** `lagan version`: versions of what is running. */
import { arch, platform, release } from 'node:os';
import type { Command } from 'commander';
import { version } from '../../engine/program/mod.ts';
import { type Context, contextOf } from '../shared/context.ts';
import { addExamples } from '../shared/options.ts';
import { formatFields } from '../shared/table.ts';

/** The format of repositories that this version writes. */
const formatVersion = 1;

export function define(command: Command): void {
  command
    .description('Prints the versions of lagan, of its repository format and of the runtime.')
    .action(async (_options: object, self: Command) => run(contextOf(self)));
  addExamples(command, [
    ['lagan version', 'for a report of a mistake'],
    ['lagan --version', 'just the version'],
  ]);
}

async function run({ output }: Context): Promise<void> {
  const versions = {
    lagan: version,
    format: formatVersion,
    node: process.versions.node,
    v8: process.versions.v8,
    system: `${platform()} ${release()} ${arch()}`,
    runtime: process.execPath,
  };
  await output.json({ type: 'version', ...versions });
  for (const line of formatFields(Object.entries(versions).map(([name, value]) => [name, String(value)]))) await output.line(line);
}
