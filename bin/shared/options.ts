/** Pieces of which the options of commands are made. */
import { type Command, Option } from 'commander';
import type { SnapshotLabels } from './engine.ts';
import { usageError } from './errors.ts';
import { parseSize } from './sizes.ts';
import { parseDuration, parseTime, type Time } from './times.ts';

/** An option that may be given several times. */
export function listOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, previous: string[] | undefined) => [...(previous ?? []), value]);
}

/** An option whose value is a size; its values are bytes. */
export function sizeOption(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.argParser((value: string) => parseSize(value, option.long ?? flags));
}

/** An option whose value is an amount in a second. */
export function rateOption(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.argParser((value: string) => {
    const rate = parseSize(value, option.long ?? flags);
    if (rate < 1) throw usageError(`${option.long}: '${value}' lets nothing through`, 'leave the option out, or give more');
    return rate;
  });
}

/** An option whose value is a point in time. */
export function timeOption(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.argParser((value: string): Time => parseTime(value, option.long ?? flags));
}

/** An option whose value is a duration above 0; its values are milliseconds. */
export function durationOption(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.argParser((text: string) => {
    const durationMs = parseDuration(text, option.long ?? flags) * 1000;
    if (durationMs > 0) return durationMs;
    throw usageError(`${option.long}: '${text}' is no time at all`, 'give more, such as 30min');
  });
}

/** An option whose value is a whole number within limits. */
export function countOption(flags: string, description: string, { minimum, maximum }: { minimum: number; maximum: number }): Option {
  const option = new Option(flags, description);
  return option.argParser((value: string) => parseCount(value, option.long ?? flags, { minimum, maximum }));
}

export function parseCount(text: string, name: string, { minimum, maximum }: { minimum: number; maximum: number }): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= minimum && count <= maximum) return count;
  throw usageError(`${name}: '${text}' is not valid`, `give a whole number from ${minimum} to ${maximum}`);
}

/** How many threads a command uses. */
export function workersOption(description: string): Option {
  return countOption('--workers <count>', description, { minimum: 1, maximum: 256 });
}

/** How new blocks are compressed. */
export type Compression = NonNullable<SnapshotLabels['compression']>;

export function compressionOption(): Option {
  const option = new Option('--compression <method>', 'auto, none, lz4, or zstd:1 to zstd:22 (default: auto)');
  return option.argParser(parseCompression);
}

export function parseCompression(text: string): Compression {
  const level = /^zstd(?::(\d{1,2}))?$/.exec(text);
  const isValid = ['auto', 'none', 'lz4'].includes(text) || (level && Number(level[1] ?? 1) >= 1 && Number(level[1] ?? 1) <= 22);
  if (!isValid) throw usageError(`--compression: '${text}' is not a method`, 'valid are auto, none, lz4, and zstd:1 to zstd:22');
  return (level ? `zstd:${Number(level[1] ?? 1)}` : text) as Compression;
}

/** Options that choose among snapshots. */
export function addFilterOptions(command: Command): Command {
  return command
    .option('--host <name>', 'only snapshots of this host')
    .addOption(listOption('--path <path>', 'only snapshots of this path (may be repeated: of all of them)'))
    .addOption(listOption('--tag <tag>', 'only snapshots with this tag (may be repeated: with all of them)'));
}

/** Examples at the end of a command's help. */
export function addExamples(command: Command, examples: readonly (readonly [line: string, meaning: string])[]): void {
  const width = Math.max(...examples.map(([line]) => line.length));
  command.addHelpText('after', `\nExamples:\n${examples.map(([line, meaning]) => `  ${line.padEnd(width)}   ${meaning}`).join('\n')}\n`);
}
